"""`POST /v1/sdk/usages` and its bulk, as the contract has them (§3.1, §4.4)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meterhouse.wiring import Service
from tests.conftest import Client
from tests.flow.answers import error, faults, ok
from tests.flow.shop import (
    CUSTOMER,
    FREE,
    PRODUCT,
    activate,
    balance,
    limits,
    plan,
    track,
    usage_of,
    with_credits,
)

URL = "/v1/sdk/usages"


async def test_a_customer_alone_is_a_whole_usage(service: Service, client: Client) -> None:
    done = ok(await client.post(URL, json={"customerRef": CUSTOMER}))
    assert done["success"] is True
    assert done["reference"].startswith("usage_")
    assert done["creditDebit"] == {"debited": False, "reason": "no_product_ref"}
    await service.catch_up()
    (event,) = ok(await client.get("/v1/events", params={"kind": "meter"}))["events"]
    assert (event["type"], event["units"], event["outcome"]) == ("usage.api_call", 1, "success")
    assert event["meterName"] == "requests"


async def test_a_usage_debits_units_times_credits_per_unit(client: Client) -> None:
    """Contract §4.4: 500 credits, 100 a unit, one unit."""
    await with_credits(client, 500)
    done = await track(client)
    assert done["creditDebit"] == {"debited": True, "amount": 100, "unitsRemaining": 4}
    assert await balance(client) == 400


async def test_debits_of_a_bulk_are_applied_one_after_the_other(client: Client) -> None:
    """Contract §4.4: 300 credits, two units of 100 each."""
    await with_credits(client, 300)
    events = [{"customerRef": CUSTOMER, "productRef": PRODUCT}] * 2
    done = ok(await client.post(f"{URL}/bulk", json={"events": events}))
    assert (done["success"], done["inserted"]) == (True, 2)
    assert [each["creditDebit"]["unitsRemaining"] for each in done["results"]] == [2, 1]
    assert await balance(client) == 100


async def test_a_balance_is_debited_down_to_zero_and_the_usage_counts_in_full(client: Client) -> None:
    purchase = await with_credits(client, 150)
    done = await track(client, units=3)
    assert done["creditDebit"] == {"debited": True, "amount": 150, "unitsRemaining": 0}
    assert await balance(client) == 0
    assert (await usage_of(client, purchase))["used"] == 3


@pytest.mark.parametrize("outcome", ["fail", "paywall"])
async def test_what_was_no_success_consumes_nothing_and_is_still_seen(
    service: Service, client: Client, outcome: str
) -> None:
    purchase = await with_credits(client, 500)
    done = await track(client, outcome=outcome, errorMessage="it broke", duration=12)
    assert "creditDebit" not in done
    assert await balance(client) == 500
    assert (await usage_of(client, purchase))["used"] == 0
    await service.catch_up()
    (event,) = ok(await client.get("/v1/events", params={"kind": "meter"}))["events"]
    assert (event["outcome"], event["errorMessage"], event["duration"]) == (outcome, "it broke", 12)
    meter = ok(await client.get("/v1/meters/mtr_requests/usage"))
    assert meter["total"] == 0


async def test_a_repeat_has_the_first_reference_and_counts_once(client: Client) -> None:
    purchase = await with_credits(client, 500)
    first = await track(client, idempotencyKey="k", units=2)
    again = await track(client, idempotencyKey="k", units=2.0, timestamp=None, duration=5)
    assert again["reference"] == first["reference"]
    assert again["creditDebit"] == {"debited": False, "reason": "duplicate"}
    assert (await usage_of(client, purchase))["used"] == 2
    assert await balance(client) == 300


async def test_the_header_is_a_key_as_the_bodys_field_is(client: Client) -> None:
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT}
    first = ok(await client.post(URL, json=body, headers={"Idempotency-Key": "h"}))
    assert ok(await client.post(URL, json=body | {"idempotencyKey": "h"}))["reference"] == first["reference"]
    both = await client.post(URL, json=body | {"idempotencyKey": "x"}, headers={"Idempotency-Key": "h"})
    assert set(faults(both)) == {"idempotencyKey"}


async def test_a_key_with_another_meaning_is_refused_and_stores_nothing(client: Client) -> None:
    await track(client, idempotencyKey="k", units=2)
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT, "idempotencyKey": "k", "units": 3}
    error(await client.post(URL, json=body), 409, "idempotency_conflict")
    bulk = {"events": [{"customerRef": CUSTOMER}, body]}
    error(await client.post(f"{URL}/bulk", json=bulk), 409, "idempotency_conflict")
    tally = ok(await client.get("/v1/ingest"))["total"]
    assert tally["received"] == tally["stored"] + tally["duplicates"] + tally["rejected"]
    assert tally["stored"] == 1


async def test_one_key_serves_a_usage_event_and_a_meter_event(client: Client) -> None:
    event = {"type": "usage.api_call", "customerRef": CUSTOMER, "units": 1, "idempotencyKey": "r1"}
    ok(await client.post("/v1/sdk/events", json=event), 201)
    assert (await track(client, idempotencyKey="r1"))["creditDebit"]["reason"] == "no_active_purchase"


async def test_an_unknown_customer_is_stored_as_received_and_attributed_to_nobody(
    service: Service, client: Client
) -> None:
    done = ok(await client.post(URL, json={"customerRef": "anonymous", "productRef": PRODUCT}))
    assert done["creditDebit"] == {"debited": False, "reason": "customer_not_found"}
    await service.catch_up()
    (event,) = ok(await client.get("/v1/events", params={"kind": "meter"}))["events"]
    assert (event["customerRef"], "purchaseRef" in event) == ("anonymous", False)


async def test_each_skip_says_why(client: Client) -> None:
    assert (await track(client, productRef=None))["creditDebit"]["reason"] == "no_product_ref"
    assert (await track(client))["creditDebit"]["reason"] == "no_active_purchase"
    assert (await track(client, productRef="prd_NONE"))["creditDebit"]["reason"] == "no_active_purchase"
    assert (await track(client, purchaseRef="pur_NONE"))["creditDebit"]["reason"] == "no_active_purchase"
    await activate(client, await plan(client, **FREE))
    assert (await track(client))["creditDebit"]["reason"] == "plan_not_credit_based"


async def test_a_purchase_can_be_pinned_without_naming_its_product(client: Client) -> None:
    purchase = await with_credits(client, 500)
    done = await track(client, productRef=None, purchaseRef=purchase)
    assert done["creditDebit"]["amount"] == 100
    assert (await usage_of(client, purchase))["used"] == 1


async def test_a_usage_is_recorded_on_the_meter_it_names_or_on_the_plans(
    service: Service, client: Client
) -> None:
    purchase = (await activate(client, await plan(client, measures="tokens", limit=1000)))["purchaseRef"]
    await track(client, units=7)
    await track(client, units=5, meterName="tokens")
    await track(
        client, units=3, meterName="never_made"
    )  # counted as a request, which the plan does not limit
    assert (await usage_of(client, purchase))["used"] == 12
    assert (await limits(client))["meterName"] == "tokens"
    await service.catch_up()
    totals = {
        name: ok(await client.get(f"/v1/meters/mtr_{name}/usage"))["total"] for name in ("tokens", "requests")
    }
    assert totals == {"tokens": 12, "requests": 3}


async def test_a_late_usage_counts_where_it_happened_and_one_from_before_the_purchase_nowhere(
    client: Client,
) -> None:
    purchase = (await activate(client, await plan(client, **FREE)))["purchaseRef"]
    earlier = datetime.now(UTC) - timedelta(hours=1)
    done = await track(client, timestamp=earlier.isoformat())
    assert done["creditDebit"]["reason"] == "no_active_purchase"
    assert (await usage_of(client, purchase))["used"] == 0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"customerRef": None}, "customerRef"),
        ({"customerRef": ""}, "customerRef"),
        ({"customerRef": "c" * 21}, "customerRef"),
        ({"productRef": "p" * 21}, "productRef"),
        ({"purchaseRef": "p" * 21}, "purchaseRef"),
        ({"units": 1.5}, "units"),
        ({"units": -1}, "units"),
        ({"units": 100_001}, "units"),
        ({"units": "5"}, "units"),
        ({"units": True}, "units"),
        ({"actionType": "walk"}, "actionType"),
        ({"outcome": "maybe"}, "outcome"),
        ({"timestamp": "2199-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": "2026-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": "2026-11-01T00:00:00"}, "timestamp"),
        ({"duration": -1}, "duration"),
        ({"duration": "5"}, "duration"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
        ({"idempotencyKey": "k" * 257}, "idempotencyKey"),
        ({"description": "d" * 1001}, "description"),
        ({"metadata": [1]}, "metadata"),
    ],
)
async def test_a_bad_usage_is_refused_by_its_field(client: Client, wrong: dict[str, Any], field: str) -> None:
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT} | wrong
    assert set(faults(await client.post(URL, json=body))) == {field}
    bulk = await client.post(f"{URL}/bulk", json={"events": [{"customerRef": CUSTOMER}, body]})
    assert set(faults(bulk)) == {f"events.1.{field}"}
    assert ok(await client.get("/v1/ingest"))["total"]["stored"] == 0


@pytest.mark.parametrize("events", [[], None, [{"customerRef": CUSTOMER}] * 1001])
async def test_a_bulk_has_1_to_1000_usages(client: Client, events: Any) -> None:
    assert set(faults(await client.post(f"{URL}/bulk", json={"events": events}))) == {"events"}


async def test_integral_floats_are_whole_and_unknown_fields_are_ignored(client: Client) -> None:
    await with_credits(client, 500)
    done = await track(client, units=2.0, planRef="pln_X", usageType="requests", amount=3)
    assert done["creditDebit"]["amount"] == 200


async def test_an_archived_meter_takes_no_new_events(client: Client) -> None:
    made = ok(await client.post("/v1/meters", json={"name": "pages", "aggregation": "sum"}), 201)
    await track(client, meterName="pages")
    ok(await client.post(f"/v1/meters/{made['reference']}/archive"))
    body = {"customerRef": CUSTOMER, "meterName": "pages"}
    assert set(faults(await client.post(URL, json=body))) == {"meterName"}


@pytest.mark.parametrize("duration", ["1e99999999", "1e-99999999", "1000000000000001"])
async def test_a_duration_that_nobody_could_write_out_is_refused(client: Client, duration: str) -> None:
    body = f'{{"customerRef":"{CUSTOMER}","duration":{duration}}}'
    assert set(faults(await client.post(URL, content=body))) == {"duration"}


async def test_a_value_of_the_wrong_kind_in_a_bulk_names_its_place(client: Client) -> None:
    body = {"events": [{"customerRef": CUSTOMER}, {"customerRef": 5}]}
    assert set(faults(await client.post(f"{URL}/bulk", json=body))) == {"events.1.customerRef"}
