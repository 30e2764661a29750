"""How times and amounts are written in answers."""

from decimal import Decimal

from msgspec import Raw

from meterhouse.model.event import from_microseconds
from meterhouse.model.units import written


def iso(microseconds: int) -> str:
    """Return the time as the contract writes it: milliseconds, always three digits, and Z."""
    return from_microseconds(microseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def number(value: Decimal | None, quote: bool) -> Raw:  # noqa: FBT001 - every caller's is named so
    """Return an amount as JSON, with all its digits; as a string where it is to be quoted."""
    if value is None:
        return Raw(b"null")
    digits = written(value)
    return Raw(f'"{digits}"' if quote else digits)
