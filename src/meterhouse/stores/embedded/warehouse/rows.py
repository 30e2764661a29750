"""Log records to Arrow, and warehouse rows to events."""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa
from duckdb import DuckDBPyConnection
from msgspec import UNSET, Raw

from meterhouse.model import text
from meterhouse.model.event import (
    Columns,
    Details,
    Event,
    Kind,
    LogRecord,
    Outcome,
    event_id,
    from_microseconds,
)
from meterhouse.model.scalar import is_number, number_text
from meterhouse.model.units import join
from meterhouse.stores.embedded.warehouse.names import Names

KINDS: Final = {Kind.USAGE: 1, Kind.METER: 2}
_KIND_OF: Final = {number: kind for kind, number in KINDS.items()}
_SCHEMA: Final = pa.schema(
    [
        ("event_number", pa.int64()),
        ("scope_id", pa.int32()),
        ("kind", pa.uint8()),
        ("type", pa.int32()),
        ("customer_ref", pa.int32()),
        ("product_ref", pa.int32()),
        ("units_whole", pa.int64()),
        ("units_nano", pa.int32()),
        ("timestamp", pa.int64()),
        ("received_at", pa.int64()),
        ("idempotency_key", pa.string()),
        ("properties", pa.string()),
        ("numbers", pa.string()),
        ("meter", pa.int32()),
        ("outcome", pa.int32()),
        ("purchase_ref", pa.int32()),
        ("details", pa.string()),
    ]
)
_METERED: Final = 4  # of these columns, the last
EVENT_COLUMNS: Final = (
    "kind, event_number, type, customer_ref, product_ref, units_whole, units_nano,"
    " timestamp, received_at, idempotency_key, properties, meter, outcome, purchase_ref, details"
)
_NO_DETAILS: Final = Details()
_NO_DOUBLE: Final = re.compile(r"[0-9](?:E[+-][0-9]|[0-9.]{16})")
_read_properties: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_read_details: Final = msgspec.json.Decoder(Details).decode


def first(
    connection: DuckDBPyConnection, sql: str, values: Sequence[object] = ()
) -> tuple[Any, ...] | None:  # Any: a row of DuckDB
    """Return the first row, None for none. Reads the answer to its end: one that is not keeps its transaction
    open, and while any is open the file takes in nothing of its write-ahead log."""
    found = connection.execute(sql, values).fetchall()
    return found[0] if found else None


def to_table(records: Sequence[LogRecord], names: Names) -> pa.Table:
    """Return the records' events, one row each.

    The records are put together as lists first: an Arrow array costs as much as a hundred values.
    """
    events = Columns.empty()
    numbers: list[int] = []
    scopes: list[int] = []
    kinds: list[int] = []
    received: list[int] = []
    for record in records:
        count = len(record.events)
        events.extend(record.events)
        numbers += range(record.first_number, record.first_number + count)
        kinds += [KINDS[record.kind]] * count
        received += [record.received_at] * count
        for scope_id, rows in record.scopes:
            scopes += [scope_id] * rows
    columns: Sequence[Sequence[object]] = (
        numbers,
        scopes,
        kinds,
        names.ids(events.type),
        names.ids(events.customer_ref),
        names.ids(events.product_ref),
        events.units_whole,
        events.units_nano,
        events.happened(received),
        received,
        events.idempotency_key,
        events.properties,
        [None if each is None else _numbers(each) for each in events.properties],
    )
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=False)]
    return pa.Table.from_arrays([*arrays, *_metered(records, len(events), names)], schema=_SCHEMA)


def _numbers(properties: str) -> str | None:
    """Return the canonical texts of the numbers that DuckDB, which reads doubles, would write otherwise:
    those with an exponent or with more than 15 digits. None where there are none.
    """
    if not _NO_DOUBLE.search(properties):
        return None
    found = {
        name: number_text(bytes(raw).decode())
        for name, raw in _read_properties(properties).items()
        if is_number(bytes(raw)) and _NO_DOUBLE.search(bytes(raw).decode())
    }
    return text.canonical(found) if found else None


def _metered(records: Sequence[LogRecord], count: int, names: Names) -> Sequence[pa.Array]:
    """Return the columns that meter events alone have. Where there are none no row is looked at."""
    fields = [_SCHEMA.field(i) for i in range(len(_SCHEMA) - _METERED, len(_SCHEMA))]
    if all(record.metered is None for record in records):
        return [pa.nulls(count, field.type) for field in fields]
    columns: list[list[str | None]] = [[] for _ in fields]
    for record in records:
        nothing = [None] * len(record.events)
        given = (nothing,) * _METERED if record.metered is None else msgspec.structs.astuple(record.metered)
        for column, values in zip(columns, given, strict=True):
            column.extend(values)
    *named, details = columns
    values_of = [*(names.ids(column) for column in named), details]
    return [pa.array(column, field.type) for column, field in zip(values_of, fields, strict=True)]


def to_event(row: tuple[Any, ...], names: Names) -> Event:  # Any: a row of DuckDB, as EVENT_COLUMNS
    kind, number, type_, customer, product, whole, nano, timestamp, received, key, properties, *metered = row
    meter, outcome, purchase, details = metered
    told = _NO_DETAILS if details is None else _read_details(details)
    return Event(
        event_id=event_id(number),
        kind=_KIND_OF[kind],
        type=names.text(type_) or "",
        customer_ref=names.text(customer),
        product_ref=names.text(product),
        units=join(whole, nano),
        timestamp=from_microseconds(timestamp),
        received_at=from_microseconds(received),
        idempotency_key=key,
        properties=Raw(b"null" if properties is None else properties.encode()),
        meter_name=names.text(meter) or UNSET,
        outcome=UNSET if outcome is None else Outcome(names.text(outcome) or ""),
        purchase_ref=names.text(purchase) or UNSET,
        description=told.description,
        duration=told.duration,
        error_message=told.error_message,
    )
