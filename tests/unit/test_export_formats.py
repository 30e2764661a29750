"""NDJSON, CSV and Parquet of the same events: every digit of the units, in all three."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from meterhouse.cli.exporting.events import Exported
from meterhouse.cli.exporting.formats import COLUMNS, Format, format_of, writer

EVENT = Exported(
    event_id="evt_0000000000000001",
    kind="usage",
    type="usage.token",
    customer_ref="cus_1",
    product_ref=None,
    units=Decimal("999999999999999.999999999"),
    timestamp=datetime(2023, 11, 16, 18, 15, 46, 680590, UTC),
    received_at=datetime(2026, 11, 1, tzinfo=UTC),
    idempotency_key='a,"b"\n',
    properties='{"region":"eu","size":0.1}',
)
units = st.decimals(0, 10**15, places=9, allow_nan=False, allow_infinity=False)


def written(format_: Format, events: Sequence[Exported]) -> bytes:
    file = io.BytesIO()
    out = writer(format_, file)
    for event in events:
        out.write([event])
    out.finish()
    return file.getvalue()


def test_ndjson_is_what_the_server_answers() -> None:
    line = written(Format.NDJSON, [EVENT])
    assert line.count(b"\n") == 1
    assert b'"units":999999999999999.999999999,' in line
    found = json.loads(line, parse_float=Decimal)
    assert list(found) == list(COLUMNS[: COLUMNS.index("meterName")])
    assert found["timestamp"] == "2023-11-16T18:15:46.680590Z"
    assert found["properties"] == {"region": "eu", "size": Decimal("0.1")}
    assert found["productRef"] is None


def test_csv_has_a_header_and_quotes_what_needs_it() -> None:
    header, line = csv.reader(io.StringIO(written(Format.CSV, [EVENT]).decode(), newline=""))
    assert tuple(header) == COLUMNS
    found = dict(zip(header, line, strict=True))
    assert found["units"] == "999999999999999.999999999"
    assert found["idempotencyKey"] == 'a,"b"\n'
    assert found["properties"] == EVENT.properties
    assert found["productRef"] == ""


@pytest.mark.parametrize("key", ["=1+1", "+1", "-1", "@a", "\tb"])
def test_csv_holds_no_formula(key: str) -> None:
    _, line = csv.reader(io.StringIO(written(Format.CSV, [replace(EVENT, idempotency_key=key)]).decode()))
    assert f"'{key}" in line


def test_parquet_has_exact_units_and_times() -> None:
    table = pq.read_table(io.BytesIO(written(Format.PARQUET, [EVENT, EVENT])))
    assert table.schema.field("units").type == pa.decimal128(38, 9)
    row = table.to_pylist()[0]
    assert row["units"] == EVENT.units
    assert row["timestamp"] == EVENT.timestamp
    assert row["properties"] == EVENT.properties
    assert table.num_rows == 2


@pytest.mark.parametrize("format_", Format)
def test_no_events_are_an_export_too(format_: Format) -> None:
    data = written(format_, [])
    match format_:
        case Format.NDJSON:
            assert data == b""
        case Format.CSV:
            assert data.decode().strip() == ",".join(COLUMNS)
        case Format.PARQUET:
            assert pq.read_table(io.BytesIO(data)).column_names == list(COLUMNS)


@given(st.lists(units, max_size=5))
def test_the_three_formats_agree_on_every_digit(amounts: list[Decimal]) -> None:
    events = [replace(EVENT, units=amount) for amount in amounts]
    lines = written(Format.NDJSON, events).splitlines()
    table = pq.read_table(io.BytesIO(written(Format.PARQUET, events)))
    rows = list(csv.DictReader(io.StringIO(written(Format.CSV, events).decode(), newline="")))
    assert [json.loads(line, parse_float=Decimal, parse_int=Decimal)["units"] for line in lines] == amounts
    assert [Decimal(row["units"]) for row in rows] == amounts
    assert table.column("units").to_pylist() == amounts


def test_the_format_is_told_by_the_name() -> None:
    names = ("a.csv", "a.PARQUET", "a.ndjson", "a.txt", "-")
    assert [format_of(name) for name in names] == [
        Format.CSV,
        Format.PARQUET,
        Format.NDJSON,
        Format.NDJSON,
        Format.NDJSON,
    ]
