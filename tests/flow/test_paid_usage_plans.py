"""The price of a plan whose units are paid with credits buys credits, once for each payment."""

from typing import Any

import pytest

from tests.conftest import Client
from tests.flow.answers import error, faults, ok
from tests.flow.payer import INTENTS, confirm, intent, process
from tests.flow.shop import CUSTOMER, PAY_AS_YOU_GO, PRODUCT, activate, balance, grant, limits, plan, track
from tests.flow.test_balance_ceiling import fill
from tests.flow.visitor import opened, purchases

PACK = PAY_AS_YOU_GO | {"price": 2900}
HISTORY = f"/v1/customers/{CUSTOMER}/credits"


async def buy(client: Client, plan_ref: str, key: str) -> dict[str, Any]:
    made = await intent(client, key, planRef=plan_ref)
    await confirm(client, made)
    ok(await process(client, made))
    return made


async def test_a_paid_plan_gives_the_credits_that_its_price_pays(client: Client) -> None:
    pack = await plan(client, **PACK)
    made = await intent(client, planRef=pack)
    assert await balance(client) == 0
    await confirm(client, made)
    done = ok(await process(client, made))
    assert (done["status"], done["purchase"]["planRef"]) == ("succeeded", pack)
    assert await balance(client) == 290_000
    assert (await limits(client))["remaining"] == 2_900
    debit = (await track(client, units=5))["creditDebit"]
    assert debit == {"debited": True, "amount": 500, "unitsRemaining": 2_895}
    (_, bought) = ok(await client.get(HISTORY))["items"]
    assert (bought["type"], bought["amount"]) == ("TOPUP", 290_000)


async def test_a_repeated_process_gives_its_credits_once(client: Client) -> None:
    made = await buy(client, await plan(client, **PACK), "once")
    first = ok(await process(client, made))
    await confirm(client, made)
    assert ok(await process(client, made)) == first
    assert await balance(client) == 290_000
    assert len(await purchases(client)) == 1


async def test_paying_again_gives_credits_again(client: Client) -> None:
    pack = await plan(client, **PACK)
    for number in range(3):
        await buy(client, pack, f"payment {number}")
        assert await balance(client) == 290_000 * (number + 1)
    assert sorted(each["status"] for each in await purchases(client)) == ["active", "expired", "expired"]
    assert (await limits(client))["remaining"] == 3 * 2_900


async def test_a_plan_that_was_activated_can_be_paid_for_its_credits(client: Client) -> None:
    pack = await plan(client, **PACK)
    active = await activate(client, pack)
    assert (active["status"], active["creditBalance"]) == ("activated", 0)
    await buy(client, pack, "later")
    (bought,) = await purchases(client)
    assert bought["reference"] == active["purchaseRef"]
    assert await balance(client) == 290_000


async def test_the_checkout_page_sells_the_plan_with_its_credits(client: Client, nobody: Client) -> None:
    pack = await plan(client, **PACK)
    page = await opened(client, nobody)
    chosen = await page.does("select-plan", planRef=pack)
    assert (chosen["step"], chosen["amount"]) == ("pay", 2900)
    assert await purchases(client) == []
    assert (await page.does("pay", outcome="decline"))["step"] == "pay"
    assert await balance(client) == 0
    assert (await page.does("pay", outcome="success"))["step"] == "done"
    assert await balance(client) == 290_000
    (bought,) = await purchases(client)
    assert (bought["planRef"], bought["status"]) == (pack, "active")


async def test_the_checkout_page_sells_more_credits_to_who_has_the_plan(
    client: Client, nobody: Client
) -> None:
    pack = await plan(client, **PACK)
    await buy(client, pack, "first")
    page = await opened(client, nobody)
    assert (await page.does("select-plan", planRef=pack))["step"] == "topup"


async def test_a_setup_fee_buys_no_credits(client: Client) -> None:
    option = {"currency": "USD", "price": 1000, "setupFee": 500, "default": True}
    pack = await plan(client, **PAY_AS_YOU_GO, pricingOptions=[option])
    made = await buy(client, pack, "fee")
    assert made["amount"] == 1500
    assert await balance(client) == 100_000


@pytest.mark.parametrize("currency", ["EUR", "eur"])
async def test_a_price_in_another_currency_is_refused_before_it_is_paid(
    client: Client, currency: str
) -> None:
    options = [{"currency": "USD", "price": 2900, "default": True}, {"currency": "EUR", "price": 2700}]
    pack = await plan(client, **PAY_AS_YOU_GO, pricingOptions=options)
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT, "planRef": pack, "currency": currency}
    refused = await client.post(INTENTS, json=body, headers={"idempotency-key": "k"})
    assert faults(refused) == {"currency": "must be USD, in which credits are sold"}
    assert ok(await client.get(INTENTS))["total"] == 0


async def test_a_balance_without_room_refuses_the_plan_before_it_is_paid(client: Client) -> None:
    pack = await plan(client, **PACK)
    made = await intent(client, "early", planRef=pack)
    await fill(client, room=289_999)
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT, "planRef": pack}
    late = await client.post(INTENTS, json=body, headers={"idempotency-key": "late"})
    error(late, 409, "balance_full")
    path = f"/v1/payment-intents/{made['processorPaymentId']}/confirm"
    pays = {"clientSecret": made["clientSecret"], "outcome": "success"}
    error(await client.post(path, json=pays), 409, "balance_full")
    assert await purchases(client) == []


@pytest.mark.parametrize(
    "terms",
    [
        {"price": 2900},
        {"type": "usage-based", "billingModel": "post-paid", "creditsPerUnit": 5, "price": 2900},
        {"type": "hybrid", "basePrice": 2900, "limit": 5, "creditsPerUnit": 5},
        {"type": "one-time", "price": 2900},
    ],
    ids=lambda terms: terms.get("type", "recurring"),
)
async def test_other_plans_give_no_credits(client: Client, terms: dict[str, object]) -> None:
    await grant(client, 7)
    await buy(client, await plan(client, **terms), "other")
    assert await balance(client) == 7
    assert len(await purchases(client)) == 1
