"""What one usage event may be: every fault names its field and says what would be right."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.ingest.body import Rules, read_event
from meterhouse.ingest.decode import decode_bulk, decode_event, decode_lines
from meterhouse.model.errors import ValidationFailed
from meterhouse.model.event import Columns, Rejection

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
GOOD = {"type": "usage.api_call", "customerRef": "cus_1", "units": 1}


def read(key: str | None = None, /, **fields: Any) -> Columns | Rejection:
    body = {name: value for name, value in (GOOD | fields).items() if value is not ...}
    return read_text(msgspec.json.encode(body), key)


def read_text(body: bytes, key: str | None = None) -> Columns | Rejection:
    columns = Columns.empty()
    rules = Rules({"cus_1"}, {"prd_1"}, NOW + timedelta(hours=24), {})
    rejection = read_event(decode_event(body), key, rules, columns)
    if rejection is not None:
        assert len(columns) == 0
        return rejection
    assert {len(column) for column in msgspec.structs.astuple(columns)[:-1]} == {1}
    return columns


def faults(rejection: Columns | Rejection) -> dict[str, str]:
    assert isinstance(rejection, Rejection)
    return {error.path: error.message for error in rejection.errors}


def test_type_customer_and_units_are_enough() -> None:
    events = read()
    assert isinstance(events, Columns)
    assert events == Columns(["usage.api_call"], ["cus_1"], [None], [1], [0], [None], [None], [None])


def test_both_historical_bodies_are_taken() -> None:
    first = b'{"type":"usage.api_call","customerRef":"cus_1","productRef":"prd_1","units":1}'
    second = b'{"type":"usage.api_call","productRef":"prd_1","units":1,"customerId":"cus_1"}'
    assert read_text(first) == read_text(second)


def test_unknown_keys_are_ignored() -> None:
    assert isinstance(read(planRef="pln_1", amount=3), Columns)


def test_one_answer_names_every_fault() -> None:
    found = faults(read(type="", customerRef=..., units=-1, timestamp="yesterday"))
    assert set(found) == {"type", "customerRef", "units", "timestamp"}


@pytest.mark.parametrize("field", ["type", "customerRef", "units"])
def test_a_missing_field_is_named(field: str) -> None:
    assert "is required" in faults(read(**{field: ...}))[field]


@pytest.mark.parametrize(
    "type_",
    ["a.b", "usage.api_call", "usage.a.b.c", "usage.ünïcode", "użycie.文書", "x" * 63 + "." + "y" * 64],
)
def test_a_type_is_segments_separated_by_dots(type_: str) -> None:
    assert isinstance(read(type=type_), Columns)


@pytest.mark.parametrize(
    "type_",
    ["usage", "usage.", ".usage", "a..b", "a. b", "a.b\n", "a.\u00a0b", "a.\x00b", "a." + "b" * 127, ""],
)
def test_another_type_is_refused(type_: str) -> None:
    assert "type" in faults(read(type=type_))


@pytest.mark.parametrize("ref", ["", "cus_" + "x" * 17])
def test_an_empty_or_over_long_ref_is_refused(ref: str) -> None:
    assert "customerRef" in faults(read(customerRef=ref))
    assert "productRef" in faults(read(productRef=ref))


def test_an_unknown_customer_or_product_is_not_found() -> None:
    unknown = read(customerRef="cus_2")
    assert isinstance(unknown, Rejection)
    assert unknown.code == "customer_not_found"
    assert "not found" in faults(unknown)["customerRef"]
    unknown = read(productRef="prd_2")
    assert isinstance(unknown, Rejection)
    assert unknown.code == "product_not_found"


def test_aliases_that_differ_are_refused() -> None:
    assert "customerId" in faults(read(customerId="cus_2"))
    assert "productReference" in faults(read(productRef="prd_1", productReference="prd_2"))


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-01T00:00:00.000001Z", 1_793_491_200_000_001),
        ("2026-11-01T00:00:00.123456000Z", 1_793_491_200_123_456),
        ("2026-11-01T05:45:00.5+05:45", 1_793_491_200_500_000),
        ("2026-11-02T12:00:00Z", 1_793_620_800_000_000),
    ],
)
def test_a_time_is_kept_to_the_microsecond(text: str, microseconds: int) -> None:
    events = read(timestamp=text)
    assert isinstance(events, Columns)
    assert events.timestamp == [microseconds]


@pytest.mark.parametrize("offset", ["Z", "+00:00", "+01:00", "-0730"])
@pytest.mark.parametrize("digits", ["1234567", "123456789", "1234569", "123456999999999999"])
def test_digits_finer_than_a_microsecond_are_cut(digits: str, offset: str) -> None:
    cut = read(timestamp=f"2026-11-01T00:00:00.{digits}{offset}")
    assert cut == read(timestamp=f"2026-11-01T00:00:00.123456{offset}")


@given(st.integers(0, 10**9 - 1))
def test_a_time_is_cut_and_never_rounded(nanoseconds: int) -> None:
    events = read(timestamp=f"2026-11-01T00:00:00.{nanoseconds:09}Z")
    assert isinstance(events, Columns)
    assert events.timestamp == [1_793_491_200_000_000 + nanoseconds // 1000]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-11-01T00:00:00", "must carry an offset"),
        ("2026-11-01T00:00:00.123456789", "must carry an offset"),
        ("2026-11-01T00:00:00.Z", "RFC 3339"),
        ("2026-11-01T00:00:00.1234567", "must carry an offset"),
        ("0001-01-01T00:00:00Z", "must not be before 1970"),
        ("1969-12-31T23:59:59Z", "must not be before 1970"),
        ("0001-01-01T00:00:00+10:00", "must not be before 1970"),
        ("2026-11-02T12:00:01Z", "at most 24 hours ahead"),
        ("2026-11-02T13:00:00Z", "at most 24 hours ahead"),
        ("2026-11-01", "RFC 3339"),
        ("now", "RFC 3339"),
        ("", "RFC 3339"),
    ],
)
def test_another_time_is_refused(text: str, reason: str) -> None:
    assert reason in faults(read(timestamp=text))["timestamp"]


def test_the_bodys_key_wins_and_must_not_differ_from_the_headers() -> None:
    same, only = read("k", idempotencyKey="k"), read("k")
    assert isinstance(same, Columns)
    assert same == only
    assert same.idempotency_key == ["k"]
    assert "idempotencyKey" in faults(read("other", idempotencyKey="k"))


@pytest.mark.parametrize("key", ["", "k" * 257])
def test_a_key_has_1_to_256_characters(key: str) -> None:
    assert "idempotencyKey" in faults(read(idempotencyKey=key))
    assert "idempotencyKey" in faults(read(key))


def test_properties_are_kept_in_one_spelling() -> None:
    spaced = read_text(
        b'{"type":"a.b","customerRef":"cus_1","units":1,"properties":{ "b" : 1.50, "a":{"y":2,"x":[1e3]}}}'
    )
    assert isinstance(spaced, Columns)
    assert spaced.properties == ['{"a":{"x":[1000],"y":2},"b":1.5}']
    nothing = read(properties=None)
    assert isinstance(nothing, Columns)
    assert nothing.properties == [None]


@pytest.mark.parametrize(
    "properties",
    [
        [],
        "text",
        {f"n{i}": i for i in range(65)},
        {"n" * 65: 1},
        {"": 1},
        {"a": {"b": {"c": {"d": {}}}}},
        {"a": "x" * 17_000},
        {"a": {"n" * 65: 1}},
    ],
)
def test_other_properties_are_refused(properties: object) -> None:
    assert any(path.startswith("properties") for path in faults(read(properties=properties)))


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b"null", ""),
        (b'{"units":NaN}', ""),
        (b'{"type":"\xff.b"}', ""),
        (b'{"type":5}', "type"),
        (b'{"customerRef":["cus_1"]}', "customerRef"),
        (b'{"timestamp":1}', "timestamp"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", ""),
    ],
)
def test_a_body_of_another_shape_is_refused_with_a_path(body: bytes, path: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        decode_event(body)
    assert [error.path for error in refused.value.errors] == [path]


def test_one_bad_event_of_a_bulk_costs_one_rejection() -> None:
    body = b'{"events":[{"type":"a.b"},{"type":1},7,{"units":' + b"1" * 5000 + b'},{"type":"c.d"}]}'
    events = decode_bulk(body)
    assert [type(event).__name__ for event in events] == [
        "EventBody", "Rejection", "Rejection", "Rejection", "EventBody",
    ]  # fmt: skip


def test_one_bad_line_costs_one_rejection_and_blank_lines_nothing() -> None:
    events = decode_lines(b'{"type":"a.b"}\n\n{oops\n{"type":"c.d"}\n')
    assert [type(event).__name__ for event in events] == ["EventBody", "Rejection", "EventBody"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "timestamp", "properties", "idempotencyKey"]), json_values))
def test_hostile_json_is_stored_or_refused_and_raises_nothing_else(fields: dict[str, Any]) -> None:
    try:
        outcome = read_text(msgspec.json.encode(GOOD | fields))
    except (ValidationFailed, UnicodeEncodeError):
        return
    assert isinstance(outcome, Columns | Rejection)


@given(st.binary())
def test_hostile_bytes_are_refused_and_raise_nothing_else(body: bytes) -> None:
    for decode in (decode_event, decode_bulk, decode_lines):
        try:
            decode(body)
        except ValidationFailed:
            continue


def test_the_sdks_own_time_is_kept_beside_the_callers() -> None:
    events = read(bufferedAt="2026-11-01T00:00:00.5Z")
    assert isinstance(events, Columns)
    assert (events.timestamp, events.buffered_at) == ([None], [1_793_491_200_500_000])
    given = read(timestamp="2026-11-01T01:00:00Z", bufferedAt="2026-11-01T00:00:00.5Z")
    assert given == read(timestamp="2026-11-01T01:00:00Z")


@pytest.mark.parametrize("text", ["2026-11-02T12:00:01Z", "now", "2026-11-01T00:00:00", ""])
def test_the_sdks_own_time_has_the_bounds_of_a_timestamp(text: str) -> None:
    assert list(faults(read(bufferedAt=text))) == ["bufferedAt"]
    assert faults(read(timestamp=text))["timestamp"] == faults(read(bufferedAt=text))["bufferedAt"]


def test_an_action_type_stands_in_for_the_type_and_one_unit_is_the_default() -> None:
    assert read(type=..., actionType="api_call", units=...) == read(type="usage.api_call", units=1)
    assert read(type=..., actionType="api_call", units=2.5) == read(type="usage.api_call", units=2.5)
    assert read(type="usage.token", actionType="api_call") == read(type="usage.token")
    assert list(faults(read(type=..., actionType="api call"))) == ["actionType"]
    assert list(faults(read(actionType="api_call", units=...))) == ["units"]
