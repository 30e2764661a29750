"""Which fields `POST /v1/sdk/limits` answers in each of its states, and no others (contract §3.2).

Both SDKs decide by which fields are there: `plans` beside an empty balance would be another gate.
"""

from typing import Any, Final

import pytest

from tests.conftest import Client
from tests.flow.shop import FREE, PAY_AS_YOU_GO, activate, grant, limits, plan, reserve, track

ALWAYS: Final = {"withinLimits", "remaining", "meterName", "product"}
HAS_PLAN: Final = ALWAYS | {"plan"}
CREDITS: Final = {"creditBalance", "creditsPerUnit", "currency", "balance"}
CHECKOUT: Final = {"checkoutSessionId", "checkoutUrl"}
HOLD: Final = {"holdRef", "reservedUnits", "expiresAt"}
ACTIVATION: Final = ALWAYS | {"activationRequired", "plans"}
POST_PAID: Final = {"type": "usage-based", "billingModel": "post-paid", "creditsPerUnit": 2}
HYBRID: Final = {"type": "hybrid", "limit": 2}
PASS: Final = {"type": "one-time", "limit": 2}
TWO_PRICES: Final = [{"currency": "USD", "price": 900}, {"currency": "EUR", "price": 800}]
UNLIMITED: Final = 10**15


async def buy(client: Client, terms: dict[str, Any], credits_: int = 0, used: int = 0) -> None:
    if credits_:
        await grant(client, credits_)
    await activate(client, await plan(client, **terms))
    if used:
        await track(client, units=used)


@pytest.mark.parametrize(
    ("terms", "credits_", "remaining", "fields"),
    [
        (FREE, 0, 10, HAS_PLAN),
        ({"limit": 0}, 0, UNLIMITED, HAS_PLAN),
        (PASS, 0, 2, HAS_PLAN),
        ({"type": "one-time"}, 0, UNLIMITED, HAS_PLAN),
        (HYBRID, 0, 2, HAS_PLAN),
        (POST_PAID, 0, UNLIMITED, HAS_PLAN),
        (POST_PAID | {"limit": 3}, 500, 3, HAS_PLAN),  # a balance that pays for nothing is not shown
        (PAY_AS_YOU_GO, 500, 5, HAS_PLAN | CREDITS),
        (PAY_AS_YOU_GO | {"limit": 3}, 500, 3, HAS_PLAN | CREDITS),
    ],
)
async def test_what_is_within_limits_has_its_plan_and_no_page(
    client: Client, terms: dict[str, Any], credits_: int, remaining: int, fields: set[str]
) -> None:
    await buy(client, terms, credits_)
    for found in (await limits(client), await limits(client, includeCheckoutSession=True)):
        assert (found["withinLimits"], found["remaining"], set(found)) == (True, remaining, fields)
    held = await reserve(client, 1)
    assert (held["withinLimits"], set(held)) == (True, fields | HOLD)


@pytest.mark.parametrize(
    ("terms", "credits_", "used", "fields"),
    [
        (FREE, 0, 10, HAS_PLAN),
        (PASS, 0, 2, HAS_PLAN),
        (HYBRID, 0, 2, HAS_PLAN),
        (HYBRID | {"overagePolicy": {"allowOverage": True, "maxOverage": 1}}, 0, 3, HAS_PLAN),
        (POST_PAID | {"limit": 3}, 500, 3, HAS_PLAN),
        (PAY_AS_YOU_GO, 0, 0, HAS_PLAN | CREDITS),
        (PAY_AS_YOU_GO, 199, 1, HAS_PLAN | CREDITS),  # what is left does not pay for a unit
        (PAY_AS_YOU_GO | {"limit": 3}, 900, 3, HAS_PLAN | CREDITS),
    ],
)
async def test_what_is_used_up_has_its_plan_and_a_checkout_where_one_is_wanted(
    client: Client, terms: dict[str, Any], credits_: int, used: int, fields: set[str]
) -> None:
    await plan(client, name="Another")  # on offer, and not shown
    await buy(client, terms, credits_, used)
    for found, wanted in (
        (await limits(client), fields),
        (await limits(client, includeCheckoutSession=True), fields | CHECKOUT),
        (await reserve(client, 1), fields),
    ):
        assert (found["withinLimits"], found["remaining"], set(found)) == (False, 0, wanted)


async def test_more_than_is_free_is_not_held_and_told_as_used_up(client: Client) -> None:
    await buy(client, FREE)
    found = await reserve(client, 11)
    assert (found["withinLimits"], found["remaining"], set(found)) == (False, 10, HAS_PLAN)


@pytest.mark.parametrize(
    ("default", "offered"),
    [
        (PAY_AS_YOU_GO, ["Pay as you go", "Pro"]),
        (PAY_AS_YOU_GO | {"hidden": True}, ["Pro"]),
        (POST_PAID | {"name": "Later"}, ["Later", "Pro"]),
    ],
)
async def test_a_default_plan_that_costs_something_has_to_be_activated(
    client: Client, default: dict[str, Any], offered: list[str]
) -> None:
    await plan(client, **default, default=True)
    await plan(client, name="Pro", price=900)
    await plan(client, name="Secret", hidden=True)
    await plan(client, name="Old", status="archived")
    fields = ACTIVATION | {"balance"}
    for found, wanted in (
        (await limits(client), fields),
        (await limits(client, includeCheckoutSession=True), fields | {"confirmationUrl"}),
        (await reserve(client, 1), fields),
    ):
        assert (found["withinLimits"], found["remaining"], set(found)) == (False, 0, wanted)
        assert found["activationRequired"] is True
        assert [each["name"] for each in found["plans"]] == offered
        assert set(found["balance"]) == {"creditBalance", "creditsPerUnit", "currency", "remainingUnits"}


@pytest.mark.parametrize(
    ("terms", "more"),
    [
        ({"pricingOptions": TWO_PRICES}, {"billingCycle"}),
        (PAY_AS_YOU_GO, {"billingModel", "creditsPerUnit"}),
        (POST_PAID, {"billingModel", "creditsPerUnit", "billingCycle"}),
        (HYBRID, {"billingCycle"}),
        (PASS, set()),
    ],
)
async def test_a_plan_on_offer_has_its_prices_and_what_its_type_needs(
    client: Client, terms: dict[str, Any], more: set[str]
) -> None:
    await plan(client, **PAY_AS_YOU_GO, default=True)
    ref = await plan(client, **{"name": "Pro"} | terms)
    (found,) = [each for each in (await limits(client))["plans"] if each["reference"] == ref]
    assert set(found) == more | {
        "reference", "name", "type", "price", "currency", "requiresPayment", "freeUnits", "pricingOptions",
    }  # fmt: skip
    (own,) = [each for each in found["pricingOptions"] if each.get("default")]
    assert (own["currency"], own["price"]) == (found["currency"], found["price"])
    assert len(found["pricingOptions"]) == len(terms.get("pricingOptions", "1"))


@pytest.mark.parametrize("hidden", [False, True])
async def test_a_free_default_plan_is_begun_hidden_or_not(client: Client, *, hidden: bool) -> None:
    ref = await plan(client, **FREE, hidden=hidden)
    found = await limits(client, includeCheckoutSession=True)
    assert (found["withinLimits"], found["plan"], set(found)) == (True, ref, HAS_PLAN)


@pytest.mark.parametrize("offer", [None, {"name": "Pro", "price": 900}])
async def test_without_a_purchase_or_a_default_there_is_a_checkout_alone(
    client: Client, offer: dict[str, Any] | None
) -> None:
    if offer is not None:
        await plan(client, **offer)
    for found, wanted in (
        (await limits(client), ALWAYS),
        (await limits(client, includeCheckoutSession=True), ALWAYS | CHECKOUT),
        (await reserve(client, 1), ALWAYS),
    ):
        assert (found["withinLimits"], found["remaining"], set(found)) == (False, 0, wanted)
