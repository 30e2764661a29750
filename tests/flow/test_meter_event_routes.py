"""`POST /v1/sdk/meter-events` and its bulk (contract §3.1)."""

from typing import Any

import pytest

from meterhouse.wiring import Service
from tests.conftest import Client
from tests.flow.answers import error, faults, ok
from tests.flow.shop import CUSTOMER, PRODUCT, activate, balance, plan, usage_of, with_credits

URL = "/v1/sdk/meter-events"


async def total(client: Client, meter: str) -> Any:
    return ok(await client.get(f"/v1/meters/{meter}/usage"))["total"]


async def test_a_sum_meter_adds_exact_values_and_a_count_meter_counts_records(
    service: Service, client: Client
) -> None:
    for value in (0.1, 0.2, None):
        event = {"customerRef": CUSTOMER, "meterName": "tokens", "value": value}
        assert ok(await client.post(URL, json=event)) == {"success": True}
        ok(await client.post(URL, json=event | {"meterName": "requests"}))
    await service.catch_up()
    assert (await total(client, "mtr_tokens"), await total(client, "mtr_requests")) == (1.3, 3)


async def test_without_a_name_an_event_is_a_request(service: Service, client: Client) -> None:
    ok(await client.post(URL, json={"customerRef": CUSTOMER, "value": 5}))
    await service.catch_up()
    assert await total(client, "mtr_requests") == 1


async def test_a_bulk_takes_events_or_records(service: Service, client: Client) -> None:
    events = [{"customerRef": CUSTOMER, "meterName": "tokens", "value": 2}] * 3
    for name in ("events", "records"):
        done = ok(await client.post(f"{URL}/bulk", json={name: events}))
        assert done == {"success": True, "inserted": 3}
    await service.catch_up()
    assert await total(client, "mtr_tokens") == 12


async def test_decimals_use_up_limits_and_credits_exactly(client: Client) -> None:
    purchase = await with_credits(client, 100, creditsPerUnit=3, measures="tokens")
    event = {"customerRef": CUSTOMER, "productRef": PRODUCT, "meterName": "tokens", "value": 0.5}
    for _ in range(3):  # 1.5 units cost 4.5 credits: the half waits until it is whole
        ok(await client.post(URL, json=event))
    assert (await usage_of(client, purchase))["used"] == 1.5
    assert await balance(client) == 96
    ok(await client.post(URL, json=event))
    assert await balance(client) == 94


async def test_a_meter_with_filters_counts_its_part_of_anothers_events(
    service: Service, client: Client
) -> None:
    meter = {
        "reference": "mtr_eu", "name": "tokens:eu", "aggregation": "sum", "meterNames": ["tokens"],
        "properties": {"region": ["eu"]},
    }  # fmt: skip
    ok(await client.post("/v1/meters", json=meter), 201)
    purchase = (await activate(client, await plan(client, meterRef="mtr_eu", limit=10)))["purchaseRef"]
    event = {"customerRef": CUSTOMER, "productRef": PRODUCT, "meterName": "tokens", "value": 3}
    ok(await client.post(URL, json=event | {"properties": {"region": "eu"}}))
    ok(await client.post(URL, json=event | {"properties": {"region": "us"}}))
    assert (await usage_of(client, purchase))["used"] == 3
    await service.catch_up()
    assert (await total(client, "mtr_eu"), await total(client, "mtr_tokens")) == (3, 6)


async def test_an_archived_or_unknown_or_derived_meter_is_400(client: Client) -> None:
    made = ok(await client.post("/v1/meters", json={"name": "pages"}), 201)
    ok(await client.post("/v1/meters", json={"name": "few", "meterNames": ["tokens"]}), 201)
    ok(await client.post(f"/v1/meters/{made['reference']}/archive"))
    for name in ("pages", "never_made", "few"):
        event = {"customerRef": CUSTOMER, "meterName": name}
        refused = error(await client.post(URL, json=event), 400, "meter_archived")
        assert refused["message"] == "Invalid meter name or meter is archived."
        assert set(faults(await client.post(f"{URL}/bulk", json={"events": [event]}))) == {
            "events.0.meterName"
        }


async def test_an_unknown_customer_is_404_and_stores_nothing(client: Client) -> None:
    error(await client.post(URL, json={"customerRef": "cus_NONE"}), 404, "customer_not_found")
    events = [{"customerRef": CUSTOMER}, {"customerRef": "cus_NONE"}]
    refused = error(await client.post(f"{URL}/bulk", json={"events": events}), 404, "customer_not_found")
    assert refused["message"] == "One or more customers not found"
    assert ok(await client.get("/v1/ingest"))["total"]["stored"] == 0


async def test_a_key_counts_once_here_too(service: Service, client: Client) -> None:
    event = {"customerRef": CUSTOMER, "meterName": "tokens", "value": 4}
    for _ in range(3):
        ok(await client.post(URL, json=event, headers={"Idempotency-Key": "m"}))
    await service.catch_up()
    assert await total(client, "mtr_tokens") == 4


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"value": -1}, "value"),
        ({"value": "5"}, "value"),
        ({"value": 0.0000000001}, "value"),
        ({"value": 10**16}, "value"),
        ({"properties": 5}, "properties"),
        ({"customerRef": None}, "customerRef"),
        ({"timestamp": "yesterday"}, "timestamp"),
    ],
)
async def test_a_bad_event_is_refused_by_its_field(client: Client, wrong: dict[str, Any], field: str) -> None:
    body = {"customerRef": CUSTOMER, "meterName": "tokens"} | wrong
    assert set(faults(await client.post(URL, json=body))) == {field}


async def test_a_repeated_bulk_inserts_what_is_new(client: Client) -> None:
    events = [{"customerRef": CUSTOMER, "meterName": "tokens", "idempotencyKey": key} for key in ("a", "b")]
    assert ok(await client.post(f"{URL}/bulk", json={"events": events[:1]}))["inserted"] == 1
    assert ok(await client.post(f"{URL}/bulk", json={"events": events}))["inserted"] == 1
