"""Many requests at once: one purchase, and never more than there is (docs/holds.md, docs/limits.md)."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.conftest import Client
from tests.flow.answers import error, ok
from tests.flow.shop import (
    CUSTOMER,
    FREE,
    PAY_AS_YOU_GO,
    activate,
    balance,
    limits,
    plan,
    reserve,
    track,
    with_credits,
)

OTHER = "prd_ai_assistant"
MANY = 24


async def purchases(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(await client.get(f"/v1/sdk/purchases/customer/{CUSTOMER}"))["purchases"]
    return found


@pytest.mark.parametrize("asked", [{}, {"reserve": {"units": 1, "ttlSeconds": 60}}], ids=["look", "reserve"])
async def test_a_customer_whose_first_calls_come_at_once_is_enrolled_once(
    client: Client, asked: dict[str, Any]
) -> None:
    free = await plan(client, **FREE)
    found = await asyncio.gather(*(limits(client, **asked) for _ in range(MANY)))
    (bought,) = await purchases(client)
    assert (bought["planRef"], bought["origin"]) == (free, "free_default")
    if asked:
        assert Counter(each["withinLimits"] for each in found) == {True: 10, False: MANY - 10}
        assert len({each["holdRef"] for each in found if "holdRef" in each}) == 10
    else:
        assert all(each == found[0] for each in found)
    assert bought["usage"]["heldUnits"] == (10 if asked else 0)


async def test_a_plan_activated_many_times_at_once_is_bought_once(client: Client) -> None:
    """Beside limit checks, which enrol in the free plan who has none."""
    free, chosen = await plan(client, **FREE), await plan(client, name="Chosen", limit=50)
    done = await asyncio.gather(
        *(activate(client, chosen) if turn % 2 else limits(client) for turn in range(MANY))
    )
    refs = {each["purchaseRef"] for each in done if "purchaseRef" in each}
    assert len(refs) == 1
    assert Counter(each["planRef"] for each in await purchases(client)) in (
        Counter([chosen]),
        Counter([chosen, free]),
    )
    assert (await limits(client))["plan"] == chosen


async def test_holds_debits_and_adjustments_at_once_take_no_credit_twice(client: Client) -> None:
    """Of two products, which share the balance."""
    await with_credits(client, 1_000)
    plans = f"/v1/sdk/products/{OTHER}/plans"
    other = ok(await client.post(plans, json=PAY_AS_YOU_GO), 201)["reference"]
    bought = {"customerRef": CUSTOMER, "productRef": OTHER, "planRef": other}
    ok(await client.post("/v1/sdk/activate", json=bought))
    taken = f"/v1/customers/{CUSTOMER}/credits/adjust"

    async def take(turn: int) -> tuple[int, dict[str, Any] | None]:
        """Return the credits that were held or are gone, and the hold."""
        if turn % 4 == 0:
            debit = (await track(client, units=1))["creditDebit"]
            return (debit["amount"] if debit["debited"] else 0), None
        if turn % 4 == 1:
            answer = await client.post(taken, json={"credits": -100})
            if answer.status_code != 200:
                error(answer, 409, "credits_not_free")
            return (100 if answer.status_code == 200 else 0), None
        found = await limits(
            client,
            productRef=OTHER if turn % 4 == 2 else "prd_content_api",
            reserve={"units": 1, "ttlSeconds": 60},
        )
        return (100 if "holdRef" in found else 0), (found if "holdRef" in found else None)

    done = await asyncio.gather(*(take(turn) for turn in range(MANY)))
    assert sum(credits_ for credits_, _ in done) == 1_000
    holds = [hold["holdRef"] for _, hold in done if hold is not None]
    assert await balance(client) == 100 * len(holds)
    assert "holdRef" not in await reserve(client, 1)
    settled = await asyncio.gather(
        *(client.post(f"/v1/sdk/holds/{hold}/settle", json={"units": 1}) for hold in holds * 3)
    )
    assert all(ok(each)["overLimitUnits"] == 0 for each in settled)
    assert await balance(client) == 0
