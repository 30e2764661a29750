"""Many events in few requests, each with its own result."""

import gzip
import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse_sdk import (
    AsyncMeterhouse,
    BulkResult,
    EventFields,
    Meterhouse,
    NewEvent,
    ServerError,
    UnexpectedAnswer,
    ValidationFailed,
)
from meterhouse_sdk import _publish as publish
from sdk.python.tests.stand_in import StandIn


def event(number: int = 0, **fields: Any) -> NewEvent:  # Any: fields of an event
    return NewEvent(type="usage.api_call", customer_ref="cus_1", units=number, **fields)


def test_results_come_in_the_order_of_the_events() -> None:
    stand_in = StandIn()
    stand_in.unknown = {"cus_bad"}
    plain: EventFields = {"type": "a.b", "customer_ref": "cus_bad", "units": 1}
    result = stand_in.client().create_events(
        [event(1, idempotency_key="k1"), plain, event(2), event(1, idempotency_key="k1")]
    )
    assert [each.status for each in result.results] == ["stored", "rejected", "stored", "duplicate"]
    assert (result.stored, result.duplicates, result.rejected) == (2, 1, 1)
    assert result.results[1].event_id is None
    assert result.results[1].code == "customer_not_found"
    assert [str(error) for error in result.results[1].errors] == ["customerRef: Customer not found"]


def test_every_event_without_a_key_gets_one() -> None:
    stand_in = StandIn()
    stand_in.client().create_events(event(i) for i in range(3))
    assert len(stand_in.events) == 3


def test_more_than_a_request_takes_goes_in_several() -> None:
    stand_in = StandIn()
    result = stand_in.client().create_events([event(i) for i in range(10_001)])
    assert stand_in.batches == [10_000, 1]
    assert result.stored == 10_001
    assert [each["units"] for each in stand_in.events.values()] == list(range(10_001))


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=30))
def test_parts_keep_every_line_in_order_and_fit(lines: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:  # bounds as small as the examples
        patch.setattr(publish, "MAX_BULK_BYTES", 20)
        patch.setattr(publish, "MAX_BULK_EVENTS", 4)
        parts = list(publish.split(lines))
    assert [line for part in parts for line in part] == lines
    assert all(0 < len(part) <= 4 and sum(map(len, part)) + len(part) <= 20 for part in parts)


def test_nothing_is_nothing() -> None:
    stand_in = StandIn()
    assert stand_in.client().create_events([]) == BulkResult(stored=0, duplicates=0, rejected=0, results=())
    assert stand_in.batches == []


def test_a_large_body_is_compressed_and_a_small_one_is_not() -> None:
    seen: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        body = request.content
        lines = (gzip.decompress(body) if "content-encoding" in request.headers else body).splitlines()
        return httpx.Response(200, json={"stored": 0, "duplicates": 0, "rejected": 0, "results": [
            {"status": "stored", "eventId": json.loads(line)["idempotencyKey"]} for line in lines
        ]})  # fmt: skip

    client = Meterhouse("sk_1", "http://h", transport=httpx.MockTransport(server))
    client.create_events([event()])
    client.create_events([event(i) for i in range(1000)])
    assert [request.headers.get("content-encoding") for request in seen] == [None, "gzip"]
    assert {request.headers["content-type"] for request in seen} == {"application/x-ndjson"}
    assert len(seen[1].content) < 60_000


def test_a_malformed_event_is_named_by_its_place_and_none_is_sent() -> None:
    stand_in = StandIn()
    client = stand_in.client()
    good: EventFields = {"type": "a.b", "customer_ref": "cus_1", "units": 1}
    with pytest.raises(ValidationFailed, match="must not be negative") as refused:
        client.create_events([good, good | {"units": -1}])
    assert [error.path for error in refused.value.errors] == ["events.1.units"]
    for wrong in (good | {"unit": 1}, {"type": "a.b"}, good | {"units": 0.5}):
        with pytest.raises(TypeError, match=r"^events\.1: "):
            client.create_events([good, wrong])  # type: ignore[list-item]  # that is the point
    assert stand_in.sent == {}


def test_after_a_failure_the_error_has_every_event_and_sending_them_again_is_safe() -> None:
    stand_in = StandIn()
    requests = 0

    def server(request: httpx.Request) -> httpx.Response:
        nonlocal requests
        requests += 1
        if requests == 2:
            return httpx.Response(500)
        return stand_in._handle(request)

    client = Meterhouse("sk_1", "http://h", max_retries=0, transport=httpx.MockTransport(server))
    with pytest.raises(ServerError) as failed:
        client.create_events([event(i) for i in range(10_002)])
    assert len(stand_in.events) == 10_000
    again = client.create_events(failed.value.events)
    assert (again.stored, again.duplicates) == (2, 10_000)
    assert len(stand_in.events) == 10_002


def test_results_that_do_not_match_the_events_are_not_believed() -> None:
    answer = {"stored": 0, "duplicates": 0, "rejected": 0, "results": []}
    client = Meterhouse(
        "sk_1", "http://h", transport=httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    )
    with pytest.raises(UnexpectedAnswer, match="1 events were sent, 0 results"):
        client.create_events([event()])


async def test_the_async_client_sends_bulks_too() -> None:
    stand_in = StandIn()
    transport = httpx.MockTransport(stand_in._handle)
    async with AsyncMeterhouse("sk_1", "http://h", transport=transport) as client:
        result = await client.create_events([NewEvent(type="a.b", customer_ref="c", units=Decimal("0.3"))])
    assert result.stored == 1
