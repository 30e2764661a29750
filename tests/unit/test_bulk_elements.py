"""An element of a bulk that is not valid JSON costs that element, and never the bulk."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.ingest.body import EventBody
from meterhouse.ingest.bulk import MAX_BULK_EVENTS, elements_of
from meterhouse.ingest.decode import decode_bulk
from meterhouse.ingest.usage_decode import decode_meter_events, decode_usages
from meterhouse.model.errors import PayloadTooLarge, ValidationFailed
from meterhouse.model.event import Rejection

GOOD = b'{"type":"usage.call","customerRef":"cus_1","units":1}'
BAD = (
    b'{"properties":{"prompt":"hi \\ud83d"}}',
    b'{"properties":{"prompt":"\\udc00 hi"}}',
    b'{"properties":{"prompt":"\\q"}}',
    b'{"properties":{"prompt":"a\nb"}}',
    b'{"units":01}',
    b'{"units":NaN}',
    b'{"units":1.}',
    b'{"units":1,}',
    b'{"units" 1}',
    b"nonsense",
    b'"text"',
    b"[1]",
    b'{"properties":{"prompt":"\\ud83d"},"nested":' + b"[" * 2_000 + b"]" * 2_000 + b"}",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_event_is_one_rejection_among_good_ones(bad: bytes) -> None:
    bodies = decode_bulk(
        b'{"source":"[,]","events":[' + b" ,\n".join((GOOD, bad, GOOD)) + b'],"more":{"events":[]}}'
    )
    assert [type(body) for body in bodies] == [EventBody, Rejection, EventBody]


@pytest.mark.parametrize("bad", BAD)
def test_a_bulk_that_is_stored_whole_names_the_bad_record(bad: bytes) -> None:
    for decode, name in (
        (decode_usages, "events"),
        (decode_meter_events, "events"),
        (decode_meter_events, "records"),
    ):
        with pytest.raises(ValidationFailed) as raised:
            decode(f'{{"{name}":['.encode() + b"{}," + bad + b"]}")
        assert raised.value.errors[0].path.startswith(f"{name}.1"), (bad, raised.value.errors)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"events":[',
        b'{"events":[{}]',
        b'{"events":[{}]}}',
        b'{"events":[{}]} {}',
        b'{"events":[{}} ]',
        b'{"events":[{},]}',
        b'{"events":[,{}]}',
        b'{"events":[{}],"events":[{}]}',
        b'{"events" [{}]}',
        b'{"events":[{"a":"]}',
        b'{"other":[{}]}',
        b'{"in":{"events":[{}]}}',
        b'{"events":[{}], nonsense}',
        b'{"events":' + b"[" * 100_000,
        b'{"events":["\\ud83d",[' + b"[]," * 1_000_000 + b"[]]]}",
    ],
)
def test_a_text_that_is_broken_around_the_events_has_no_elements(body: bytes) -> None:
    assert elements_of(body, "events") is None


@given(st.lists(JSON, min_size=1, max_size=6), st.dictionaries(st.text(), JSON, max_size=3), st.booleans())
def test_the_elements_of_valid_json_are_those_that_a_parser_finds(
    values: list[Any],
    others: dict[str, Any],
    ascii_only: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    others.pop("events", None)
    text = json.dumps({**others, "events": values, "last": [others]}, ensure_ascii=ascii_only, indent=1)
    found = elements_of(text.encode("utf-8", "surrogatepass"), "events")
    assert found is not None
    assert [json.loads(each) for each in found] == values


def test_more_elements_than_a_bulk_takes_are_not_gone_through() -> None:
    body = b'{"events":[' + b"0," * MAX_BULK_EVENTS + b"x]}"
    with pytest.raises(PayloadTooLarge):
        elements_of(body, "events")
