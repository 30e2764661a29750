"""Checking limits with the real client, and what it makes of each answer (contract §3.2, §4.2, §5.3).

It never asks for a checkout session, so it is never given one.
"""

import pytest
from solvapay.exceptions import InvalidRequestError, NotFoundError
from solvapay.models import LimitResponse
from solvapay.paywall_state import PaywallState, classify_state

from tests.solvapay.either import Either
from tests.solvapay.shop import FREE_UNITS, Shop


async def check(call: Either, customer: str, product: str, **named: str) -> LimitResponse:
    checked: LimitResponse = await call("limits.check", customer_ref=customer, product_ref=product, **named)
    return checked


async def use(call: Either, customer: str, product: str, units: int) -> None:
    named = {"customer_ref": customer, "product_ref": product, "meter_name": "requests"}
    await call("usage.track", **named, units=units)


async def test_the_first_look_enrols_in_the_free_plan(
    call: Either, shop: Shop, customer: str, product: str
) -> None:
    plan = shop.free_plan(product)
    for _ in range(2):
        checked = await check(call, customer, product)
        assert checked.within_limits
        assert (checked.remaining, checked.plan, checked.meter_name) == (FREE_UNITS, plan, "requests")
        assert classify_state(checked) is PaywallState.OK
    (purchase,) = (await call("customers.get", customer)).purchases
    assert (purchase.product_ref, purchase.plan_ref, purchase.status) == (product, plan, "active")


async def test_a_look_consumes_nothing_and_use_does(
    call: Either, shop: Shop, customer: str, product: str
) -> None:
    plan = shop.free_plan(product)
    await check(call, customer, product)
    for used in range(1, FREE_UNITS):
        await use(call, customer, product, 1)
        checked = await check(call, customer, product)
        assert (checked.within_limits, checked.remaining) == (True, FREE_UNITS - used)
    await use(call, customer, product, 1)
    denied = await check(call, customer, product)
    assert (denied.within_limits, denied.remaining, denied.plan) == (False, 0, plan)
    assert denied.checkout_url is None
    assert classify_state(denied) is PaywallState.UPGRADE_REQUIRED


async def test_what_is_used_of_one_product_leaves_another_alone(
    call: Either, shop: Shop, customer: str, product: str
) -> None:
    other = shop.product()
    for each in (product, other):
        shop.free_plan(each)
        await check(call, customer, each)
    await use(call, customer, product, FREE_UNITS)
    assert not (await check(call, customer, product)).within_limits
    assert (await check(call, customer, other)).remaining == FREE_UNITS


async def test_without_a_plan_there_is_a_checkout_for_whoever_asks_for_one(
    call: Either, shop: Shop, customer: str, product: str
) -> None:
    denied = await check(call, customer, product)
    assert (denied.within_limits, denied.remaining, denied.plan) == (False, 0, None)
    assert denied.checkout_url is None
    assert classify_state(denied) is PaywallState.ACTIVATION_REQUIRED
    asked = shop.limits(customer, product, includeCheckoutSession=True)
    assert asked["checkoutSessionId"] in asked["checkoutUrl"]
    read = LimitResponse.model_validate(asked)
    assert read.checkout_url == asked["checkoutUrl"]


async def test_a_priced_plan_enrols_nobody(call: Either, shop: Shop, customer: str, product: str) -> None:
    shop.plan(product, type="recurring", price=2999)
    assert (await check(call, customer, product)).plan is None
    assert (await call("customers.get", customer)).purchases == []


async def test_a_default_plan_that_is_paid_from_credits_wants_activation(
    call: Either, shop: Shop, customer: str, product: str
) -> None:
    plan = shop.metered_plan(product, 10, default=True)
    denied = await check(call, customer, product)
    assert (denied.within_limits, denied.remaining, denied.plan) == (False, 0, None)
    assert classify_state(denied) is PaywallState.ACTIVATION_REQUIRED
    asked = shop.limits(customer, product, includeCheckoutSession=True)
    assert asked["activationRequired"] is True
    assert asked["confirmationUrl"]
    assert [each["reference"] for each in asked["plans"]] == [plan]
    assert asked["balance"]["creditsPerUnit"] == 10


async def test_credits_are_units_left(call: Either, shop: Shop, customer: str, product: str) -> None:
    plan = shop.metered_plan(product, 100)
    shop.grant(customer, 550)
    shop.activate(customer, product, plan)
    checked = await check(call, customer, product)
    assert (checked.within_limits, checked.remaining, checked.plan) == (True, 5, plan)
    assert (checked.credit_balance, checked.credits_per_unit, checked.currency) == (550, 100, "USD")


async def test_without_credits_a_top_up_is_wanted_and_not_a_plan(
    call: Either, shop: Shop, customer: str, product: str
) -> None:
    plan = shop.metered_plan(product, 100)
    shop.activate(customer, product, plan)
    denied = await check(call, customer, product)
    assert (denied.within_limits, denied.remaining, denied.plan) == (False, 0, plan)
    assert (denied.credit_balance, denied.credits_per_unit, denied.currency) == (0, 100, "USD")
    assert classify_state(denied) is PaywallState.TOPUP_REQUIRED
    asked = shop.limits(customer, product, includeCheckoutSession=True)
    assert asked["checkoutUrl"]
    assert "plans" not in asked
    assert asked["balance"] == {
        "creditBalance": 0, "creditsPerUnit": 100, "currency": "USD", "remainingUnits": 0,
    }  # fmt: skip


async def test_a_free_plan_without_a_limit_has_much_left(
    call: Either, shop: Shop, customer: str, product: str
) -> None:
    shop.free_plan(product, units=0)
    checked = await check(call, customer, product)
    assert checked.within_limits
    assert checked.remaining >= 1_000_000


async def test_what_else_the_client_can_say_is_taken(
    call: Either, shop: Shop, customer: str, product: str
) -> None:
    plan = shop.free_plan(product)
    said = {"plan_ref": plan, "meter_name": "requests", "usage_type": "requests"}
    assert (await check(call, customer, product, **said)).remaining == FREE_UNITS


async def test_an_unknown_customer_or_product_is_not_found(call: Either, customer: str, product: str) -> None:
    for nobody in ("cus_NOBODY", "anonymous"):
        with pytest.raises(NotFoundError, match="customer_not_found"):
            await check(call, nobody, product)
    with pytest.raises(NotFoundError, match="product_not_found"):
        await check(call, customer, "prd_NOTHING")


async def test_a_customer_and_a_product_are_needed(call: Either, customer: str, product: str) -> None:
    for refs in (("", product), (customer, ""), ("cus_" + "A" * 17, product)):
        with pytest.raises(InvalidRequestError, match="Validation failed") as refused:
            await check(call, *refs)
        assert refused.value.status_code == 400
