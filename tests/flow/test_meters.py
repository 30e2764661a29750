"""Meters over HTTP, and what those over usage events count. For meter events see test_meter_events."""

from typing import Any

import pytest

from meterhouse.wiring import Service
from tests.conftest import Client
from tests.flow.answers import error, faults, ok, without_request_id

URL = "/v1/meters"
CUSTOMER = "cus_3C4D5E6F"
TOKENS: dict[str, Any] = {
    "name": "llm:tokens",
    "kind": "usage",
    "aggregation": "sum",
    "eventTypes": ["usage.token"],
}
SPAN = {"from": "2026-11-01", "to": "2026-11-04"}


async def publish(service: Service, client: Client, *events: dict[str, Any]) -> None:
    defaults = {"type": "usage.token", "customerRef": CUSTOMER, "timestamp": "2026-11-01T12:00:00Z"}
    answer = ok(await client.post("/v1/sdk/events/bulk", json={"events": [defaults | e for e in events]}))
    assert answer["rejected"] == 0, answer
    await service.catch_up()


async def make(client: Client, **meter: Any) -> dict[str, Any]:
    made: dict[str, Any] = ok(await client.post(URL, json=TOKENS | meter), 201)
    return made


async def values(client: Client, meter: dict[str, Any], **parameters: Any) -> list[Any]:
    answer = ok(await client.get(f"{URL}/{meter['reference']}/usage", params=SPAN | parameters))
    return [point["value"] for point in answer["data"]]


async def test_a_meter_says_what_it_was_made_with(client: Client) -> None:
    made = await make(client, properties={"region": ["us", "eu", "eu"]}, unit="tokens")
    assert made["reference"].startswith("mtr_")
    assert {name: made[name] for name in ("name", "displayName", "aggregation", "unit", "status")} == {
        "name": "llm:tokens", "displayName": "llm:tokens", "aggregation": "sum", "unit": "tokens",
        "status": "active",
    }  # fmt: skip
    assert (made["eventTypes"], made["properties"]) == (["usage.token"], {"region": ["eu", "us"]})
    assert ok(await client.get(f"{URL}/{made['reference']}")) == made
    assert (made["kind"], made["isDefault"], made["meterNames"]) == ("usage", False, [])
    assert ok(await client.get(URL, params={"kind": "usage"})) == {"meters": [made]}


async def test_one_event_feeds_every_meter_that_counts_it(service: Service, client: Client) -> None:
    await publish(
        service,
        client,
        {"units": 0.1, "properties": {"region": "eu"}},
        {"units": 0.2, "properties": {"region": "us"}, "timestamp": "2026-11-03T00:00:00Z"},
        {"units": 99, "type": "usage.api_call"},
    )
    everywhere = await make(client)  # made afterwards: it counts what was before
    in_europe = await make(client, name="tokens:eu", properties={"region": ["eu"]})
    of_any_type = await make(client, name="everything", aggregation="count", eventTypes=[])
    assert await values(client, everywhere) == [0.1, 0, 0.2]
    assert await values(client, in_europe) == [0.1, 0, 0]
    assert await values(client, of_any_type) == [2, 0, 1]
    answer = ok(await client.get(f"{URL}/{everywhere['reference']}/usage", params=SPAN))
    assert answer["total"] == 0.3
    assert (answer["granularity"], answer["timezone"]) == ("day", "UTC")
    assert answer["data"][0] == {"timestamp": "2026-11-01T00:00:00Z", "value": 0.1}


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [("count", 3), ("sum", 9), ("max", 5), ("min", 1), ("avg", 3), ("latest", 3), ("unique", 1)],
)
async def test_a_meter_aggregates_as_it_says(
    service: Service, client: Client, aggregation: str, expected: int
) -> None:
    times = ["2026-11-01T10:00:00Z", "2026-11-01T11:00:00Z", "2026-11-01T12:00:00Z"]
    events = ({"units": n, "timestamp": at} for n, at in zip((1, 5, 3), times, strict=True))
    await publish(service, client, *events)
    meter = await make(client, aggregation=aggregation)
    empty = 0 if aggregation in ("count", "sum") else None
    assert await values(client, meter) == [expected, empty, empty]


async def test_a_meter_can_be_asked_for_some_customers(service: Service, client: Client) -> None:
    other = ok(await client.post("/v1/sdk/customers", json={"email": "b@example.com"}), 201)["reference"]
    await publish(service, client, {"units": 1}, {"units": 10, "customerRef": other})
    meter = await make(client)
    assert await values(client, meter, customerRef=other) == [10, 0, 0]
    assert await values(client, meter, customerId=CUSTOMER) == [1, 0, 0]
    assert await values(client, meter, customerRef=[CUSTOMER, other], granularity="week") == [11, 0]


async def test_a_meter_can_be_asked_for_some_products(service: Service, client: Client) -> None:
    await publish(service, client, {"units": 1}, {"units": 10, "productRef": "prd_content_api"})
    meter = await make(client)
    assert await values(client, meter, productRef="prd_content_api") == [10, 0, 0]
    assert await values(client, meter, productRef=["prd_content_api", "prd_ai_assistant"]) == [10, 0, 0]


async def test_the_default_meters_are_there_come_first_and_stay(client: Client) -> None:
    await make(client, name="a_first_name")
    listed = ok(await client.get(URL))["meters"]
    assert [(each["reference"], each["isDefault"]) for each in listed] == [
        ("mtr_api_calls", True), ("mtr_api_requests", True), ("mtr_requests", True), ("mtr_tokens", True),
        (listed[-1]["reference"], False),
    ]  # fmt: skip
    assert ok(await client.get(URL, params={"kind": "meter"}))["meters"] == listed[:-1]
    error(await client.post(f"{URL}/mtr_tokens/archive"), 409, "default_meter")
    assert ok(await client.get(f"{URL}/mtr_tokens")) == listed[3]


async def test_a_meter_is_over_meter_events_unless_it_says_usage(client: Client) -> None:
    made = ok(await client.post(URL, json={"name": "chat", "meterNames": ["tokens", "requests"]}), 201)
    assert (made["kind"], made["meterNames"]) == ("meter", ["requests", "tokens"])
    assert (made["aggregation"], made["eventTypes"]) == ("count", [])


async def test_a_meter_without_events_is_zero_and_no_error(client: Client) -> None:
    meter = await make(client)
    assert await values(client, meter) == [0, 0, 0]
    assert ok(await client.get(f"{URL}/{meter['reference']}/usage"))["data"] == []


async def test_how_a_meter_is_shown_changes_and_what_it_counts_does_not(client: Client) -> None:
    made = await make(client)
    url = f"{URL}/{made['reference']}"
    after = ok(await client.put(url, json={"displayName": "LLM tokens", "unit": "t"}))
    assert (after["displayName"], after["unit"], after["aggregation"]) == ("LLM tokens", "t", "sum")
    assert ok(await client.put(url, json={"displayName": ""}))["displayName"] == "llm:tokens"


async def test_an_archived_meter_answers_and_keeps_its_name(service: Service, client: Client) -> None:
    await publish(service, client, {"units": 2})
    made = await make(client)
    archived = ok(await client.post(f"{URL}/{made['reference']}/archive"))
    assert archived["status"] == "archived"
    assert ok(await client.post(f"{URL}/{made['reference']}/archive")) == archived
    assert await values(client, made) == [2, 0, 0]
    active = ok(await client.get(URL, params={"status": "active"}))["meters"]
    assert all(each["isDefault"] for each in active)
    assert ok(await client.get(URL, params={"status": "archived"}))["meters"] == [archived]
    error(await client.post(URL, json=TOKENS), 409, "meter_name_exists")


async def test_a_repeat_with_its_key_makes_no_second_meter(client: Client) -> None:
    headers = {"Idempotency-Key": "m1"}
    first = ok(await client.post(URL, json=TOKENS, headers=headers), 201)
    assert ok(await client.post(URL, json=TOKENS, headers=headers), 201) == first
    other = await client.post(URL, json=TOKENS | {"name": "other"}, headers=headers)
    error(other, 409, "idempotency_conflict")


async def test_a_meter_of_another_scope_is_as_one_that_never_was(client: Client, live: Client) -> None:
    made = await make(client)
    for method, path in (("GET", ""), ("GET", "/usage"), ("POST", "/archive")):
        theirs = await live.request(method, f"{URL}/{made['reference']}{path}")
        never = await live.request(method, f"{URL}/mtr_NONE{path}")
        error(theirs, 404, "meter_not_found")
        assert without_request_id(theirs) == without_request_id(never)
    assert made not in ok(await live.get(URL))["meters"]


@pytest.mark.parametrize(
    ("meter", "field"),
    [
        ({"name": None}, "name"),
        ({"name": "has space"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"aggregation": "median"}, "aggregation"),
        ({"eventTypes": [""]}, "eventTypes.0"),
        ({"eventTypes": ["x" * 129]}, "eventTypes.0"),
        ({"properties": {"region": []}}, "properties.region"),
        ({"properties": {"region": "eu"}}, "properties"),
        ({"properties": {"": ["eu"]}}, "properties"),
        ({"unit": "u" * 51}, "unit"),
        ({"reference": "cus_1"}, "reference"),
        ({"kind": "all"}, "kind"),
        ({"meterNames": ["tokens"]}, "meterNames"),
        ({"kind": "meter", "meterNames": ["tokens"] * 101}, "meterNames"),
        ({"kind": "meter", "meterNames": ["tokens", "nobody"]}, "meterNames.1"),
    ],
)
async def test_a_bad_meter_is_refused_by_its_field(client: Client, meter: dict[str, Any], field: str) -> None:
    refused = faults(await client.post(URL, json=TOKENS | meter))
    assert list(refused) == [field]


@pytest.mark.parametrize(
    "name", ["type", "groupBy", "properties.region", "aggregate", "limit", "meterName", "outcome", "kind"]
)
async def test_what_a_meter_counts_cannot_be_asked_away(client: Client, name: str) -> None:
    made = await make(client)
    refused = await client.get(f"{URL}/{made['reference']}/usage", params={name: "x"})
    assert set(faults(refused)) == {name}


async def test_every_write_is_in_the_audit(client: Client) -> None:
    made = await make(client)
    await client.put(f"{URL}/{made['reference']}", json={"unit": "t"})
    await client.post(f"{URL}/{made['reference']}/archive")
    entries = ok(await client.get("/v1/audit"))["entries"]
    assert [each["action"] for each in entries[:3]] == ["meter.archived", "meter.updated", "meter.created"]
