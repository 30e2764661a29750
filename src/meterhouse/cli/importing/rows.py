"""What the readers yield: the rows of a file, and what could not be read as one."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

Values = Mapping[str, Any]  # Any: text from logs and CSV, any JSON value from NDJSON


class Row(Struct, frozen=True):
    """line: where it begins, from 1. raw: its bytes without the line end, which is what it is known by."""

    line: int
    raw: bytes
    values: Values


class Unreadable(Struct, frozen=True):
    """reason: a sentence's end, after the line's number."""

    line: int
    raw: bytes
    reason: str


def find(values: Values, column: str) -> Any:  # Any: see Values
    """Return the value of a column; in NDJSON `usage.tokens` also finds `tokens` inside `usage`.

    Raises KeyError when there is none.
    """
    if column in values:
        return values[column]
    outer, dot, inner = column.partition(".")
    if dot and isinstance(nested := values.get(outer), dict):
        return find(nested, inner)
    raise KeyError(column)
