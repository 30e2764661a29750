"""Timestamps: RFC 3339 texts with an offset, kept as microseconds since 1970."""

import re
from datetime import datetime
from typing import Final

import msgspec

_FINER: Final = re.compile(r"(\.[0-9]{6})[0-9]+")  # Go, Java and .NET write 7 or 9 fractional digits
_LONGEST_EXACT: Final = len("2026-11-01T00:00:00.123456Z")


def read_time(text: str) -> datetime | None:
    """Return the time of an RFC 3339 text, None where `text` is not one.

    Digits finer than a microsecond are cut off: the decoder alone would round them. The result has no time
    zone where the text has no offset.
    """
    if len(text) > _LONGEST_EXACT:
        text = _FINER.sub(r"\1", text, count=1)
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
