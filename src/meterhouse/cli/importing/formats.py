"""Which format a file has, and its reader. A guess comes with the reason, so that it can be told."""

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from io import BufferedReader
from itertools import chain
from pathlib import PurePath
from typing import Final

from msgspec import Struct

from meterhouse.cli.importing import cloudevents, objects
from meterhouse.cli.importing.lines import text_of
from meterhouse.cli.importing.logs import COLUMNS, AccessLog, is_access_log
from meterhouse.cli.importing.rows import Columns, Read, Row
from meterhouse.cli.importing.streams import START_BYTES
from meterhouse.cli.importing.tables import DELIMITERS, Table

_JSON: Final = re.compile(rb"\{|\[\s*[{\]]")
_PEEKED_LINES: Final = 10
_PEEKED_ROWS: Final = 20
_TIME_NAMES: Final = ("timestamp", "time", "datetime", "date", "ts", "created_at", "createdat")


class Format(StrEnum):
    """Apache and nginx write the same combined format; either name reads both."""

    APACHE = "apache"
    NGINX = "nginx"
    CSV = "csv"
    NDJSON = "ndjson"
    JSON = "json"


_SUFFIXES: Final = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
}
LOGS: Final = (Format.APACHE, Format.NGINX)


class Guess(Struct, frozen=True):
    """reason: the end of a sentence."""

    format: Format
    reason: str


def _no_notes() -> Iterator[str]:
    return iter(())


class Opened(Struct, frozen=True):
    """A file under its reader.

    columns: None where every row has its own (NDJSON, JSON). counted: the rows' `line` counts these.
    cloud_events: the rows are CloudEvents. notes: sentences about the rows that were read.
    """

    rows: Read
    columns: Columns | None
    counted: str = "line"
    cloud_events: bool = False
    notes: Callable[[], Iterator[str]] = _no_notes


def guess(name: str, file: BufferedReader) -> Guess:
    """Guess from the name, else from the first lines. Raises ValueError with a sentence."""
    suffix = PurePath(name.lower().removesuffix(".gz").removesuffix(".zst")).suffix
    if suffix in _SUFFIXES:
        return Guess(_SUFFIXES[suffix], f"its name ends in {suffix}")
    start = file.peek(START_BYTES).lstrip()
    lines = [line.removesuffix(b"\r") for line in start.split(b"\n", _PEEKED_LINES)[:_PEEKED_LINES]]
    if any(map(is_access_log, lines)):
        format_ = Format.NGINX if "nginx" in name.lower() else Format.APACHE
        return Guess(format_, "its first lines are those of an access log")
    if start.startswith(b"{") and (b"\n" not in start or objects.is_object(lines[0])):
        return Guess(Format.NDJSON, "its first line is a JSON object")
    if _JSON.match(start):
        return Guess(Format.JSON, f"it begins with {start[:1].decode()}")
    text = text_of(lines[0]) or ""
    if any(delimiter in text for delimiter in DELIMITERS):
        return Guess(Format.CSV, "its first line looks like a header")
    raise ValueError("Neither the file's name nor its first line tells the format; give --format.")


def open_rows(file: BufferedReader, format_: Format) -> Opened:
    """Begin to read a file of text as UTF-8. Raises ValueError with a sentence: there is no header."""
    match format_:
        case Format.CSV:
            table = Table(file)
            return Opened(table.read(), table.columns)
        case Format.NDJSON:
            return _with_events(objects.read_lines(file), "line")
        case Format.JSON:
            return _with_events(objects.read_values(file), "item")
        case _:
            log = AccessLog(file)
            return Opened(log.read(), Columns(COLUMNS), notes=log.notes)


def guess_time(columns: Columns | None) -> str:
    """Return the column that must be the time. Raises ValueError with a sentence."""
    if columns is None:
        return "timestamp"
    for name in _TIME_NAMES:
        for column in columns.names:
            if column.lower() == name:
                return column
    raise ValueError(f"Say which column is the time: --timestamp COLUMN. There are: {columns}.")


def _with_events(rows: Read, counted: str) -> Opened:
    """Look whether the first row is a CloudEvent."""
    first = []
    is_event = False
    for row in rows:
        first.append(row)
        is_event = isinstance(row, Row) and cloudevents.is_event(row.values)
        if isinstance(row, Row) or len(first) == _PEEKED_ROWS:
            break
    return Opened(chain(first, rows), None, counted, is_event)
