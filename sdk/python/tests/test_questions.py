"""Questions and their answers, through a transport that is a plain function."""

from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from meterhouse_sdk import (
    AsyncMeterhouse,
    EventNotFound,
)
from sdk.python.tests.stand_in import KEY, blocking, problem

EVENT = {
    "eventId": "evt_1",
    "kind": "usage",
    "type": "a.b",
    "customerRef": "cus_1",
    "productRef": None,
    "units": 0.1,
    "timestamp": "2026-11-01T00:00:00Z",
    "receivedAt": "2026-11-01T00:00:01.5Z",
    "idempotencyKey": None,
    "properties": {"ratio": 0.25},
}


def pages(request: httpx.Request) -> httpx.Response:
    """Three pages of two events."""
    number = int(request.url.params.get("cursor", "0"))
    events = [EVENT | {"eventId": f"evt_{number}{i}"} for i in range(2)]
    return httpx.Response(
        200, json={"events": events, "nextCursor": None if number == 2 else str(number + 1)}
    )


def test_events_come_page_by_page_and_only_as_far_as_one_reads() -> None:
    asked: list[httpx.QueryParams] = []

    def server(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params)
        return pages(request)

    client, _ = blocking(server)
    events = client.events(type=["a.b", "c.d"], properties={"n": [1, True, Decimal("1E+2")]}, page_events=2)
    assert asked == []
    assert [next(events).event_id, next(events).event_id] == ["evt_00", "evt_01"]
    assert len(asked) == 1
    assert [event.event_id for event in events] == ["evt_10", "evt_11", "evt_20", "evt_21"]
    assert asked[0].get_list("type") == ["a.b", "c.d"]
    assert asked[0].get_list("properties.n") == ["1", "true", "100"]
    assert [params.get("cursor") for params in asked] == [None, "1", "2"]


async def test_async_events_come_page_by_page_too() -> None:
    async with AsyncMeterhouse(KEY, "http://h", transport=httpx.MockTransport(pages)) as client:
        found = [event async for event in client.events()]
    assert len(found) == 6
    assert found[0].units == Decimal("0.1")
    assert found[0].properties == {"ratio": Decimal("0.25")}


def test_an_event_that_is_not_there() -> None:
    client, _ = blocking(lambda _: problem(404, "event_not_found"))
    with pytest.raises(EventNotFound):
        client.event("evt_0")


def test_a_question_travels_whole_and_its_answer_names_things_as_python_does() -> None:
    asked: list[httpx.URL] = []
    answer = (
        '{"from":"2026-11-01T00:00:00Z","to":null,"granularity":"day","timezone":"Europe/Stockholm",'
        '"aggregate":"max","groupBy":["customerRef","properties.model"],"total":0.30000000000000001,"series":['
        '{"group":{"customerRef":"cus_1","properties.model":"m"},"total":1,"points":'
        '[{"start":"2026-11-01T00:00:00Z","value":1.5},{"start":"2026-11-02T00:00:00Z","value":null}]},'
        '{"group":{"other":true},"total":2}]}'
    )

    def server(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, text=answer)

    usage = blocking(server)[0].usage(
        from_=datetime(2026, 11, 1, tzinfo=UTC),
        granularity="day",
        timezone="Europe/Stockholm",
        group_by=["customer_ref", "properties.model"],
        aggregate="max",
        top=5,
        customer_ref="cus_1",
        kind="all",
    )
    assert sorted(asked[0].params.multi_items()) == [
        ("aggregate", "max"),
        ("customerRef", "cus_1"),
        ("from", "2026-11-01T00:00:00+00:00"),
        ("granularity", "day"),
        ("groupBy", "customerRef"),
        ("groupBy", "properties.model"),
        ("kind", "all"),
        ("timezone", "Europe/Stockholm"),
        ("top", "5"),
    ]
    assert usage.total == Decimal("0.30000000000000001")
    assert usage.group_by == ("customer_ref", "properties.model")
    assert usage.series[0].group == {"customer_ref": "cus_1", "properties.model": "m"}
    assert [point.value for point in usage.series[0].points] == [Decimal("1.5"), None]
    assert [series.other for series in usage.series] == [False, True]
    assert usage.from_ == datetime(2026, 11, 1, tzinfo=UTC)


def test_a_naive_time_in_a_question_is_refused() -> None:
    client, _ = blocking(lambda _: httpx.Response(500))
    with pytest.raises(ValueError, match="from_ must be aware"):
        client.usage(from_=datetime(2026, 11, 1))  # noqa: DTZ001 - that is the point
