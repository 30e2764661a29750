"""Entries: the changes of the ledger, one by one. They lie in the log, and the ledger is their fold.

Units are pairs of whole units and billionths here: integers of the log have 64 bits.
"""

from msgspec import Struct
from msgspec.structs import replace

from meterhouse.model.credit import CreditKind
from meterhouse.model.hold import Hold, HoldStatus
from meterhouse.model.units import NANO


class Consumed(Struct, frozen=True, array_like=True, tag="consumed"):
    """An event used units of a purchase's period and, on credit plans, credits.

    product_ref: the purchase's; None in old records, of an event that named a purchase alone.
    """

    scope_id: int
    event_number: int
    customer_ref: str
    product_ref: str | None
    purchase_ref: str
    period: int
    whole: int
    nano: int
    debit: int


class Credited(Struct, frozen=True, array_like=True, tag="credited"):
    """A balance moved for another reason than usage.

    expires_at: when credits that were given expire, None for never.
    """

    scope_id: int
    number: int
    at: int
    customer_ref: str
    kind: CreditKind
    credits: int
    reason: str | None
    key: str | None
    expires_at: int | None = None


class Expired(Struct, frozen=True, array_like=True, tag="expired"):
    """Credits of one grant expired: all that were left of it and that no open hold kept.

    number, expiry: the place in the customer's history, see `model.credit.MovePlace`. at: when they expired.
    grant: the number of the movement that gave them. credits: above 0.
    """

    scope_id: int
    number: int
    expiry: int
    at: int
    customer_ref: str
    grant: int
    credits: int


class Held(Struct, frozen=True, array_like=True, tag="held"):
    """A hold was opened."""

    scope_id: int
    number: int
    at: int
    expires_at: int
    customer_ref: str
    product_ref: str
    purchase_ref: str
    period: int
    meter: str
    whole: int
    nano: int
    credits: int
    remaining: int | None


class Ended(Struct, frozen=True, array_like=True, tag="ended"):
    """A hold was settled, released or expired; a settle after its expiry is a second one.

    whole, nano: what was used, booked in the hold's period. over: of that, beyond the limit.
    """

    scope_id: int
    number: int
    at: int
    status: HoldStatus
    whole: int = 0
    nano: int = 0
    debit: int = 0
    over_whole: int = 0
    over_nano: int = 0
    event_number: int = 0


Entry = Consumed | Credited | Expired | Held | Ended


def ended(hold: Hold, entry: Ended) -> Hold:
    """Return the hold as an entry leaves it."""
    return replace(
        hold,
        status=entry.status,
        ended_at=entry.at,
        expired=hold.expired or entry.status is HoldStatus.EXPIRED,
        used=entry.whole * NANO + entry.nano,
        debited=entry.debit,
        over=entry.over_whole * NANO + entry.over_nano,
        event_number=entry.event_number,
    )
