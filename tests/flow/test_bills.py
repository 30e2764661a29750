"""What a period's usage comes to, through HTTP: the worked examples of the contract (§4.3), to the cent.

Costs are in cents: 100 credits are one.
"""

from typing import Any

import pytest

from tests.conftest import Client
from tests.contract.catalogs import Clock
from tests.flow.answers import ok
from tests.flow.shop import PRODUCT, activate, limits, plan, track, usage_of

TIERS = [
    {"minUsage": 0, "maxUsage": 500, "creditsPerUnit": 50},
    {"minUsage": 501, "maxUsage": 2000, "creditsPerUnit": 30},
    {"minUsage": 2001, "creditsPerUnit": 10},
]
POST_PAID = {"type": "usage-based", "billingModel": "post-paid"}
OVERAGE = {"allowOverage": True, "maxOverage": 20, "overageRate": 4}


async def buy(client: Client, **terms: Any) -> str:
    """Let the customer have a plan that needs no paying first; return its purchase's ref."""
    return str((await activate(client, await plan(client, **terms)))["purchaseRef"])


async def test_a_post_paid_month_as_the_contract_works_it_out(client: Client) -> None:
    """5250 used of 10 000, 100 of them free, at 100 credits: 515 000 credits."""
    ref = await plan(client, **POST_PAID, limit=10_000, creditsPerUnit=100)
    ok(await client.put(f"/v1/sdk/products/{PRODUCT}/plans/{ref}", json={"freeUnits": 100}))
    bought = (await activate(client, ref))["purchaseRef"]
    done = await track(client, units=5_250)
    assert done["creditDebit"] == {"debited": False, "reason": "plan_not_credit_based"}
    used = await usage_of(client, bought)
    assert (used["used"], used["usageCost"]) == (5_250, 5_150)
    assert (used["overageUnits"], used["overageCost"]) == (0, 0)
    assert (await limits(client))["remaining"] == 4_750


async def test_beyond_its_limit_a_post_paid_plan_bills_no_more(client: Client) -> None:
    bought = await buy(client, **POST_PAID, limit=10, creditsPerUnit=50)
    await track(client, units=25)
    used = await usage_of(client, bought)
    assert (used["usageCost"], used["overageUnits"], used["overageCost"]) == (5, 15, 0)


async def test_a_hybrid_month_with_tiers_as_the_contract_works_it_out(client: Client) -> None:
    """2500 beyond the 1000 that are included: 500 at 50, 1500 at 30, 500 at 10, which is 75 000 credits."""
    bought = await buy(
        client,
        type="hybrid",
        limit=1_000,
        usageTiers=TIERS,
        trialDays=1,
        overagePolicy={"allowOverage": True},
    )
    await track(client, units=1_000)
    assert (await usage_of(client, bought))["usageCost"] == 0
    await track(client, units=2_500)
    used = await usage_of(client, bought)
    assert (used["used"], used["overageUnits"]) == (3_500, 2_500)
    assert used["overageCost"] == used["usageCost"] == 750


@pytest.mark.parametrize(
    ("policy", "used", "cost"),
    [
        (OVERAGE, 90, 0),
        (OVERAGE, 110, 0.4),  # 10 beyond the 100 that are included, at 4 credits
        (OVERAGE, 500, 0.8),  # 20 at most are billed
        ({"allowOverage": True}, 110, 0.9),  # without a rate of its own, at the plan's 9 credits
    ],
)
async def test_without_tiers_overage_has_a_rate_and_a_maximum(
    client: Client, policy: dict[str, Any], used: int, cost: float
) -> None:
    terms = {"type": "hybrid", "limit": 100, "creditsPerUnit": 9, "overagePolicy": policy}
    bought = await buy(client, **terms, trialDays=1)  # on trial, what costs something is had at once
    await track(client, units=used)
    assert (await usage_of(client, bought))["overageCost"] == cost


@pytest.mark.parametrize("terms", [{"limit": 5}, {"type": "one-time"}, {"type": "usage-based"}])
async def test_plans_that_bill_nothing_at_the_end_tell_no_cost_of_usage(
    client: Client, terms: dict[str, Any]
) -> None:
    bought = await buy(client, **terms)
    await track(client, units=50)
    used = await usage_of(client, bought)
    assert ("usageCost" in used, used["overageCost"]) == (False, 0)


@pytest.mark.parametrize(
    ("cycle", "ends"),
    [
        ("weekly", "2026-11-08"),
        ("monthly", "2026-12-01"),
        ("quarterly", "2027-01-30"),
        ("yearly", "2027-11-01"),
        ("custom", "2026-12-01"),
    ],
)
async def test_a_period_is_as_long_as_the_contract_says(
    timed: tuple[Clock, Client], cycle: str, ends: str
) -> None:
    _, client = timed
    used = await usage_of(client, await buy(client, billingCycle=cycle))
    assert used["periodStart"] == "2026-11-01T00:00:00.000Z"
    assert used["periodEnd"] == used["resetDate"] == f"{ends}T00:00:00.000Z"
