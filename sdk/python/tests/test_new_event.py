"""An event is checked where it is made, and the error names every wrong field."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse_sdk import MeterhouseError, NewEvent, ValidationFailed
from meterhouse_sdk._new_event import from_line, to_line

texts = st.text(max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | texts,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3),
    max_leaves=12,
)


def exact(line: bytes) -> object:
    return json.loads(line, parse_float=Decimal)


def event(**fields: Any) -> NewEvent:  # Any: some are wrong on purpose
    plain: dict[str, Any] = {"type": "usage.api_call", "customer_ref": "cus_1", "units": 1}
    return NewEvent(**(plain | fields))


@pytest.mark.parametrize("type_", ["usage.api_call", "a.b", "ünïcode.日本", "a.b.c", "x-1._"])
def test_types_of_two_or_more_segments_are_taken(type_: str) -> None:
    assert event(type=type_).type == type_


@pytest.mark.parametrize(
    "type_", ["usage", "usage.", ".x", "a..b", "a. b", "a.b\n", "a.\u2003b", "a.\x7fb", "x" * 127 + ".y", 7]
)
def test_other_types_are_refused(type_: object) -> None:
    with pytest.raises(ValidationFailed):
        event(type=type_)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("customer_ref", ""),
        ("customer_ref", "c" * 21),
        ("customer_ref", None),
        ("customer_ref", "cus_\ud800"),
        ("product_ref", ""),
        ("idempotency_key", ""),
        ("idempotency_key", "k" * 257),
        ("timestamp", datetime(2026, 11, 1)),  # noqa: DTZ001 - a naive time is what is tested
        ("timestamp", datetime(1969, 12, 31, tzinfo=UTC)),
        ("timestamp", "2026-11-01T00:00:00Z"),
        ("buffered_at", datetime(2026, 11, 1)),  # noqa: DTZ001 - as above
        ("properties", ["no", "object"]),
        ("properties", {"": 1}),
        ("properties", {1: 1}),
        ("properties", {"n" * 65: 1}),
        ("properties", {str(i): i for i in range(65)}),
        ("properties", {"a": {"b": {"c": {"d": {}}}}}),
        ("properties", {"a": "x" * 16_384}),
        ("properties", {"a": float("nan")}),
        ("properties", {"a": [Decimal("Infinity")]}),
        ("properties", {"a": {1, 2}}),
        ("properties", {"a": "\ud800"}),
    ],
)
def test_a_wrong_value_is_refused_with_the_fields_name(field: str, value: object) -> None:
    with pytest.raises(ValidationFailed) as refused:
        event(**{field: value})
    assert [error.path for error in refused.value.errors] == [field]
    assert refused.value.status is None  # nothing was sent


def test_one_error_names_every_wrong_field() -> None:
    with pytest.raises(ValidationFailed, match=r"type: .*; customer_ref: .*; units: ") as refused:
        event(type="x", customer_ref="", units=-1)
    assert isinstance(refused.value, ValueError)
    assert isinstance(refused.value, MeterhouseError)


def test_a_time_travels_as_utc_whatever_its_zone() -> None:
    stockholm = timezone(timedelta(hours=1))
    assert b'"timestamp":"2026-11-01T11:30:00.000001Z"' in to_line(
        event(timestamp=datetime(2026, 11, 1, 12, 30, 0, 1, tzinfo=stockholm))
    )


def test_what_is_not_given_does_not_travel() -> None:
    assert to_line(event()) == b'{"type":"usage.api_call","customerRef":"cus_1","units":1}'


@given(json_values)
def test_any_properties_are_taken_whole_or_refused(value: object) -> None:
    try:
        made = event(properties={"value": value})
    except ValidationFailed:
        return
    again = from_line(to_line(made))
    assert again is not None
    assert exact(to_line(again)) == exact(to_line(made))


@given(st.binary(max_size=60), st.integers(0, 100))
def test_a_cut_or_damaged_line_is_never_an_event(garbage: bytes, cut: int) -> None:
    line = to_line(event(idempotency_key="k"))
    assert from_line(line[: min(cut, len(line) - 1)]) is None
    assert from_line(garbage) is None
