"""A customer that comes back to a plan it had: its purchase goes on, and gives no limit anew."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterhouse.settings import Settings
from meterhouse.wiring import open_service
from tests.conftest import Client, speak_to
from tests.contract.catalogs import Clock
from tests.flow.answers import error, ok
from tests.flow.shop import (
    CUSTOMER,
    FREE,
    PAY_AS_YOU_GO,
    PLANS,
    activate,
    limits,
    plan,
    reserve,
    track,
    with_credits,
)
from tests.flow.visitor import opened, purchases

DAY = timedelta(days=1)
ENDING = [{"accessExpiryDays": 3}, {"autoRenew": False, "billingCycle": "weekly"}]


async def select(client: Client, plan_ref: str) -> dict[str, Any]:
    """Choose a plan on the hosted page; return the purchase that the customer has then."""
    done = await (await opened(client, client)).does("select-plan", planRef=plan_ref)
    assert done["step"] == "done"
    return await current(client)


async def current(client: Client) -> dict[str, Any]:
    (active,) = [each for each in await purchases(client) if each["status"] in ("active", "trialing")]
    return active


async def pay(client: Client, plan_ref: str) -> dict[str, Any]:
    visit = await opened(client, client, planRef=plan_ref)
    assert (await visit.does("pay", outcome="success"))["step"] == "done"
    return await current(client)


async def remade(client: Client, plan_ref: str, **fields: Any) -> None:
    """Delete a plan, and make another one that has its reference."""
    ok(await client.delete(f"{PLANS}/{plan_ref}"))
    await plan(client, reference=plan_ref, **fields)


async def test_going_to_another_plan_and_back_gives_no_limit_anew(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    free, other = await plan(client, **FREE), await plan(client, name="Other", limit=5)
    first = await activate(client, free)
    clock.advance(DAY)
    second = await activate(client, other)
    await track(client, units=2)
    for _ in range(2):
        clock.advance(DAY)
        again = await activate(client, free)
        assert again == first | {"status": "activated"}
        await track(client, units=4)
        clock.advance(DAY)
        assert await activate(client, other) == second | {"status": "activated"}
        assert (await limits(client))["remaining"] == 3
    await activate(client, free)
    assert (await limits(client))["remaining"] == 2
    assert [(each["reference"], each["status"]) for each in await purchases(client)] == [
        (second["purchaseRef"], "expired"), (first["purchaseRef"], "active"),
    ]  # fmt: skip
    clock.advance(25 * DAY)  # 30 from when it was first had
    assert (await limits(client))["remaining"] == 10


async def test_going_back_and_forth_on_the_hosted_page_gives_no_limit_anew(
    timed: tuple[Clock, Client],
) -> None:
    clock, client = timed
    free, other = await plan(client, **FREE), await plan(client, name="Other", limit=5)
    first = await select(client, free)
    await track(client, units=7)
    clock.advance(DAY)
    await select(client, other)
    clock.advance(DAY)
    again = await select(client, free)
    assert (again["reference"], again["startDate"], again["usage"]["used"]) == (
        first["reference"], first["startDate"], 7,
    )  # fmt: skip
    assert (await limits(client))["remaining"] == 3


async def test_the_free_default_plan_goes_on_when_a_paid_one_has_ended(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    await plan(client, **FREE)
    await limits(client)
    await track(client, units=7)
    await pay(client, await plan(client, price=900, billingCycle="weekly", autoRenew=False))
    clock.advance(7 * DAY)
    assert (await limits(client))["remaining"] == 3
    assert (await current(client))["origin"] == "free_default"


async def test_a_cancelled_plan_that_is_taken_up_again_goes_on(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    weekly = await plan(client, limit=10, billingCycle="weekly")
    bought = (await activate(client, weekly))["purchaseRef"]
    ok(await client.post(f"/v1/sdk/purchases/{bought}/cancel", json={"reason": "No more"}))
    clock.advance(8 * DAY)
    await track(client, units=4, timestamp="2026-11-02T00:00:00Z")
    assert (await activate(client, weekly))["purchaseRef"] == bought
    found = await current(client)
    assert not {"cancelledAt", "cancellationReason"} & found.keys()
    assert (found["autoRenew"], found["usage"]["periodStart"][:10]) == (True, "2026-11-08")
    assert (await limits(client))["remaining"] == 10


@pytest.mark.parametrize("ending", ENDING)
async def test_a_free_plan_that_ended_by_itself_is_not_given_again(
    timed: tuple[Clock, Client], ending: dict[str, Any]
) -> None:
    clock, client = timed
    free, other = await plan(client, **FREE, **ending), await plan(client, name="Other")
    await limits(client)
    clock.advance(7 * DAY)
    for _ in range(2):
        done = await activate(client, free)
        assert (done["status"], "purchaseRef" in done) == ("invalid", False)
        assert done["message"].startswith("Plan cannot be had again: the customer had it, and it has ended.")
        found = await limits(client)
        assert (found["withinLimits"], found["remaining"], "plan" in found) == (False, 0, False)
        assert "holdRef" not in await reserve(client, 1)
        page = await opened(client, client)
        error(await page.send("select-plan", planRef=free), 400, "purchase_not_reactivable")
        assert [each["status"] for each in await purchases(client) if each["planRef"] == free] == ["expired"]
        await activate(client, other)  # which is not lost by what is refused
        assert (await activate(client, free))["status"] == "invalid"
        assert (await current(client))["planRef"] == other
        ok(await client.post(f"/v1/sdk/purchases/{(await current(client))['reference']}/cancel"))
        clock.advance(30 * DAY)


async def test_a_plan_that_was_deleted_and_made_again_is_another_one(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    free = await plan(client, **FREE)
    first = await activate(client, free)
    await track(client, units=7)
    clock.advance(DAY)
    await remade(client, free, **FREE)
    clock.advance(DAY)
    second = await activate(client, free)
    assert (second["status"], second["purchaseRef"] == first["purchaseRef"]) == ("activated", False)
    assert (await limits(client))["remaining"] == 10
    assert (await activate(client, free))["status"] == "already_active"


async def test_who_had_a_plan_pays_for_the_one_that_was_made_in_its_place(
    timed: tuple[Clock, Client],
) -> None:
    clock, client = timed
    pro = await plan(client, price=900)
    first = await pay(client, pro)
    clock.advance(DAY)
    await remade(client, pro, price=9900)
    page = await opened(client, client)
    assert (await page.does("select-plan", planRef=pro))["step"] == "pay"
    assert (await current(client))["reference"] == first["reference"]
    await page.does("pay", outcome="success")
    second = await current(client)
    assert (second["reference"] == first["reference"], second["amount"]) == (False, 9900)


@pytest.mark.parametrize(("terms", "then"), [(PAY_AS_YOU_GO, "topup"), ({}, "done")])
async def test_a_plan_that_was_made_in_the_place_of_another_is_started_on_the_hosted_page(
    timed: tuple[Clock, Client], terms: dict[str, Any], then: str
) -> None:
    clock, client = timed
    ref = await plan(client, **terms)
    first = (await activate(client, ref))["purchaseRef"]
    if not terms:
        ok(await client.post(f"/v1/sdk/purchases/{first}/cancel"))  # it ends with its period
    clock.advance(DAY)
    await remade(client, ref, **terms)
    page = await opened(client, client)
    assert (await page.does("select-plan", planRef=ref))["step"] == then
    assert (await current(client))["reference"] != first


async def test_what_is_paid_for_again_is_new(client: Client) -> None:
    pro, free = await plan(client, price=900, limit=10), await plan(client, **FREE)
    first = await pay(client, pro)
    await track(client, units=10)
    await activate(client, free)
    assert (await activate(client, pro))["status"] == "payment_required"
    second = await pay(client, pro)
    assert (second["reference"] == first["reference"], second["usage"]["used"]) == (False, 0)
    assert (await limits(client))["remaining"] == 10


async def test_a_trial_goes_on_as_it_was_and_is_not_had_twice(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    payg, other = await plan(client, **PAY_AS_YOU_GO, trialDays=14), await plan(client, name="Other")
    await activate(client, payg)
    trial = await current(client)
    for days in (3, 4):
        clock.advance(days * DAY)
        await activate(client, other)
        await activate(client, payg)
        again = await current(client)
        assert (again["status"], again["trialEndDate"]) == ("trialing", trial["trialEndDate"])
    clock.advance(7 * DAY)
    assert (await limits(client))["withinLimits"] is False
    assert (await activate(client, payg))["status"] == "activated"  # it is paid for as it is used
    again = await current(client)
    assert (again["reference"], again["status"]) == (trial["reference"], "active")


async def test_a_plan_that_is_paid_for_as_it_is_used_begins_again_after_it_ended(
    timed: tuple[Clock, Client],
) -> None:
    clock, client = timed
    terms = PAY_AS_YOU_GO | {"limit": 5, "accessExpiryDays": 30, "trialDays": 10}
    first = await with_credits(client, 2000, **terms)
    await track(client, units=5)
    payg = (await current(client))["planRef"]
    clock.advance(30 * DAY)
    assert (await limits(client))["withinLimits"] is False
    assert (await activate(client, payg))["status"] == "activated"
    second = await current(client)
    assert (second["reference"] == first, second["status"]) == (False, "active")  # the trial was had
    assert (await limits(client))["remaining"] == 5


async def test_who_gets_a_deleted_customers_ref_comes_back_to_nothing(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    free, tried = await plan(client, **FREE), await plan(client, price=900, trialDays=14)
    assert (await activate(client, tried))["status"] == "activated"
    first = await activate(client, free)
    await track(client, units=7)
    clock.advance(DAY)
    ok(await client.delete(f"/v1/sdk/customers/{CUSTOMER}"))
    made = {"reference": CUSTOMER, "email": "b@example.com"}
    ok(await client.post("/v1/sdk/customers", json=made), 201)
    assert (await activate(client, tried))["status"] == "activated"
    second = await activate(client, free)
    assert second["purchaseRef"] != first["purchaseRef"]
    assert (await limits(client))["remaining"] == 10


async def test_a_trial_of_what_has_to_be_paid_goes_on(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    pro, free = await plan(client, price=1900, trialDays=14), await plan(client, **FREE)
    trial = await activate(client, pro)
    clock.advance(DAY)
    await activate(client, free)
    clock.advance(DAY)
    assert (await activate(client, pro))["purchaseRef"] == trial["purchaseRef"]
    assert (await current(client))["status"] == "trialing"
    clock.advance(12 * DAY)
    assert (await limits(client))["plan"] == free
    assert (await activate(client, pro))["status"] == "payment_required"


async def test_a_plan_that_has_become_free_gives_nobody_the_limit_that_had_to_be_paid(
    timed: tuple[Clock, Client],
) -> None:
    clock, client = timed
    pro = await plan(client, price=1900, limit=1000, trialDays=3)
    trial = await activate(client, pro)
    clock.advance(3 * DAY)
    ok(await client.put(f"{PLANS}/{pro}", json={"price": 0, "limit": 10, "trialDays": 0}))
    assert (await activate(client, pro))["purchaseRef"] != trial["purchaseRef"]
    assert (await limits(client))["remaining"] == 10


async def test_what_rolled_over_is_lost_with_the_plan_that_is_left(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    rolling = await plan(client, limit=10, rolloverUnusedUnits=True, billingCycle="weekly")
    other = await plan(client, name="Other", limit=5)
    ref = (await activate(client, rolling))["purchaseRef"]
    await track(client, units=10)
    clock.advance(DAY)
    await activate(client, other)
    clock.advance(14 * DAY)
    await activate(client, rolling)
    assert (await limits(client))["remaining"] == 10  # nothing of the week that it was away
    await track(client, units=4)
    clock.advance(7 * DAY)
    assert (await limits(client))["remaining"] == 16  # but of the one in which it came back
    shown = ok(await client.get(f"/v1/purchases/{ref}/periods"))["periods"]
    assert [each["limitUnits"] for each in shown] == [16, 10, 10, 10]


async def test_a_hybrid_plan_without_a_price_is_not_had_again_when_it_has_ended(
    timed: tuple[Clock, Client],
) -> None:
    clock, client = timed
    terms = {"type": "hybrid", "price": 0, "creditsPerUnit": 5, "limit": 100, "accessExpiryDays": 2}
    hybrid = await plan(client, **terms)
    await select(client, hybrid)
    await track(client, units=100)
    clock.advance(2 * DAY)
    page = await opened(client, client)
    error(await page.send("select-plan", planRef=hybrid), 400, "purchase_not_reactivable")
    assert (await limits(client))["withinLimits"] is False


async def test_a_clock_that_was_set_back_before_a_start_gives_no_limit_anew(tmp_path: Path) -> None:
    clock = Clock()
    async with open_service(Settings(data=str(tmp_path)), clock) as service:
        assert service.first_start is not None
        key = service.first_start.secret
        client = speak_to(service, key)
        free, other = await plan(client, **FREE), await plan(client, name="Other")
        made = {"reference": "cus_LATE", "email": "late@example.com"}
        ok(await client.post("/v1/sdk/customers", json=made), 201)
    clock.advance(-timedelta(hours=1))
    async with open_service(Settings(data=str(tmp_path)), clock) as service:
        client = speak_to(service, key)
        first = await activate(client, free, "cus_LATE")
        await track(client, customerRef="cus_LATE", units=10)
        for _ in range(2):
            await activate(client, other, "cus_LATE")
            assert (await activate(client, free, "cus_LATE"))["purchaseRef"] == first["purchaseRef"]
        assert (await limits(client, customerRef="cus_LATE"))["remaining"] == 0
