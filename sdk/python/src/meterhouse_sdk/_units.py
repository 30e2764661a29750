"""Units as callers give them: exact numbers, never binary floats."""

import math
from decimal import Context, Decimal
from operator import index
from typing import Final, SupportsFloat, SupportsIndex

MAX_UNITS: Final = 10**15  # in one event
PLACES: Final = 9  # decimal places the server keeps; more is refused, never rounded
_PLACE: Final = Decimal(1).scaleb(-PLACES)
_EXACT: Final = Context(prec=40)  # the caller's own may have fewer digits


def exact_units(units: object) -> int | Decimal:
    """Return the amount as it is sent: an int, or a Decimal without exponent or trailing zeros.

    Raises TypeError for floats, also whole ones, for bools and for anything else that is not an exact
    number; ValueError, with a sentence about the value, for an amount the server would refuse.
    """
    if type(units) is int:
        _check_range(units)
        return units
    if isinstance(units, float):
        raise TypeError(_advice(f"the float {units!r}", float(units)))
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
        raise ValueError(
            f"must have at most {PLACES} decimal places; more would have to be rounded: write "
            f"round(units, {PLACES}) if you mean that"
        )
    if last_place >= 0:
        return int(units)
    return Decimal((sign, tuple(significant), last_place))


def _advice(given: str, units: float) -> str:
    """Return the sentence that refuses a float, with a value that is taken where there is one."""
    refused = f"units must be an int or a Decimal, not {given}"
    if not math.isfinite(units) or not 0 <= units <= MAX_UNITS:
        return f"{refused}, and from 0 to 10^15."
    shown = Decimal(repr(units))
    rounded = exact_units(shown.quantize(_PLACE, context=_EXACT))
    written = repr(rounded) if isinstance(rounded, int) else f"Decimal('{rounded:f}')"
    places = "" if rounded == shown else f", which is it to {PLACES} decimal places"
    return (
        f"{refused}: a float is rarely the number it shows (0.1 is not one tenth). Write {written}{places}. "
        f"For any float x, write round(Decimal(repr(float(x))), {PLACES})."
    )


def _index(units: object) -> int:
    if isinstance(units, bool) or not isinstance(units, SupportsIndex):
        if isinstance(units, SupportsFloat) and not isinstance(units, bool):  # fractions, NumPy's floats
            raise TypeError(_advice(type(units).__name__, float(units)))
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
