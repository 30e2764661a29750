"""Holds: units reserved before the work, settled or released after it."""

from enum import StrEnum

from msgspec import Struct


class HoldStatus(StrEnum):
    """open: reserved, unless its time has come, which whoever looks next writes down as expired."""

    OPEN = "open"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"


class Hold(Struct, frozen=True, kw_only=True):
    """Units (billionths) and credits that are reserved in a period of a purchase until `expires_at`.

    remaining: whole units that were left after it was opened, None for any number.
    used, debited, over, event_number: what settling booked. Times: microseconds since 1970.
    """

    number: int
    customer_ref: str
    product_ref: str
    purchase_ref: str
    period: int
    meter: str
    units: int
    credits: int
    created_at: int
    expires_at: int
    remaining: int | None
    status: HoldStatus = HoldStatus.OPEN
    ended_at: int | None = None
    expired: bool = False
    used: int = 0
    debited: int = 0
    over: int = 0
    event_number: int = 0


def hold_ref(number: int) -> str:
    return f"hld_{number:016x}"


def hold_number(ref: str) -> int | None:
    """Return the number in a hold's ref, None where `ref` is not one."""
    digits = ref.removeprefix("hld_")
    try:
        number = int(digits, 16)
    except ValueError:
        return None
    return number if 0 <= number < 2**63 and ref == hold_ref(number) else None
