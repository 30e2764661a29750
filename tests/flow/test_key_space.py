"""`/usages`, `/meter-events`, their bulks and settle share their keys; other things have their own."""

import asyncio

import httpx
import pytest

from meterhouse.wiring import Service
from tests.conftest import Client
from tests.flow.answers import error, ok
from tests.flow.shop import CUSTOMER, FREE, PRODUCT, activate, plan, reserve, track, usage_of

ROUTES = ("usages", "usages/bulk", "meter-events", "meter-events/bulk", "settle")
SAME_MEANING = ({"usages", "usages/bulk"}, {"meter-events", "meter-events/bulk"})
"""One unit of these is the same by either route; `/meter-events` and `/usages` have types of their own."""


@pytest.fixture
async def purchase(client: Client) -> str:
    ref = await plan(client, **FREE | {"limit": 1_000})
    return str((await activate(client, ref))["purchaseRef"])


async def send(client: Client, route: str, key: str) -> httpx.Response:
    """Record one unit by a route, under a key; a settle settles a hold of its own."""
    if route == "settle":
        hold = await reserve(client, 1)
        url = f"/v1/sdk/holds/{hold['holdRef']}/settle"
        return await client.post(url, json={"units": 1, "idempotencyKey": key})
    event = {"customerRef": CUSTOMER, "productRef": PRODUCT, "idempotencyKey": key}
    return await client.post(f"/v1/sdk/{route}", json={"events": [event]} if "bulk" in route else event)


async def counted(client: Client, purchase: str) -> tuple[int, dict[str, int]]:
    """What the purchase has used, and what the tally says became of all that came."""
    tally = ok(await client.get("/v1/ingest"))["total"]
    assert tally["received"] == tally["stored"] + tally["duplicates"] + tally["rejected"]
    return (await usage_of(client, purchase))["used"], tally


@pytest.mark.parametrize("first", ROUTES)
async def test_a_key_that_was_used_on_one_route_is_taken_on_every_other(
    client: Client, purchase: str, first: str
) -> None:
    for stored, second in enumerate(ROUTES, 1):
        key = f"{first}, then {second}"
        ok(await send(client, first, key))
        before, tally_before = await counted(client, purchase)
        again = await send(client, second, key)
        after, tally = await counted(client, purchase)
        assert (before, after, tally["stored"]) == (stored, stored, stored), key
        if any({first, second} <= alike for alike in SAME_MEANING):
            ok(again)
            assert tally["duplicates"] == tally_before["duplicates"] + 1, key
        else:
            error(again, 409, "idempotency_conflict")


async def test_a_settle_that_is_refused_for_its_key_leaves_its_hold_open(
    client: Client, purchase: str
) -> None:
    ok(await send(client, "usages", "k"))
    error(await send(client, "settle", "k"), 409, "idempotency_conflict")
    assert (await usage_of(client, purchase))["heldUnits"] == 1


async def test_the_repeat_by_another_route_has_the_first_reference(client: Client, purchase: str) -> None:
    first = await track(client, idempotencyKey="k")
    (again,) = ok(await send(client, "usages/bulk", "k"))["results"]
    duplicate = {"debited": False, "reason": "duplicate"}
    assert again == {"reference": first["reference"], "creditDebit": duplicate}


async def test_of_equal_keys_in_one_bulk_the_first_counts_and_the_others_are_its_repeats(
    client: Client, purchase: str
) -> None:
    event = {"customerRef": CUSTOMER, "productRef": PRODUCT, "units": 3, "idempotencyKey": "k"}
    done = ok(await client.post("/v1/sdk/usages/bulk", json={"events": [event] * 3}))
    assert done["inserted"] == 1
    assert len({each["reference"] for each in done["results"]}) == 1
    other = [event | {"idempotencyKey": "new"}, event | {"idempotencyKey": "new", "units": 4}]
    refused = await client.post("/v1/sdk/usages/bulk", json={"events": other})
    error(refused, 409, "idempotency_conflict")
    assert (await usage_of(client, purchase))["used"] == 3


async def test_a_key_that_comes_by_all_routes_at_once_counts_on_one_of_them(
    client: Client, purchase: str
) -> None:
    """They share a commit, where none finds the other in the index."""
    answers = await asyncio.gather(*(send(client, route, "k") for route in ROUTES * 4))
    assert {each.status_code for each in answers} == {200, 409}
    used, tally = await counted(client, purchase)
    assert (used, tally["stored"]) == (1, 1)


async def test_a_usage_event_a_reservation_a_grant_and_a_meter_event_may_have_one_key(
    client: Client, purchase: str
) -> None:
    event = {"type": "usage.api_call", "customerRef": CUSTOMER, "units": 1, "idempotencyKey": "r1"}
    ok(await client.post("/v1/sdk/events", json=event), 201)
    hold = await reserve(client, 4, key="r1")
    grants = f"/v1/sdk/customers/{CUSTOMER}/credits"
    ok(await client.post(grants, json={"credits": 5}, headers={"Idempotency-Key": "r1"}))
    settle = {"units": 3, "idempotencyKey": "r1"}
    assert ok(await client.post(f"/v1/sdk/holds/{hold['holdRef']}/settle", json=settle))["units"] == 3
    assert (await usage_of(client, purchase))["used"] == 3


@pytest.mark.parametrize("route", ["usages/bulk", "meter-events/bulk"])
async def test_the_header_of_a_bulk_gives_each_event_without_a_key_one_by_its_place(
    service: Service, client: Client, purchase: str, route: str
) -> None:
    event = {"customerRef": CUSTOMER, "productRef": PRODUCT}
    body = {"events": [event, event | {"idempotencyKey": "own"}, event]}
    headers = {"Idempotency-Key": "h"}
    assert ok(await client.post(f"/v1/sdk/{route}", json=body, headers=headers))["inserted"] == 3
    await service.catch_up()
    stored = ok(await client.get("/v1/events", params={"kind": "meter"}))["events"]
    assert sorted(each["idempotencyKey"] for each in stored) == ["h#0", "h#2", "own"]
    assert ok(await client.post(f"/v1/sdk/{route}", json=body, headers=headers))["inserted"] == 0
    for key in ("h#0", "h#2", "own"):
        ok(await send(client, route.removesuffix("/bulk"), key))
    assert (await usage_of(client, purchase))["used"] == 3
    longer = {"events": [*body["events"], event]}  # more of it than before: what is new counts
    assert ok(await client.post(f"/v1/sdk/{route}", json=longer, headers=headers))["inserted"] == 1
    other = {"events": [event | {"productRef": "prd_ai_assistant"}]}
    error(await client.post(f"/v1/sdk/{route}", json=other, headers=headers), 409, "idempotency_conflict")
