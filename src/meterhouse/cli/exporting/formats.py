"""Exported events as NDJSON, CSV or Parquet, written as they come. Units keep every digit in all three."""

import csv
import io
from collections.abc import Sequence
from enum import StrEnum
from pathlib import PurePath
from typing import Any, BinaryIO, Final, Protocol

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Raw

from meterhouse.cli.exporting.events import Exported
from meterhouse.model.units import PLACES, written

COLUMNS: Final = Exported.__struct_encode_fields__
_OF_METERS: Final = COLUMNS[COLUMNS.index("meterName") :]
_encode: Final = msgspec.json.Encoder().encode
_GROUP_EVENTS: Final = 100_000
_MICROSECONDS_UTC: Final = pa.timestamp("us", tz="UTC")
_TYPES: Final = {
    "units": pa.decimal128(38, PLACES),
    "timestamp": _MICROSECONDS_UTC,
    "receivedAt": _MICROSECONDS_UTC,
}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Format(StrEnum):
    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


class Writer(Protocol):
    """Writes events to a file that it does not close."""

    def write(self, events: Sequence[Exported]) -> None: ...

    def finish(self) -> None:
        """Write what is still held back. Nothing may be written after that."""
        ...


def format_of(name: str) -> Format:
    """Return the format a file's name tells, else NDJSON."""
    suffix = PurePath(name).suffix.lower().removeprefix(".")
    return Format(suffix) if suffix in tuple(Format) else Format.NDJSON


def writer(format_: Format, file: BinaryIO) -> Writer:
    match format_:
        case Format.NDJSON:
            return _Ndjson(file)
        case Format.CSV:
            return _Csv(file)
        case Format.PARQUET:
            return _Parquet(file)


class _Ndjson:
    """The objects of `GET /v1/events`, one a line: what was not said of a meter event is absent."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, events: Sequence[Exported]) -> None:
        self._file.write(b"".join(_line(event) for event in events))

    def finish(self) -> None:
        pass


class _Csv:
    """A header, then a line an event. properties: JSON text. Nothing stands for none.

    Texts that a spreadsheet would take for a formula get an apostrophe in front, as in `/v1/usage`.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._put([COLUMNS])

    def write(self, events: Sequence[Exported]) -> None:
        self._put([[_cell(name, value) for name, value in _fields(event)] for event in events])

    def finish(self) -> None:
        pass

    def _put(self, lines: Sequence[Sequence[str]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(lines)
        self._file.write(text.getvalue().encode())


class _Parquet:
    """units: decimal128(38, 9). Times: microseconds, UTC. properties: JSON text."""

    def __init__(self, file: BinaryIO) -> None:
        self._schema = pa.schema([(name, _TYPES.get(name, pa.string())) for name in COLUMNS])
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[Exported] = []

    def write(self, events: Sequence[Exported]) -> None:
        self._waiting += events
        if len(self._waiting) >= _GROUP_EVENTS:
            self._write_group()

    def finish(self) -> None:
        if self._waiting:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        columns = zip(*(msgspec.structs.astuple(event) for event in self._waiting), strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._waiting = []


def _fields(event: Exported) -> list[tuple[str, Any]]:  # Any: of every field's type
    return list(zip(COLUMNS, msgspec.structs.astuple(event), strict=True))


def _line(event: Exported) -> bytes:
    fields = dict(_fields(event))
    fields["units"] = Raw(written(event.units))
    fields["properties"] = Raw(event.properties or "null")
    for name in _OF_METERS:
        if fields[name] is None:
            del fields[name]
    if event.duration is not None:
        fields["duration"] = Raw(event.duration)
    return _encode(fields) + b"\n"


def _cell(name: str, value: Any) -> str:  # Any: see _fields
    if value is None:
        return ""
    if name == "units":
        return written(value)
    if name in ("timestamp", "receivedAt"):
        return str(msgspec.to_builtins(value))
    return f"'{value}" if value[:1] in _FORMULA else str(value)
