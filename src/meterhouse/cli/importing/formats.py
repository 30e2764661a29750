"""Which format a file has, and its reader. What is guessed comes with the reason, to be said out loud."""

import gzip
from collections.abc import Iterator
from enum import StrEnum
from io import BufferedReader
from pathlib import PurePath
from typing import Final

from msgspec import Struct

from meterhouse.cli.importing import logs, objects
from meterhouse.cli.importing.lines import text_of
from meterhouse.cli.importing.rows import Row, Unreadable
from meterhouse.cli.importing.tables import DELIMITERS, Table

_PEEKED_BYTES: Final = 64 * 1024
_GZIP: Final = b"\x1f\x8b"
_TIME_NAMES: Final = ("timestamp", "time", "datetime", "date", "ts", "created_at", "createdat")


class Format(StrEnum):
    """Apache and nginx write the same combined format; either name reads both."""

    APACHE = "apache"
    NGINX = "nginx"
    CSV = "csv"
    NDJSON = "ndjson"


LOGS: Final = (Format.APACHE, Format.NGINX)


class Guess(Struct, frozen=True):
    """reason: the end of a sentence."""

    format: Format
    reason: str


class Opened(Struct, frozen=True):
    """A file under its reader. columns: None where every row has its own (NDJSON)."""

    rows: Iterator[Row | Unreadable]
    columns: tuple[str, ...] | None


def unzipped(file: BufferedReader) -> BufferedReader:
    """Return the file, or what is inside where it is compressed with gzip."""
    if file.peek(2).startswith(_GZIP):
        return BufferedReader(gzip.GzipFile(fileobj=file))
    return file


def guess(name: str, file: BufferedReader) -> Guess:
    """Guess from the name, else from the first line. Raises ValueError with a sentence."""
    suffixes = PurePath(name.lower().removesuffix(".gz")).suffixes
    if suffixes and suffixes[-1] in (".csv", ".tsv"):
        return Guess(Format.CSV, f"its name ends in {suffixes[-1]}")
    if suffixes and suffixes[-1] in (".ndjson", ".jsonl"):
        return Guess(Format.NDJSON, f"its name ends in {suffixes[-1]}")
    first = file.peek(_PEEKED_BYTES).lstrip().partition(b"\n")[0].removesuffix(b"\r")
    if first.startswith(b"{"):
        return Guess(Format.NDJSON, "its first line begins with {")
    if logs.is_access_log(first):
        format_ = Format.NGINX if "nginx" in name.lower() else Format.APACHE
        return Guess(format_, "its first line is that of an access log")
    text = text_of(first) or ""
    if any(delimiter in text for delimiter in DELIMITERS):
        return Guess(Format.CSV, "its first line looks like a header")
    raise ValueError("What is in the file is neither clear from its name nor from its first line: --format.")


def open_rows(file: BufferedReader, format_: Format) -> Opened:
    """Raises ValueError with a sentence: there is no header."""
    match format_:
        case Format.CSV:
            table = Table(file)
            return Opened(table.read(), table.columns)
        case Format.NDJSON:
            return Opened(objects.read(file), None)
        case _:
            return Opened(logs.read(file), logs.COLUMNS)


def guess_time(columns: tuple[str, ...] | None) -> str:
    """Return the column that must be the time. Raises ValueError with a sentence."""
    if columns is None:
        return "timestamp"
    for name in _TIME_NAMES:
        for column in columns:
            if column.lower() == name:
                return column
    raise ValueError(f"Say which column is the time: --timestamp COLUMN. There are: {', '.join(columns)}.")
