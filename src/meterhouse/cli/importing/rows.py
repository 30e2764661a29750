"""The result of the readers: the rows of a file, and lines that are no rows."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

Values = Mapping[str, Any]  # Any: text (or Unclear) from logs and CSV, any JSON value from NDJSON and JSON


class Unclear(Struct, frozen=True):
    """The value of a column that could be several things. reason: the end of a sentence, with the remedy."""

    reason: str


class Row(Struct, frozen=True):
    """line: where it begins, from 1. raw: its bytes without the line end, which identify it."""

    line: int
    raw: bytes
    values: Values


class Unreadable(Struct, frozen=True):
    """reason: a sentence's end, after the line's number."""

    line: int
    raw: bytes
    reason: str


class Blank(Struct, frozen=True):
    """A line or a record without any text: white space, or separators alone."""

    line: int


Read = Iterator[Row | Unreadable | Blank]


class Columns(Struct, frozen=True):
    """The names of a file's columns, in their order. Several columns may share a name."""

    names: tuple[str, ...]

    def __contains__(self, name: str) -> bool:
        """Whether there is one column of that name. Raises ValueError with a sentence: there are several."""
        if self.names.count(name) > 1:
            raise ValueError(f"The header has the column {name!r} more than once; which one is meant?")
        return name in self.names

    def __str__(self) -> str:
        return ", ".join(dict.fromkeys(self.names))


def find(values: Values, column: str) -> Any:  # Any: see Values
    """Return the value of a column; in JSON `usage.tokens` also finds `tokens` inside `usage`.

    Raises KeyError when there is none, ValueError with the end of a sentence when it is not clear.
    """
    if column in values:
        if isinstance(value := values[column], Unclear):
            raise ValueError(value.reason)
        return value
    outer, dot, inner = column.partition(".")
    if dot and isinstance(nested := values.get(outer), dict):
        return find(nested, inner)
    raise KeyError(column)


def found(values: Values, column: str) -> Any:  # Any: see Values
    """Return the value of a column. Raises ValueError with the end of a sentence."""
    try:
        return find(values, column)
    except KeyError:
        raise ValueError(f"{column} is missing") from None


def name_in(values: Values, column: str, absent: str | None = None) -> str:
    """Return the text of a column that names something, without white space around it.

    absent: the text that stands for nothing. Raises ValueError with the end of a sentence.
    """
    value = found(values, column)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{column} is no name: {value!r:.40}")
    if value is None or (text := value.strip()) in ("", absent):
        raise ValueError(f"{column} is empty")
    return text
