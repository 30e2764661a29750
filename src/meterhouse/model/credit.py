"""Credits: what prepaid usage is paid with. Whole numbers, ten thousand to a US dollar (contract §4.4)."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from meterhouse.model.errors import BalanceFull

CREDITS_PER_MINOR_UNIT: Final = 100
"""So many to a US cent."""
MAX_BALANCE: Final = 10**18
"""What a balance may be at most."""


class CreditKind(StrEnum):
    """Why a balance moved (contract §4.4)."""

    USAGE = "USAGE"
    TOPUP = "TOPUP"
    GRANT = "GRANT"
    REFUND = "REFUND"
    ADJUSTMENT = "ADJUSTMENT"


class Balance(Struct, frozen=True):
    """held: credits of the balance that open holds have reserved."""

    credits: int
    held: int


def check_room(credits_: int, more: int) -> None:
    """Raises BalanceFull: a balance of so many credits cannot have so many more."""
    if credits_ + more > MAX_BALANCE:
        raise BalanceFull(MAX_BALANCE, MAX_BALANCE - credits_)


class CreditMove(Struct, frozen=True, kw_only=True):
    """One movement of a balance. number: of the event it paid for, or its own; they increase with time.

    credits: signed. balance: after it. at: microseconds since 1970.
    """

    number: int
    customer_ref: str
    kind: CreditKind
    at: int
    credits: int
    balance: int
    product_ref: str | None
    reason: str | None
    key: str | None


class CreditQuestion(Struct, frozen=True, kw_only=True):
    """Which movements, the newest first. None: any. before: only those with a smaller number."""

    customer_ref: str
    kind: CreditKind | None = None
    limit: int = 50
    before: int | None = None
