"""Holds: units reserved before the work, settled or released after it (docs/holds.md)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from meterhouse.settings import Settings
from meterhouse.wiring import Service, open_service
from tests.conftest import Client, speak_to
from tests.contract.catalogs import Clock
from tests.flow.answers import error, faults, ok
from tests.flow.shop import (
    CUSTOMER,
    FREE,
    PRODUCT,
    activate,
    balance,
    limits,
    plan,
    reserve,
    settle,
    track,
    usage_of,
    with_credits,
)


async def release(client: Client, hold: dict[str, Any]) -> dict[str, Any]:
    done: dict[str, Any] = ok(await client.post(f"/v1/sdk/holds/{hold['holdRef']}/release"))
    return done


@pytest.fixture
async def purchase(client: Client) -> str:
    return str((await activate(client, await plan(client, **FREE)))["purchaseRef"])


async def test_a_reservation_is_granted_with_what_is_left(client: Client, purchase: str) -> None:
    hold = await reserve(client, 4)
    assert hold["holdRef"].startswith("hld_")
    assert len(hold["holdRef"]) == 20
    assert (hold["withinLimits"], hold["remaining"], hold["reservedUnits"]) == (True, 6, 4)
    used = await usage_of(client, purchase)
    assert (used["used"], used["heldUnits"]) == (0, 4)


async def test_more_than_is_free_is_denied_with_200_and_takes_nothing(client: Client, purchase: str) -> None:
    await reserve(client, 8)
    denied = await reserve(client, 3)
    assert (denied["withinLimits"], denied["remaining"], "holdRef" in denied) == (False, 2, False)
    assert (await usage_of(client, purchase))["heldUnits"] == 8


async def test_without_a_purchase_a_reservation_enrols_first(client: Client) -> None:
    await plan(client, **FREE)
    assert (await reserve(client, 10))["remaining"] == 0


async def test_what_is_not_used_returns(service: Service, client: Client, purchase: str) -> None:
    hold = await reserve(client, 8)
    done = await settle(client, hold, 5.5, actionType="custom", metadata={"model": "m"}, duration=7)
    assert done == {
        "holdRef": hold["holdRef"], "status": "settled", "reservedUnits": 8, "expiresAt": hold["expiresAt"],
        "expired": False, "reference": done["reference"], "units": 5.5, "releasedUnits": 2.5,
        "overLimitUnits": 0, "creditDebit": {"debited": False, "reason": "plan_not_credit_based"},
    }  # fmt: skip
    used = await usage_of(client, purchase)
    assert (used["used"], used["heldUnits"]) == (5.5, 0)
    assert (await limits(client))["remaining"] == 4
    await service.catch_up()
    (event,) = ok(await client.get("/v1/events", params={"kind": "meter"}))["events"]
    assert (event["type"], event["units"], event["purchaseRef"]) == ("usage.custom", 5.5, purchase)
    assert (event["properties"], event["duration"]) == ({"model": "m"}, 7)


async def test_a_settle_above_its_reservation_is_booked_and_what_is_over_is_named(
    client: Client, purchase: str
) -> None:
    hold = await reserve(client, 4)
    other = await reserve(client, 3)
    done = await settle(client, hold, 12)  # its own 4 and 3 that are free; 5 are beyond, 3 are another's
    assert (done["units"], done["overLimitUnits"]) == (12, 5)
    assert (await usage_of(client, purchase))["used"] == 12
    assert (await settle(client, other, 3))["overLimitUnits"] == 0  # what was reserved stays so


async def test_a_second_settle_answers_as_the_first(client: Client, purchase: str) -> None:
    hold = await reserve(client, 4)
    first = await settle(client, hold, 2, idempotencyKey="s")
    assert await settle(client, hold, 2, idempotencyKey="s") == first
    assert await settle(client, hold, 9) == first
    assert (await usage_of(client, purchase))["used"] == 2
    url = f"/v1/sdk/holds/{hold['holdRef']}/settle"
    error(await client.post(url, json={"units": 3, "idempotencyKey": "s"}), 409, "idempotency_conflict")


async def test_a_settles_key_is_a_meter_events_key(client: Client, purchase: str) -> None:
    hold, other = await reserve(client, 4), await reserve(client, 4)
    await settle(client, hold, 2, idempotencyKey="s")
    url = f"/v1/sdk/holds/{other['holdRef']}/settle"
    error(await client.post(url, json={"units": 2, "idempotencyKey": "s"}), 409, "idempotency_conflict")
    assert (await usage_of(client, purchase))["heldUnits"] == 4


async def test_a_repeated_reservation_is_the_same_hold(client: Client, purchase: str) -> None:
    first = await reserve(client, 4, key="r")
    assert await reserve(client, 4, key="r") == first
    await settle(client, first, 4)
    assert await reserve(client, 4, key="r") == first
    assert (await usage_of(client, purchase))["heldUnits"] == 0
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT}
    other = body | {"reserve": {"units": 5, "ttlSeconds": 60, "idempotencyKey": "r"}}
    error(await client.post("/v1/sdk/limits", json=other), 409, "idempotency_conflict")


async def test_a_denied_reservation_burns_no_key(client: Client, purchase: str) -> None:
    hold = await reserve(client, 8)
    assert "holdRef" not in await reserve(client, 5, key="r")
    await release(client, hold)
    assert "holdRef" in await reserve(client, 5, key="r")


async def test_a_release_gives_back_once(client: Client, purchase: str) -> None:
    hold = await reserve(client, 8)
    done = await release(client, hold)
    assert (done["status"], done["releasedUnits"]) == ("released", 8)
    assert await release(client, hold) == done
    assert (await limits(client))["remaining"] == 10
    refused = await client.post(f"/v1/sdk/holds/{hold['holdRef']}/settle", json={"units": 1})
    error(refused, 409, "hold_released")


async def test_a_settled_hold_cannot_be_released(client: Client, purchase: str) -> None:
    hold = await reserve(client, 8)
    await settle(client, hold, 1)
    error(await client.post(f"/v1/sdk/holds/{hold['holdRef']}/release"), 409, "hold_settled")


async def test_a_credit_plan_holds_credits_and_debits_spare_them(client: Client) -> None:
    await with_credits(client, 1_000)
    hold = await reserve(client, 6)
    assert hold["balance"]["creditBalance"] == 400
    assert (await limits(client))["remaining"] == 4
    done = await track(client, units=9)  # pays with what is not held
    assert done["creditDebit"] == {"debited": True, "amount": 400, "unitsRemaining": 0}
    settled = await settle(client, hold, 6)
    assert settled["creditDebit"] == {"debited": True, "amount": 600, "unitsRemaining": 0}
    assert settled["overLimitUnits"] == 0
    assert await balance(client) == 0


async def test_a_settle_beyond_the_balance_names_the_units_nobody_paid_for(client: Client) -> None:
    await with_credits(client, 1_000)
    done = await settle(client, await reserve(client, 6), 25)
    assert (done["creditDebit"]["amount"], done["overLimitUnits"]) == (1_000, 15)


async def test_an_adjustment_takes_no_credits_that_are_held(client: Client) -> None:
    await with_credits(client, 1_000)
    await reserve(client, 6)
    url = f"/v1/customers/{CUSTOMER}/credits/adjust"
    refused = error(await client.post(url, json={"credits": -500}), 409, "credits_not_free")
    assert "400" in refused["message"]
    assert ok(await client.post(url, json={"credits": -400}))["balance"] == 600


async def test_a_long_context_fits(client: Client) -> None:
    await activate(client, await plan(client, limit=0))
    hold = await reserve(client, 10**15)
    assert hold["reservedUnits"] == 10**15
    assert (await settle(client, hold, 123_456.000000001))["units"] == 123_456.000000001


async def test_a_switch_of_plans_leaves_the_hold_with_the_purchase_it_was_made_of(
    client: Client, purchase: str
) -> None:
    hold = await reserve(client, 4)
    other = (await activate(client, await plan(client, name="Other", limit=50)))["purchaseRef"]
    assert (await limits(client))["remaining"] == 50
    await settle(client, hold, 4)
    assert (await usage_of(client, purchase))["used"] == 4
    assert (await usage_of(client, other))["used"] == 0


async def test_changing_or_deleting_the_plan_changes_nothing_for_who_has_it(client: Client) -> None:
    ref = await plan(client, **FREE)
    purchase = (await activate(client, ref))["purchaseRef"]
    hold = await reserve(client, 4)
    url = f"/v1/sdk/products/{PRODUCT}/plans/{ref}"
    ok(await client.put(url, json={"limit": 1, "freeUnits": 1}))
    assert (await limits(client))["remaining"] == 6
    ok(await client.delete(url))
    assert (await settle(client, hold, 4))["overLimitUnits"] == 0
    assert (await limits(client))["remaining"] == 6
    assert (await usage_of(client, purchase))["used"] == 4


async def test_a_hold_of_another_scope_is_as_one_that_never_was(
    client: Client, live: Client, purchase: str
) -> None:
    hold = await reserve(client, 4)
    for ref in (hold["holdRef"], "hld_0000000000000001", "hld_-000000000000001", "hld_x", "cus_3C4D5E6F"):
        url = f"/v1/sdk/holds/{ref}"
        error(await live.get(url), 404, "hold_not_found")
        error(await live.post(f"{url}/settle", json={"units": 1}), 404, "hold_not_found")
        error(await live.post(f"{url}/release"), 404, "hold_not_found")
    assert (await usage_of(client, purchase))["heldUnits"] == 4


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"units": 0}, "reserve.units"),
        ({"units": -1}, "reserve.units"),
        ({"units": "5"}, "reserve.units"),
        ({"units": None}, "reserve.units"),
        ({"units": 10**15 + 1}, "reserve.units"),
        ({"ttlSeconds": 0}, "reserve.ttlSeconds"),
        ({"ttlSeconds": 86_401}, "reserve.ttlSeconds"),
        ({"ttlSeconds": 1.5}, "reserve.ttlSeconds"),
        ({"ttlSeconds": "60"}, "reserve.ttlSeconds"),
        ({"ttlSeconds": True}, "reserve.ttlSeconds"),
        ({"idempotencyKey": ""}, "reserve.idempotencyKey"),
    ],
)
async def test_a_bad_reservation_is_refused_by_its_field(
    client: Client, purchase: str, wrong: dict[str, Any], field: str
) -> None:
    wanted = {"units": 1, "ttlSeconds": 60} | wrong
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT, "reserve": wanted}
    assert set(faults(await client.post("/v1/sdk/limits", json=body))) == {field}


@pytest.mark.parametrize("units", [None, -1, "5", 0.0000000001])
async def test_a_bad_settle_is_refused_and_the_hold_stays(client: Client, purchase: str, units: Any) -> None:
    hold = await reserve(client, 4)
    url = f"/v1/sdk/holds/{hold['holdRef']}/settle"
    assert set(faults(await client.post(url, json={"units": units}))) == {"units"}
    assert ok(await client.get(f"/v1/sdk/holds/{hold['holdRef']}"))["status"] == "open"


async def test_many_reservations_at_once_never_exceed_the_limit(client: Client, purchase: str) -> None:
    found = await asyncio.gather(*(reserve(client, 1) for _ in range(40)))
    assert sum("holdRef" in each for each in found) == 10
    assert (await usage_of(client, purchase))["heldUnits"] == 10


@pytest.fixture
async def timed(timed: tuple[Clock, Client]) -> tuple[Clock, Client]:
    _, client = timed
    await activate(client, await plan(client, **FREE))
    return timed


async def test_an_expired_hold_gives_back_and_can_still_be_settled(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    hold = await reserve(client, 8, ttl=60)
    clock.advance(timedelta(seconds=60))
    assert (await limits(client))["remaining"] == 10
    assert ok(await client.get(f"/v1/sdk/holds/{hold['holdRef']}"))["status"] == "expired"
    await reserve(client, 7)
    done = await settle(client, hold, 5)  # 3 are free; 2 are beyond, and are booked all the same
    assert (done["expired"], done["status"], done["overLimitUnits"]) == (True, "settled", 2)
    assert await settle(client, hold, 1) == done


async def test_an_expired_hold_stays_expired_when_the_clock_is_set_back(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    await reserve(client, 8, ttl=60)
    clock.advance(timedelta(seconds=61))
    await reserve(client, 10)
    clock.advance(timedelta(seconds=-59))
    assert (await limits(client))["remaining"] == 0


async def test_releasing_what_expired_is_no_error(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    hold = await reserve(client, 8, ttl=60)
    clock.advance(timedelta(seconds=60))
    assert (await release(client, hold))["status"] == "expired"


async def test_a_settle_in_the_next_period_is_booked_in_the_holds_own(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    clock.advance(timedelta(days=29, hours=23))
    hold = await reserve(client, 8, ttl=86_400)
    clock.advance(timedelta(hours=2))
    assert (await limits(client))["remaining"] == 10
    await settle(client, hold, 8)
    assert (await limits(client))["remaining"] == 10


async def test_a_repeated_reservation_of_credits_takes_them_off_once(client: Client) -> None:
    await with_credits(client, 1_000)
    first = await reserve(client, 6, key="r")
    again = await reserve(client, 6, key="r")
    assert again == first
    assert again["balance"] == {
        "creditBalance": 400, "creditsPerUnit": 100, "currency": "USD", "remainingUnits": 4,
    }  # fmt: skip


async def test_a_time_to_live_beyond_all_bounds_is_refused_at_once(client: Client) -> None:
    body = f'{{"customerRef":"{CUSTOMER}","productRef":"{PRODUCT}","reserve":%s}}'
    body %= '{"units":1,"ttlSeconds":1e99999999}'
    assert set(faults(await client.post("/v1/sdk/limits", content=body))) == {"reserve.ttlSeconds"}


async def test_a_second_settle_burns_no_key(client: Client, purchase: str) -> None:
    hold = await reserve(client, 4)
    done = await settle(client, hold, 2)
    assert await settle(client, hold, 3, idempotencyKey="k") == done
    assert "creditDebit" in await track(client, idempotencyKey="k")


async def test_what_is_held_does_not_roll_over(tmp_path: Any) -> None:
    clock = Clock()
    async with open_service(Settings(data=str(tmp_path)), clock) as service:
        assert service.first_start is not None
        client = speak_to(service, service.first_start.secret)
        await activate(client, await plan(client, limit=10, rolloverUnusedUnits=True, billingCycle="weekly"))
        clock.advance(timedelta(days=6, hours=23))
        kept, lost = await reserve(client, 6, ttl=86_400), await reserve(client, 1, ttl=7_200)
        clock.advance(timedelta(hours=1))
        assert (await limits(client))["remaining"] == 13
        await settle(client, kept, 2)
        assert (await limits(client))["remaining"] == 17
        clock.advance(timedelta(hours=1))
        assert ok(await client.get(f"/v1/sdk/holds/{lost['holdRef']}"))["status"] == "expired"
        assert (await limits(client))["remaining"] == 18


async def test_a_repeated_reservation_is_the_same_hold_also_without_access(client: Client) -> None:
    ref = str((await activate(client, await plan(client, type="one-time", limit=10)))["purchaseRef"])
    hold = await reserve(client, 4, key="r")
    ok(await client.post(f"/v1/sdk/purchases/{ref}/cancel"))
    again = await reserve(client, 4, key="r")
    assert (again["withinLimits"], again["holdRef"], again["remaining"]) == (True, hold["holdRef"], 6)
    assert "holdRef" not in await reserve(client, 4, key="other")
