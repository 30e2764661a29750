"""Credits: what prepaid usage is paid with. Whole numbers, ten thousand to a US dollar (contract §4.4)."""

from enum import StrEnum
from typing import Final, NamedTuple

from msgspec import Struct

from meterhouse.model.errors import BalanceFull

CREDITS_PER_MINOR_UNIT: Final = 100
"""So many to a US cent."""
MAX_BALANCE: Final = 10**18
"""What a balance may be at most."""


class CreditKind(StrEnum):
    """Why a balance moved (contract §4.4). EXPIRY is ours: credits that were not used in time."""

    USAGE = "USAGE"
    TOPUP = "TOPUP"
    GRANT = "GRANT"
    REFUND = "REFUND"
    ADJUSTMENT = "ADJUSTMENT"
    EXPIRY = "EXPIRY"


class Expiring(NamedTuple):
    """Credits that expire at a time, microseconds since 1970, unless they are used before."""

    credits: int
    expires_at: int


class Balance(Struct, frozen=True):
    """held: credits of the balance that open holds have reserved.

    expiring: those of the balance that expire, the earliest first, one for each time. Credits whose time has
    come and that an open hold keeps are not in it.
    """

    credits: int
    held: int
    expiring: tuple[Expiring, ...] = ()


def check_room(credits_: int, more: int) -> None:
    """Raises BalanceFull: a balance of so many credits cannot have so many more."""
    if credits_ + more > MAX_BALANCE:
        raise BalanceFull(MAX_BALANCE, MAX_BALANCE - credits_)


class MovePlace(NamedTuple):
    """Where a movement lies in a customer's history. Places increase with time.

    number: of the event that the movement paid for, or its own; an expiry has that of the movement before it.
    expiry: counts the expiries after that movement, from 1; 0 for every other movement.
    """

    number: int
    expiry: int = 0


class CreditMove(Struct, frozen=True, kw_only=True):
    """One movement of a balance. number, expiry: see `MovePlace`.

    credits: signed. balance: after it. at: microseconds since 1970. expires_at: of credits that were given,
    None where they do not expire. grant: of an expiry, the number of the movement that gave the credits.
    """

    number: int
    expiry: int = 0
    customer_ref: str
    kind: CreditKind
    at: int
    credits: int
    balance: int
    product_ref: str | None = None
    reason: str | None = None
    key: str | None = None
    expires_at: int | None = None
    grant: int | None = None

    @property
    def place(self) -> MovePlace:
        return MovePlace(self.number, self.expiry)


class CreditQuestion(Struct, frozen=True, kw_only=True):
    """Which movements, the newest first. None: any. before: only those with an earlier place."""

    customer_ref: str
    kind: CreditKind | None = None
    limit: int = 50
    before: MovePlace | None = None

    def includes(self, move: CreditMove) -> bool:
        """Whether a movement of the customer is one of them, the limit aside."""
        is_before = self.before is None or move.place < self.before
        return is_before and self.kind in (None, move.kind)
