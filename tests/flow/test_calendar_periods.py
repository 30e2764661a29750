"""`calendarPeriods`: the weeks, months, quarters and years of the UTC calendar (docs/limits.md)."""

from datetime import datetime, timedelta

import pytest

from tests.conftest import Client
from tests.contract.catalogs import Clock
from tests.flow.answers import ok
from tests.flow.shop import CUSTOMER, PRODUCT, activate, limits, plan, track, usage_of

Timed = tuple[Clock, Client]
HALF_OF_NOVEMBER = timedelta(days=14, hours=12)
"""To 2026-11-15, a Sunday, at noon."""
INSTANT = timedelta(microseconds=1)


def turn_to(clock: Clock, time: str) -> None:
    clock.advance(datetime.fromisoformat(time) - clock())


async def test_calendar_periods_begin_on_the_first(timed: Timed) -> None:
    clock, client = timed
    clock.advance(HALF_OF_NOVEMBER)
    terms = {"limit": 10, "billingCycle": "monthly", "calendarPeriods": True}
    bought = (await activate(client, await plan(client, **terms)))["purchaseRef"]
    await track(client, units=10)  # what is left of November has the whole limit
    used = await usage_of(client, bought)
    assert (used["periodStart"], used["resetDate"]) == (
        "2026-11-15T12:00:00.000Z", "2026-12-01T00:00:00.000Z",
    )  # fmt: skip
    turn_to(clock, "2026-11-30T23:59:59.999999Z")
    assert (await limits(client))["withinLimits"] is False
    clock.advance(INSTANT)
    assert (await limits(client))["remaining"] == 10
    await track(client, units=4)
    turn_to(clock, "2026-12-31T23:59:59.999999Z")  # a month has 31 days here, and not 30
    used = await usage_of(client, bought)
    assert (used["used"], used["periodStart"], used["periodEnd"], used["resetDate"]) == (
        4, "2026-12-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z",
    )  # fmt: skip
    turn_to(clock, "2027-02-03T00:00:00Z")
    periods = ok(await client.get(f"/v1/purchases/{bought}/periods"))["periods"]
    assert [(each["periodStart"][:10], each["used"]) for each in periods] == [
        ("2027-02-01", 0), ("2027-01-01", 0), ("2026-12-01", 4), ("2026-11-15", 10),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cycle", "ends"),
    [
        ("weekly", ["2026-11-16", "2026-11-23"]),  # Mondays
        ("monthly", ["2026-12-01", "2027-01-01"]),
        ("quarterly", ["2027-01-01", "2027-04-01"]),
        ("yearly", ["2027-01-01", "2028-01-01"]),
    ],
)
async def test_cancelling_keeps_access_until_the_calendars_period_ends(
    timed: Timed, cycle: str, ends: list[str]
) -> None:
    clock, client = timed
    clock.advance(HALF_OF_NOVEMBER)
    terms = {"limit": 10, "billingCycle": cycle, "calendarPeriods": True}
    bought = (await activate(client, await plan(client, **terms)))["purchaseRef"]
    assert (await usage_of(client, bought))["resetDate"] == f"{ends[0]}T00:00:00.000Z"
    turn_to(clock, f"{ends[0]}T00:00:00Z")
    cancelled = ok(await client.post(f"/v1/sdk/purchases/{bought}/cancel"))["purchase"]
    assert cancelled["endDate"] == f"{ends[1]}T00:00:00.000Z"
    turn_to(clock, f"{ends[1]}T00:00:00Z")
    clock.advance(-INSTANT)
    assert (await limits(client))["remaining"] == 10
    clock.advance(INSTANT)
    assert (await limits(client))["withinLimits"] is False
    assert ok(await client.get(f"/v1/sdk/customers/{CUSTOMER}"))["purchases"] == []


async def test_a_purchase_on_the_first_has_the_whole_month(timed: Timed) -> None:
    clock, client = timed
    terms = {"limit": 10, "calendarPeriods": True, "rolloverUnusedUnits": True}
    bought = (await activate(client, await plan(client, **terms)))["purchaseRef"]
    used = await usage_of(client, bought)
    assert (used["periodStart"][:10], used["periodEnd"][:10]) == ("2026-11-01", "2026-12-01")
    await track(client, units=4)
    turn_to(clock, "2026-12-31T23:59:59.999999Z")
    assert (await limits(client))["remaining"] == 16
    clock.advance(INSTANT)
    assert (await limits(client))["remaining"] == 20


async def test_a_plan_that_is_changed_to_the_calendar_is_so_for_purchases_that_come_after(
    timed: Timed,
) -> None:
    clock, client = timed
    clock.advance(HALF_OF_NOVEMBER)
    ref = await plan(client, limit=10)
    before = (await activate(client, ref))["purchaseRef"]
    changed = await client.put(f"/v1/sdk/products/{PRODUCT}/plans/{ref}", json={"calendarPeriods": True})
    assert ok(changed)["calendarPeriods"] is True
    new = {"email": "second@example.com", "reference": "cus_SECOND"}
    ok(await client.post("/v1/sdk/customers", json=new), 201)
    after = (await activate(client, ref, "cus_SECOND"))["purchaseRef"]
    assert (await usage_of(client, after))["resetDate"] == "2026-12-01T00:00:00.000Z"
    await activate(client, await plan(client, name="Other"))
    assert (await activate(client, ref))["purchaseRef"] == before  # who comes back has the terms of before
    assert (await usage_of(client, before))["resetDate"] == "2026-12-15T12:00:00.000Z"
