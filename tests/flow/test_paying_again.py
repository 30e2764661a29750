"""Who pays for a plan that it has gets something for it: it is kept, it goes on, or there is another one."""

from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import Client
from tests.contract.catalogs import Clock
from tests.flow.answers import ok
from tests.flow.payer import confirm, intent, process
from tests.flow.shop import PLANS, activate, limits, plan, track
from tests.flow.visitor import purchases

DAY = timedelta(days=1)
PRICE = 1900


async def pay(client: Client, plan_ref: str, key: str) -> dict[str, Any]:
    """Pay with an intent; return the purchase that was given."""
    made = await intent(client, key, planRef=plan_ref)
    await confirm(client, made)
    done = ok(await process(client, made))
    found: dict[str, Any] = done.get("purchase") or done["oneTimePurchase"]
    return found


async def test_who_pays_for_what_it_had_cancelled_keeps_it(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    pro = await plan(client, price=PRICE)
    bought = await pay(client, pro, "first")
    ok(await client.post(f"/v1/sdk/purchases/{bought['reference']}/cancel"))
    clock.advance(10 * DAY)
    again = await pay(client, pro, "second")
    assert (again["reference"], again.get("cancelledAt")) == (bought["reference"], None)
    clock.advance(25 * DAY)
    assert (await limits(client))["withinLimits"] is True


@pytest.mark.parametrize(
    "ending", [{"accessExpiryDays": 30}, {"type": "one-time"}, {"autoRenew": False}], ids=str
)
async def test_what_does_not_renew_is_bought_anew(
    timed: tuple[Clock, Client], ending: dict[str, Any]
) -> None:
    clock, client = timed
    pro = await plan(client, price=PRICE, limit=10, **ending)
    await pay(client, pro, "first")
    await track(client, units=10)
    clock.advance(29 * DAY)
    assert (await limits(client))["withinLimits"] is False
    await pay(client, pro, "second")
    assert (await limits(client))["remaining"] == 10
    clock.advance(5 * DAY)
    assert (await limits(client))["remaining"] == 10
    assert len(await purchases(client)) == 2


async def test_what_renews_is_not_bought_twice(timed: tuple[Clock, Client]) -> None:
    _, client = timed
    pro = await plan(client, price=PRICE, limit=10)
    bought = await pay(client, pro, "first")
    await track(client, units=4)
    assert (await pay(client, pro, "second"))["reference"] == bought["reference"]
    assert (await limits(client))["remaining"] == 6


@pytest.mark.parametrize(
    ("terms", "change", "day_60"),
    [
        ({"billingCycle": "weekly", "autoRenew": False}, {"billingCycle": "yearly"}, "active"),
        ({"billingCycle": "monthly"}, {"billingCycle": "weekly", "autoRenew": False}, "expired"),
    ],
)
async def test_a_trial_that_is_paid_ends_on_the_terms_that_are_paid(
    timed: tuple[Clock, Client], terms: dict[str, Any], change: dict[str, Any], day_60: str
) -> None:
    clock, client = timed
    pro = await plan(client, price=PRICE, trialDays=3, **terms)
    trial = await activate(client, pro)
    ok(await client.put(f"{PLANS}/{pro}", json=change | {"price": 9900}))
    paid = await pay(client, pro, "first")
    assert (paid["reference"], paid["status"]) == (trial["purchaseRef"], "active")
    clock.advance(60 * DAY)
    (bought,) = await purchases(client)
    assert bought["status"] == day_60
