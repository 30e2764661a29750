"""NDJSON: one object a line. Numbers keep all their digits."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO, Final

import msgspec

from meterhouse.cli.importing.lines import MAX_ROW_BYTES, fault_of, lines
from meterhouse.cli.importing.rows import Row, Unreadable

_decode: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode  # Any: any JSON value


def read(file: BinaryIO) -> Iterator[Row | Unreadable]:
    """Yield every line but blank ones."""
    for number, raw in lines(file):
        if len(raw) > MAX_ROW_BYTES:
            yield Unreadable(number, raw, fault_of(raw))
        elif raw.strip():
            yield _row(number, raw)


def _row(number: int, raw: bytes) -> Row | Unreadable:
    try:
        return Row(number, raw, _decode(raw))
    except UnicodeDecodeError:
        return Unreadable(number, raw, fault_of(raw))
    except (msgspec.DecodeError, RecursionError) as error:
        return Unreadable(number, raw, f"is not a JSON object: {error}")
