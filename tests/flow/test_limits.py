"""`POST /v1/sdk/limits`: what is answered in each state (contract §3.2, §4.1, §4.2)."""

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
    PAY_AS_YOU_GO,
    PRODUCT,
    activate,
    grant,
    limits,
    plan,
    reserve,
    track,
    with_credits,
)

URL = "/v1/sdk/limits"


async def test_the_first_call_enrols_in_the_free_default_plan(client: Client) -> None:
    free = await plan(client, **FREE)
    found = await limits(client)
    assert found == {
        "withinLimits": True, "remaining": 10, "meterName": "requests", "plan": free,
        "product": {"reference": PRODUCT, "name": "Content API"},
    }  # fmt: skip
    purchases = ok(await client.get(f"/v1/sdk/purchases/customer/{CUSTOMER}"))["purchases"]
    assert [(each["origin"], each["planRef"]) for each in purchases] == [("free_default", free)]
    assert await limits(client) == found  # no second purchase
    assert len(ok(await client.get(f"/v1/sdk/purchases/customer/{CUSTOMER}"))["purchases"]) == 1


async def test_a_limit_is_used_up_and_what_comes_after_is_still_counted(client: Client) -> None:
    free = await plan(client, **FREE)
    await limits(client)
    await track(client, units=9)
    assert (await limits(client))["remaining"] == 1
    await track(client, units=3)
    found = await limits(client)
    assert (found["withinLimits"], found["remaining"], found["plan"]) == (False, 0, free)
    assert "checkoutUrl" not in found  # who only looks makes no session
    paid = await limits(client, includeCheckoutSession=True)
    assert len(paid["checkoutSessionId"]) == 32
    assert paid["checkoutUrl"] == f"http://meterhouse.test/checkout?id={paid['checkoutSessionId']}"


async def test_a_credit_plan_says_what_the_balance_pays_for(client: Client) -> None:
    await with_credits(client, 450)
    found = await limits(client)
    assert (found["withinLimits"], found["remaining"]) == (True, 4)
    assert found["balance"] == {
        "creditBalance": 450, "creditsPerUnit": 100, "currency": "USD", "remainingUnits": 4,
    }  # fmt: skip
    assert (found["creditBalance"], found["creditsPerUnit"], found["currency"]) == (450, 100, "USD")


async def test_out_of_credits_is_a_checkout_and_shows_no_plans(client: Client) -> None:
    await with_credits(client, 99)
    found = await limits(client, includeCheckoutSession=True)
    assert (found["withinLimits"], found["remaining"]) == (False, 0)
    assert found["checkoutUrl"]
    assert "plans" not in found
    await track(client)
    assert (await limits(client))["creditBalance"] == 0


async def test_free_units_neither_spare_a_prepaid_debit_nor_give_access(client: Client) -> None:
    ref = await plan(client, **PAY_AS_YOU_GO)
    ok(await client.put(f"/v1/sdk/products/{PRODUCT}/plans/{ref}", json={"freeUnits": 5}))
    await activate(client, ref)
    assert (await limits(client))["withinLimits"] is False
    await grant(client, 500)
    assert (await track(client))["creditDebit"]["amount"] == 100


async def test_a_priced_default_plan_has_to_be_activated_first(client: Client) -> None:
    ref = await plan(client, **PAY_AS_YOU_GO, default=True)
    await plan(client, name="Secret", hidden=True)
    found = await limits(client, includeCheckoutSession=True)
    assert (found["withinLimits"], found["remaining"], found["activationRequired"]) == (False, 0, True)
    assert [each["reference"] for each in found["plans"]] == [ref]
    assert found["plans"][0] | {"type": "usage-based", "requiresPayment": True} == found["plans"][0]
    assert found["balance"]["creditsPerUnit"] == 100
    assert found["confirmationUrl"].startswith("http://meterhouse.test/customer?id=")
    assert not {"plan", "checkoutUrl"} & set(found)
    assert "confirmationUrl" not in await limits(client)


async def test_without_any_plan_there_is_a_checkout_and_no_plan_ref(client: Client) -> None:
    found = await limits(client, includeCheckoutSession=True)
    assert (found["withinLimits"], found["remaining"]) == (False, 0)
    assert found["checkoutUrl"]
    assert not {"plan", "plans", "activationRequired"} & set(found)


@pytest.mark.parametrize(
    ("terms", "used", "remaining"),
    [
        ({"limit": 0}, 5, 10**15),
        ({"freeUnits": 3}, 1, 2),  # a free plan has nothing to bill its free units against
        ({"limit": 8, "freeUnits": 3}, 1, 7),
        ({"type": "one-time", "limit": 4}, 1, 3),
        ({"type": "usage-based", "billingModel": "post-paid", "limit": 6, "creditsPerUnit": 2}, 1, 5),
        ({"type": "usage-based", "billingModel": "post-paid", "creditsPerUnit": 2}, 9, 10**15),
        ({"type": "hybrid", "limit": 5, "overagePolicy": {"allowOverage": True, "maxOverage": 2}}, 6, 1),
        ({"type": "hybrid", "limit": 5, "overagePolicy": {"allowOverage": False, "maxOverage": 2}}, 6, 0),
        ({"type": "hybrid", "limit": 5, "overagePolicy": {"allowOverage": True}}, 60, 10**15),
    ],
)
async def test_each_type_of_plan_has_its_own_room(
    client: Client, terms: dict[str, Any], used: int, remaining: int
) -> None:
    await activate(client, await plan(client, **terms))
    await track(client, units=used)
    found = await limits(client)
    assert (found["remaining"], found["withinLimits"]) == (remaining, remaining > 0)


async def test_a_prepaid_plans_limit_holds_beside_the_balance(client: Client) -> None:
    await with_credits(client, 10_000, limit=3)
    await track(client, units=2)
    assert (await limits(client))["remaining"] == 1


async def test_usage_of_another_product_or_of_none_uses_up_nothing(client: Client) -> None:
    await activate(client, await plan(client, **FREE))
    await track(client, productRef=None, units=9)
    await track(client, productRef="prd_ai_assistant", units=9)
    assert (await limits(client))["remaining"] == 10


@pytest.mark.parametrize("ref", ["customerRef", "productRef"])
@pytest.mark.parametrize("value", [None, "", "x" * 21])
async def test_a_missing_or_overlong_ref_is_400(client: Client, ref: str, value: str | None) -> None:
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT, ref: value}
    assert set(faults(await client.post(URL, json=body))) == {ref}


async def test_an_unknown_customer_or_product_is_404(client: Client, live: Client) -> None:
    body = {"customerRef": "anonymous", "productRef": PRODUCT}
    assert "not found" in error(await client.post(URL, json=body), 404, "customer_not_found")["message"]
    body = {"customerRef": CUSTOMER, "productRef": "prd_NONE"}
    error(await client.post(URL, json=body), 404, "product_not_found")
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT}
    error(await live.post(URL, json=body), 404, "customer_not_found")


async def test_a_period_ends_at_its_instant_and_the_limit_is_new(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    await activate(client, await plan(client, **FREE))
    await track(client, units=10)
    clock.advance(timedelta(days=30, microseconds=-1))
    assert (await limits(client))["remaining"] == 0
    clock.advance(timedelta(microseconds=1))
    assert (await limits(client))["remaining"] == 10
    late = {"units": 4, "timestamp": "2026-11-30T00:00:00Z"}
    await track(client, **late)  # of the period before
    assert (await limits(client))["remaining"] == 10


async def test_what_happens_at_the_instant_of_a_periods_end_counts_in_the_next(
    timed: tuple[Clock, Client],
) -> None:
    clock, client = timed
    bought = (await activate(client, await plan(client, limit=100, billingCycle="weekly")))["purchaseRef"]
    clock.advance(timedelta(days=7, microseconds=-1))
    await track(client, units=1)
    last = await reserve(client, 2, ttl=3_600)
    clock.advance(timedelta(microseconds=1))
    await track(client, units=3)
    first = await reserve(client, 4, ttl=3_600)
    await track(client, units=50, timestamp="2026-11-07T23:59:59.999999Z")
    await track(client, units=25, timestamp="2026-11-08T00:00:00Z")
    assert (await limits(client))["remaining"] == 68
    for hold, units in ((last, 2), (first, 4)):
        ok(await client.post(f"/v1/sdk/holds/{hold['holdRef']}/settle", json={"units": units}))
    clock.advance(timedelta(days=7))
    periods = ok(await client.get(f"/v1/purchases/{bought}/periods"))["periods"]
    assert [each["used"] for each in periods] == [0, 32, 53]


async def test_a_clock_that_was_set_back_before_a_start_changes_no_period(tmp_path: Any) -> None:
    """To before the purchase, even: it has begun, and what was used of its second period is used."""
    clock, settings = Clock(), Settings(data=str(tmp_path))
    async with open_service(settings, clock) as service:
        assert service.first_start is not None
        secret = service.first_start.secret
        client = speak_to(service, secret)
        clock.advance(timedelta(days=1))
        await activate(client, await plan(client, limit=10, billingCycle="weekly"))
        clock.advance(timedelta(days=8))
        await track(client, units=6)
    clock.advance(timedelta(days=-30))
    async with open_service(settings, clock) as service:
        client = speak_to(service, secret)
        assert (await limits(client))["remaining"] == 4
        await track(client, units=3)
        assert (await limits(client))["remaining"] == 1
        other = {"customerRef": CUSTOMER, "productRef": "prd_ai_assistant"}
        made = {"name": "Plan"}
        sold = ok(await client.post("/v1/sdk/products/prd_ai_assistant/plans", json=made), 201)["reference"]
        ok(await client.post("/v1/sdk/activate", json=other | {"planRef": sold}))
        (later,) = ok(await client.get("/v1/sdk/purchases/product/prd_ai_assistant"))["purchases"]
        assert later["startDate"] == "2026-11-01T00:00:00.000Z"  # when its customer was made, not before


async def test_a_clock_that_is_set_back_gives_nothing_twice(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    await activate(client, await plan(client, **FREE))
    await track(client, units=10)
    clock.advance(timedelta(days=31))
    await track(client, units=7)
    clock.advance(timedelta(days=-20))
    assert (await limits(client))["remaining"] == 3
    await track(client, units=3)
    assert (await limits(client))["remaining"] == 0


async def test_unused_units_roll_over_once(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    await activate(client, await plan(client, limit=10, rolloverUnusedUnits=True, billingCycle="weekly"))
    await track(client, units=4)
    clock.advance(timedelta(days=7))
    assert (await limits(client))["remaining"] == 16
    clock.advance(timedelta(days=7))
    assert (await limits(client))["remaining"] == 20  # the 6 of the first week are lost
    clock.advance(timedelta(days=70))
    assert (await limits(client))["remaining"] == 20


async def test_a_trial_that_nobody_paid_for_ends_access(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    ref = await plan(client, price=500, trialDays=14)
    assert (await activate(client, ref))["status"] == "activated"
    (purchase,) = ok(await client.get("/v1/sdk/purchases"))["purchases"]
    assert (purchase["status"], (await limits(client))["withinLimits"]) == ("trialing", True)
    clock.advance(timedelta(days=14))
    (purchase,) = ok(await client.get("/v1/sdk/purchases"))["purchases"]
    assert (purchase["status"], (await limits(client))["withinLimits"]) == ("suspended", False)
    assert (await activate(client, ref))["status"] == "payment_required"  # the trial was had


async def test_a_one_time_purchase_ends_with_its_access(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    await activate(client, await plan(client, type="one-time", accessExpiryDays=3))
    clock.advance(timedelta(days=3, microseconds=-1))
    assert (await limits(client))["withinLimits"] is True
    clock.advance(timedelta(microseconds=1))
    assert (await limits(client))["withinLimits"] is False


async def test_an_open_hold_takes_off_what_remains(client: Client) -> None:
    await activate(client, await plan(client, **FREE))
    await reserve(client, 4)
    assert (await limits(client))["remaining"] == 6


async def test_the_state_of_the_service_is_ready_for_money(service: Service, client: Client) -> None:
    """The hot route answers errors in the one shape, and a request id."""
    answer = await client.post(URL, content=b"{")
    assert list(faults(answer)) == [""]
