"""Scalars of properties as texts: what groups, filters and meters compare (design §6).

A number has one canonical text, whichever way it was written: the text that the log stores for a number of at
most 28 digits, such as `1.5`, `100` or `1E-7`.
"""

import re
from collections.abc import Collection, Sequence
from decimal import Context, Decimal
from typing import Final

import msgspec

PLAIN_DIGITS: Final = 28
"""An integer of more digits is written with an exponent."""
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_FIRST_OF_NUMBER: Final = b"-0123456789"


def number_text(text: str) -> str | None:
    """Return the canonical text of a JSON number of any length, None where `text` is not one.

    None also for an exponent beyond those that properties accept.
    """
    if not _NUMBER.fullmatch(text):
        return None
    try:
        value = Decimal(text)
    except ArithmeticError:
        return None
    if not value:
        return "0"
    shortest = value.normalize(Context(prec=len(text)))  # as many digits as it has: nothing is rounded
    _, _, exponent = shortest.as_tuple()
    is_whole = isinstance(exponent, int) and exponent >= 0
    return format(shortest, "f") if is_whole and shortest.adjusted() <= PLAIN_DIGITS else str(shortest)


def scalar_text(raw: bytes) -> str | None:
    """Return a JSON string as it is, a number as its canonical text, `true` or `false`.

    None for null, an array or an object. raw: JSON without white space around it.
    """
    match raw[:1]:
        case b'"':
            return msgspec.json.decode(raw, type=str)
        case b"{" | b"[" | b"n":
            return None
    return number_text(raw.decode()) or raw.decode()


def is_one_of(raw: bytes, texts: Collection[str]) -> bool:
    """Whether a filter for any of `texts` accepts a JSON value.

    A text that is a JSON number accepts equal numbers, and the string of the same characters.
    raw: JSON without white space around it.
    """
    if is_number(raw):
        return scalar_text(raw) in number_texts(texts)
    return scalar_text(raw) in texts


def is_number(raw: bytes) -> bool:
    return raw[:1] in _FIRST_OF_NUMBER


def number_texts(texts: Collection[str]) -> Sequence[str]:
    """Return the canonical texts of those `texts` that are JSON numbers."""
    return [number for text in texts if (number := number_text(text)) is not None]
