"""Usage that arrives late, and usage that names its purchase: what it counts for is as when it happened."""

from datetime import timedelta
from typing import Any

from tests.conftest import Client
from tests.contract.catalogs import Clock
from tests.flow.answers import ok
from tests.flow.shop import (
    CUSTOMER,
    FREE,
    PRODUCT,
    activate,
    balance,
    limits,
    plan,
    track,
    usage_of,
    with_credits,
)

DAY = timedelta(days=1)
NOTHING = {"debited": False, "reason": "no_active_purchase"}
CUSTOMERS = "/v1/sdk/customers"


def day(number: int) -> dict[str, str]:
    """When something happened; the clock begins on the first."""
    return {"timestamp": f"2026-11-{number:02}T12:00:00Z"}


async def used_of(client: Client, purchase: str) -> list[Any]:
    """Return what was used in each period of a purchase, the oldest first."""
    periods = ok(await client.get(f"/v1/purchases/{purchase}/periods"))["periods"]
    return [period["used"] for period in reversed(periods)]


async def test_late_usage_of_an_ended_purchase_counts_in_its_period(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    bought = (await activate(client, await plan(client, limit=10, billingCycle="weekly")))["purchaseRef"]
    clock.advance(8 * DAY)
    ok(await client.post(f"/v1/sdk/purchases/{bought}/cancel"))  # it ends on the 15th
    clock.advance(12 * DAY)
    assert (await limits(client))["withinLimits"] is False
    await track(client, units=2, **day(3))
    await track(client, units=3, **day(14))
    await track(client, units=1, purchaseRef=bought, **day(14))
    assert await used_of(client, bought) == [2, 4]
    for after in ({}, day(15), day(16), {"timestamp": "2026-11-15T00:00:00Z"}):
        assert (await track(client, **after))["creditDebit"] == NOTHING
    assert await used_of(client, bought) == [2, 4]


async def test_late_usage_of_an_ended_purchase_is_debited(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    bought = await with_credits(client, 500)
    clock.advance(DAY)
    ok(await client.post(f"/v1/sdk/purchases/{bought}/cancel"))
    clock.advance(DAY)
    assert (await track(client, **day(1)))["creditDebit"]["amount"] == 100
    assert (await track(client))["creditDebit"] == NOTHING
    assert await balance(client) == 400


async def test_after_a_switch_late_usage_counts_for_the_purchase_that_it_names(
    timed: tuple[Clock, Client],
) -> None:
    clock, client = timed
    first = (await activate(client, await plan(client, **FREE)))["purchaseRef"]
    clock.advance(4 * DAY)
    second = (await activate(client, await plan(client, name="Other", limit=10)))["purchaseRef"]
    clock.advance(DAY)
    await track(client, units=3, purchaseRef=first, **day(2))
    assert (await track(client, purchaseRef=first, **day(5)))["creditDebit"] == NOTHING  # it had ended
    assert (await track(client, **day(2)))["creditDebit"] == NOTHING  # the second had not begun
    assert (await track(client, purchaseRef=first))["creditDebit"] == NOTHING
    assert (await usage_of(client, first))["used"] == 3
    await track(client, units=4, **day(5))
    assert (await usage_of(client, second))["used"] == 4


async def test_late_usage_is_not_of_who_got_a_deleted_customers_ref(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    free = await plan(client, **FREE)
    former = (await activate(client, free))["purchaseRef"]
    clock.advance(2 * DAY)
    ok(await client.delete(f"{CUSTOMERS}/{CUSTOMER}"))
    gone = await track(client, purchaseRef=former, **day(1))
    assert gone["creditDebit"]["reason"] == "customer_not_found"
    ok(await client.post(CUSTOMERS, json={"reference": CUSTOMER, "email": "b@example.com"}), 201)
    for named in ({}, {"purchaseRef": former}):
        assert (await track(client, **named, **day(1)))["creditDebit"] == NOTHING
    assert (await usage_of(client, former))["used"] == 0
    now = (await activate(client, free))["purchaseRef"]
    assert now != former
    for named in ({}, {"purchaseRef": former}, {"purchaseRef": now}):
        assert (await track(client, **named, **day(1)))["creditDebit"] == NOTHING
    assert [(await usage_of(client, each))["used"] for each in (former, now)] == [0, 0]


async def test_a_purchase_of_another_product_than_the_usage_counts_for_nothing(client: Client) -> None:
    bought = await with_credits(client, 500)
    done = await track(client, productRef="prd_ai_assistant", purchaseRef=bought, units=2)
    assert done["creditDebit"] == NOTHING
    event = {"customerRef": CUSTOMER, "productRef": "prd_ai_assistant", "purchaseRef": bought, "value": 2}
    ok(await client.post("/v1/sdk/meter-events", json=event))
    assert (await usage_of(client, bought))["used"] == 0
    assert await balance(client) == 500
    for named in ({"productRef": PRODUCT}, {"productRef": None}):
        assert (await track(client, purchaseRef=bought, **named))["creditDebit"]["amount"] == 100
    assert (await usage_of(client, bought))["used"] == 2
