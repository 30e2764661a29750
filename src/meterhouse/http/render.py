"""How times and amounts are written in answers."""

from decimal import Decimal

from msgspec import UNSET, Raw, UnsetType

from meterhouse.model.event import from_microseconds
from meterhouse.model.units import join, pair, written


def iso(microseconds: int) -> str:
    """Return the time as the contract writes it: milliseconds, always three digits, and Z."""
    return from_microseconds(microseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_unset(microseconds: int | None) -> str | UnsetType:
    return UNSET if microseconds is None else iso(microseconds)


def number(value: Decimal | None, quote: bool) -> Raw:  # noqa: FBT001 - every caller's is named so
    """Return an amount as JSON, with all its digits; as a string where it is to be quoted."""
    if value is None:
        return Raw(b"null")
    digits = written(value)
    return Raw(f'"{digits}"' if quote else digits)


def exact(billionths: int) -> Raw:
    """Return units as a JSON number with all their digits."""
    return Raw(written(join(*pair(billionths))))
