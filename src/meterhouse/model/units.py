"""Units: how much was consumed. Exact decimals, never binary floats, never money.

Inside the server an amount is a pair of integers, whole units and billionths (`nano`), since
integers add exactly in every store and compress well. `Decimal` is for callers.
"""

from decimal import Context, Decimal
from typing import Annotated, Any, Final, TypeGuard

from msgspec import Meta, Raw

MAX_UNITS = 10**15  # in one event
PLACES = 9  # decimal places kept; more is refused, never rounded
NANO: int = 10**PLACES  # billionths in one unit
_EXACT = Context(prec=100)  # Python's own rounds a total to 28 digits
NUMBER: Final = "A number; it is taken with all its digits."

Number = Annotated[Any, Meta(description=NUMBER)]
"""A field of a body that is to be a number: an `int` or a `Decimal`, for a float would be rounded before
anybody looks at it. Any: a Decimal field would take the strings "5" and "NaN"; whoever reads it checks it.
"""

Amount = Annotated[
    Any,
    Meta(
        description=f"Exact, at most {PLACES} decimal places.",
        extra_json_schema={"type": "number", "minimum": 0, "maximum": MAX_UNITS},
    ),
]
"""A field of a body for units, which `split` checks after decoding. Any: see `Number`."""

JsonObject = Annotated[Raw, Meta(extra_json_schema={"type": ["object", "null"]})]
"""A field of a body for a JSON object, kept as it was sent."""


def split(value: object) -> tuple[int, int] | str:  # noqa: PLR0911 - one return for each reason
    """Return `(whole, nano)` of a decoded JSON number, or a sentence that says why it is refused.

    `value` is what a JSON decoder gives: `int`, `Decimal` (for a number with a point or an exponent),
    or anything else, which is refused. Strings are refused too: `"5"` is not a number.
    """
    if type(value) is int:
        if 0 <= value <= MAX_UNITS:
            return value, 0
        return _out_of_range(value)
    if type(value) is not Decimal:
        return f"must be a JSON number, not {_json_kind(value)}"
    if not value.is_finite():
        return "must be a finite number"
    if not 0 <= value <= MAX_UNITS:
        return _out_of_range(value)
    if value and _last_place(value) < -PLACES:
        return f"must have at most {PLACES} decimal places; more would have to be rounded"
    whole = int(value)
    return whole, int((value - whole).scaleb(PLACES))


def whole_between(value: object, least: int, most: int) -> int | None:
    """Return a decoded JSON number as an int where it is whole and from `least` to `most`, else None.

    The bounds are asked first: to write 1e999999 out as an integer takes minutes, and 1e999999999 all memory.
    """
    if not is_between(value, least, most):
        return None
    number = int(value)
    return number if number == value else None


def is_between(value: object, least: int, most: int) -> TypeGuard[int | Decimal]:
    """Whether it is a decoded JSON number from `least` to `most`."""
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool) and least <= value <= most


def join(whole: int, nano: int) -> Decimal:
    """Return the amount as a Decimal without trailing zeros; inverse of `split`."""
    return plain(_EXACT.add(Decimal(whole), Decimal(nano).scaleb(-PLACES)))


def pair(number: int) -> tuple[int, int]:
    """Return the whole units in a number of billionths, and the billionths beside them."""
    return divmod(number, NANO)


def billionths(amount: tuple[int, int]) -> int:
    """Inverse of `pair`."""
    return amount[0] * NANO + amount[1]


def plain(value: Decimal) -> Decimal:
    """Return `value` without trailing zeros: two stores may answer 100 and 100.000000000."""
    if value == value.to_integral_value():
        return Decimal(int(value))
    return value.normalize(_EXACT)


def written(value: Decimal) -> str:
    """Return the one way an amount is written everywhere: plain digits, no exponent, no trailing zeros."""
    return format(plain(value), "f")


def _last_place(value: Decimal) -> int:
    """The exponent of the last digit that is not zero: 1.50 has -1. Exact for any number of digits."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - only NaN and infinity have another
    if exponent >= -PLACES:
        return exponent
    return exponent + len(digits) - len(bytes(digits).rstrip(b"\0"))


def _out_of_range(value: int | Decimal) -> str:
    return "must not be negative" if value < 0 else "must be at most 10^15"


def _json_kind(value: object) -> str:
    if value is None:
        return "null"
    return {bool: "a boolean", str: "a string", list: "an array", dict: "an object"}.get(type(value), "that")
