"""Units that rolled over are included in the period they rolled into: none of them is overage."""

from datetime import timedelta

from tests.conftest import Client
from tests.contract.catalogs import Clock
from tests.flow.shop import activate, limits, plan, track, usage_of

ROLLING = {"limit": 10, "rolloverUnusedUnits": True, "billingCycle": "weekly"}
AT_A_RATE = {
    "type": "hybrid",
    "overagePolicy": {"allowOverage": True, "maxOverage": 5, "overageRate": 200},
}


async def test_units_that_rolled_over_are_no_overage(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    bought = (await activate(client, await plan(client, **ROLLING)))["purchaseRef"]
    await track(client, units=4)
    clock.advance(timedelta(days=7))
    await track(client, units=16)
    used = await usage_of(client, bought)
    assert (used["used"], used["limitUnits"], used["carriedOverUnits"], used["overageUnits"]) == (
        16,
        16,
        6,
        0,
    )
    await track(client, units=3)
    assert (await usage_of(client, bought))["overageUnits"] == 3


async def test_overage_costs_from_where_the_units_that_rolled_over_end(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    bought = (await activate(client, await plan(client, **ROLLING | AT_A_RATE)))["purchaseRef"]
    clock.advance(timedelta(days=7))
    await track(client, units=20)
    used = await usage_of(client, bought)
    assert (used["overageUnits"], used["overageCost"]) == (0, 0)
    assert (await limits(client))["remaining"] == 5
    await track(client, units=2)
    used = await usage_of(client, bought)
    assert (used["overageUnits"], used["overageCost"]) == (2, 4)
