"""Units as callers give them: exact numbers, never binary floats."""

from decimal import Decimal
from operator import index
from typing import Final, SupportsIndex

MAX_UNITS: Final = 10**15  # in one event
PLACES: Final = 9  # decimal places the server keeps; more is refused, never rounded


def exact_units(units: object) -> int | Decimal:
    """Return the amount as it is sent: an int, or a Decimal without exponent or trailing zeros.

    Raises TypeError for floats, also whole ones, for bools and for anything else that is not an exact
    number; ValueError, with a sentence about the value, for an amount the server would refuse.
    """
    if type(units) is int:
        _check_range(units)
        return units
    if isinstance(units, float):
        raise TypeError(
            f"units must be an int or a Decimal, not the float {units!r}: a float is rarely the number it "
            f"shows (0.1 is not one tenth). Write Decimal('{units!r}'), or an int for whole units."
        )
    if not isinstance(units, Decimal):
        return _index(units)
    if not units.is_finite():
        raise ValueError("must be a finite number")
    _check_range(units)
    sign, digits, exponent = units.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - only NaN and infinity have another
    significant = bytes(digits).rstrip(b"\0")
    last_place = exponent + len(digits) - len(significant)
    if not significant:
        return 0
    if last_place < -PLACES:
        raise ValueError(f"must have at most {PLACES} decimal places; more would have to be rounded")
    if last_place >= 0:
        return int(units)
    return Decimal((sign, tuple(significant), last_place))


def _index(units: object) -> int:
    if isinstance(units, bool) or not isinstance(units, SupportsIndex):
        raise TypeError(
            f"units must be an int or a Decimal, not {type(units).__name__}; from text, write Decimal(text)."
        )
    whole = index(units)  # also NumPy's integers
    _check_range(whole)
    return whole


def _check_range(units: int | Decimal) -> None:
    if units < 0:
        raise ValueError("must not be negative")
    if units > MAX_UNITS:
        raise ValueError("must be at most 10^15")
