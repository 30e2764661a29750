"""How purchases end by themselves: `autoRenew`, `accessExpiryDays`, `trialDays` (docs/limits.md)."""

from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import Client
from tests.contract.catalogs import Clock
from tests.flow.answers import error, ok
from tests.flow.shop import activate, limits, plan, track, usage_of
from tests.flow.visitor import opened, purchases

Timed = tuple[Clock, Client]
INSTANT = timedelta(microseconds=1)


async def bought(client: Client, ref: str) -> dict[str, Any]:
    found: dict[str, Any] = ok(await client.get(f"/v1/sdk/purchases/{ref}"))
    return found


async def remaining(client: Client) -> int | None:
    """What a limit check has left to give; None where it says no."""
    found = await limits(client)
    return int(found["remaining"]) if found["withinLimits"] else None


@pytest.mark.parametrize(
    ("terms", "days"),
    [
        ({"billingCycle": "weekly", "autoRenew": False}, 7),
        ({"billingCycle": "weekly", "accessExpiryDays": 10}, 10),
        ({"billingCycle": "weekly", "autoRenew": False, "accessExpiryDays": 10}, 7),
        ({"billingCycle": "monthly", "autoRenew": False, "accessExpiryDays": 10}, 10),
        ({"type": "one-time", "autoRenew": False, "accessExpiryDays": 10}, 10),
    ],
)
async def test_a_purchase_that_does_not_renew_ends_at_its_instant_and_is_not_had_again(
    timed: Timed, terms: dict[str, Any], days: int
) -> None:
    clock, client = timed
    sold = await plan(client, limit=10, **terms)
    ref = (await activate(client, sold))["purchaseRef"]
    end = f"2026-11-{1 + days:02}T00:00:00.000Z"
    before = await bought(client, ref)
    assert (before["status"], before["endDate"], "nextBillingDate" in before) == ("active", end, False)
    clock.advance(timedelta(days=days) - INSTANT)
    assert await remaining(client) == 10
    clock.advance(INSTANT)
    assert await remaining(client) is None
    assert (await bought(client, ref))["status"] == "expired"
    await track(client, units=3)  # now, for nothing
    await track(client, units=4, timestamp=f"2026-11-{days:02}T23:59:59.999999Z")  # late
    assert (await usage_of(client, ref))["used"] == 4
    error(await client.post(f"/v1/sdk/purchases/{ref}/reactivate"), 400, "purchase_not_reactivable")
    assert (await activate(client, sold))["status"] == "invalid"
    assert (await activate(client, await plan(client, name="Other")))["status"] == "activated"


async def test_a_cancelled_purchase_ends_with_its_period_or_its_access_whichever_is_first(
    timed: Timed,
) -> None:
    clock, client = timed
    sold = await plan(client, limit=10, billingCycle="weekly", accessExpiryDays=10)
    ref = (await activate(client, sold))["purchaseRef"]
    cancel = f"/v1/sdk/purchases/{ref}/cancel"
    assert ok(await client.post(cancel))["purchase"]["endDate"] == "2026-11-08T00:00:00.000Z"
    kept = ok(await client.post(f"/v1/sdk/purchases/{ref}/reactivate"))["purchase"]
    assert kept["endDate"] == "2026-11-11T00:00:00.000Z"  # its access still ends
    clock.advance(timedelta(days=7))
    assert ok(await client.post(cancel))["purchase"]["endDate"] == "2026-11-11T00:00:00.000Z"


async def test_a_free_trial_goes_on_and_a_priced_one_waits_for_its_payment(timed: Timed) -> None:
    clock, client = timed
    free = (await activate(client, await plan(client, limit=10, trialDays=3)))["purchaseRef"]
    assert (await bought(client, free))["status"] == "trialing"
    clock.advance(timedelta(days=3))
    assert ((await bought(client, free))["status"], await remaining(client)) == ("active", 10)

    sold = await plan(client, price=1900, limit=10, trialDays=3, billingCycle="weekly")
    ref = (await activate(client, sold))["purchaseRef"]
    await track(client, units=4)
    clock.advance(timedelta(days=3) - INSTANT)
    assert ((await bought(client, ref))["status"], await remaining(client)) == ("trialing", 6)
    clock.advance(INSTANT)
    assert ((await bought(client, ref))["status"], await remaining(client)) == ("suspended", None)
    assert (await activate(client, sold))["status"] == "payment_required"


async def test_a_trial_that_is_paid_in_time_goes_on_with_what_was_used(timed: Timed) -> None:
    clock, client = timed
    sold = await plan(client, price=1900, limit=10, trialDays=3, billingCycle="weekly")
    ref = (await activate(client, sold))["purchaseRef"]
    await track(client, units=4)
    clock.advance(timedelta(days=2))
    await (await opened(client, client, planRef=sold)).does("pay", outcome="success")
    clock.advance(timedelta(days=5) - INSTANT)
    (kept,) = await purchases(client)
    assert (kept["reference"], kept["status"], await remaining(client)) == (ref, "active", 6)
    clock.advance(INSTANT)  # a week from its start, and not from when it was paid
    assert await remaining(client) == 10


async def test_who_pays_for_a_trial_that_was_cancelled_keeps_the_purchase(timed: Timed) -> None:
    clock, client = timed
    sold = await plan(client, price=1900, limit=10, trialDays=3, billingCycle="weekly")
    ref = (await activate(client, sold))["purchaseRef"]
    ok(await client.post(f"/v1/sdk/purchases/{ref}/cancel"))
    await (await opened(client, client, planRef=sold)).does("pay", outcome="success")
    kept = await bought(client, ref)
    assert ("cancelledAt" in kept, kept["autoRenew"]) == (False, True)
    clock.advance(timedelta(days=7))
    assert await remaining(client) == 10


async def test_who_leaves_a_trial_and_comes_back_has_no_second_one(timed: Timed) -> None:
    clock, client = timed
    sold = await plan(client, limit=10, trialDays=3, billingCycle="weekly")
    other = await plan(client, name="Other", limit=2)
    ref = (await activate(client, sold))["purchaseRef"]
    await track(client, units=4)
    clock.advance(timedelta(days=1))
    await activate(client, other)
    assert await remaining(client) == 2
    assert (await activate(client, sold))["purchaseRef"] == ref
    assert await remaining(client) == 6
    assert (await bought(client, ref))["trialEndDate"] == "2026-11-04T00:00:00.000Z"
