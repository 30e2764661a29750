"""Auto-recharge (contract §3.7): credits are bought with a saved card when the balance runs low."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterhouse.settings import Settings
from meterhouse.wiring import open_service
from tests.conftest import Client, speak_to
from tests.contract.catalogs import Clock
from tests.flow.answers import error, faults, ok
from tests.flow.payer import INTENTS, confirm, intent, process
from tests.flow.recharging import (
    ASKED,
    PATH,
    charged,
    config,
    paid_once,
    recharges,
    save,
    spending,
    switch_off,
)
from tests.flow.shop import CUSTOMER, balance, track
from tests.flow.waiting import until_equal


async def test_it_is_off_until_it_is_saved(client: Client) -> None:
    assert await config(client) == {"config": None}
    assert await switch_off(client) == {"success": True}
    assert await config(client) == {"config": None}


async def test_what_is_saved_is_answered_in_minor_units_and_for_people(client: Client) -> None:
    await paid_once(client)
    saved = await save(client, maxMonthlySpendMajor=100.5)
    updated = saved["config"].pop("updatedAt")
    assert updated
    assert saved == {
        "config": {
            "enabled": True, "status": "active", "trigger": {"type": "balance", "thresholdAmountMinor": 500},
            "topup": {"mode": "fixed", "amountMinor": 2000, "currency": "USD"},
            "fundingSourceType": "saved_card", "paymentMethodId": "pm_card_visa", "failureCount": 0,
            "maxMonthlySpendMinor": 10_050, "monthlySpendMinor": 0,
            "monthlySpendPeriod": saved["config"]["monthlySpendPeriod"],
        },
        "display": {
            "thresholdAmountMajor": 5, "topupAmountMajor": 20, "currency": "USD",
            "formatted": {"threshold": "$5.00", "topup": "$20.00"}, "exchangeRate": 1, "rateSource": "parity",
        },
    }  # fmt: skip
    found = await config(client)
    assert found == {"config": saved["config"] | {"updatedAt": updated}, "display": saved["display"]}


async def test_a_low_balance_is_topped_up_with_the_saved_card(client: Client) -> None:
    await paid_once(client)
    await spending(client)
    await save(client)
    await track(client, units=5)
    assert await balance(client) == 50_000, "5 dollars are not below 5 dollars"
    await track(client, units=1)
    await until_equal(lambda: balance(client), 240_000)
    (payment,) = await recharges(client)
    assert (payment["amount"], payment["currency"], payment["status"]) == (2000, "usd", "succeeded")
    move = ok(await client.get(f"/v1/customers/{CUSTOMER}/credits"))["items"][0]
    assert (move["type"], move["amount"], move["idempotencyKey"]) == (
        "TOPUP", 200_000, payment["processorPaymentId"],
    )  # fmt: skip

    async def ended() -> bool:
        return "lastChargeAt" in (await config(client))["config"]

    await until_equal(ended, wanted=True)
    found = (await config(client))["config"]
    assert (found["monthlySpendMinor"], found["failureCount"], found["status"]) == (2000, 0, "active")


async def test_nothing_is_charged_once_it_is_off(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    await paid_once(client)
    await spending(client)
    await save(client)
    assert await switch_off(client) == {"success": True}
    assert await switch_off(client) == {"success": True}
    off = (await config(client))["config"]
    assert (off["enabled"], off["status"]) == (False, "disabled")
    await track(client, units=10)
    other = "cus_other"
    made = {"email": "other@example.com", "reference": other}
    ok(await client.post("/v1/sdk/customers", json=made), 201)
    paid = await intent(client, "o", customerRef=other, purpose="credit_topup", amount=100, currency="usd")
    await confirm(client, paid)
    ok(await client.post(f"{INTENTS}/{paid['processorPaymentId']}/process", json={"customerRef": other}))
    await save(client, customerRef=other)  # swept after the first, whose ref is smaller
    clock.advance(timedelta(seconds=1))
    await until_equal(lambda: balance(client, other), 210_000)
    assert await balance(client) == 0


async def test_a_day_has_so_many_charges_and_no_more(tmp_path: Path) -> None:
    clock = Clock()
    async with open_service(Settings(data=str(tmp_path / "d"), auto_recharges_a_day=2), clock) as service:
        assert service.first_start is not None
        client = speak_to(service, service.first_start.secret)
        await paid_once(client)
        await spending(client)
        await save(client)
        for times in (1, 2):
            await track(client, units=await balance(client) // 10_000)
            await until_equal(lambda: balance(client), 200_000)
            await until_equal(lambda: charged(client), 2000 * times)
        await track(client, units=20)
        paused = (await config(client))["config"]
        assert (paused["status"], paused["nextChargeAt"]) == ("active", "2026-11-02T00:00:00.000Z")
        assert await balance(client) == 0
        clock.advance(timedelta(days=1))
        await until_equal(lambda: balance(client), 200_000)
        assert len(await recharges(client)) == 3


async def test_a_month_has_its_own_limit(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    await paid_once(client)
    await spending(client)
    await save(client, maxMonthlySpendMajor=30)
    await track(client, units=10)
    await until_equal(lambda: charged(client), 2000)
    await track(client, units=20)
    clock.advance(timedelta(days=28))
    assert (await config(client))["config"]["monthlySpendMinor"] == 2000
    assert await balance(client) == 0
    clock.advance(timedelta(days=3))
    await until_equal(lambda: balance(client), 200_000)
    await until_equal(lambda: charged(client), 2000)
    assert (await config(client))["config"]["monthlySpendPeriod"] == "2026-12"


async def test_without_a_card_it_waits_for_one(client: Client) -> None:
    saved = await save(client)
    assert saved["config"]["status"] == "pending_setup"
    assert saved["setupClientSecret"].startswith("seti_")
    assert saved["publishableKey"] == "pk_test_sandbox"
    assert "setupClientSecret" not in await save(client, deferSetupIntent=True)
    assert "setupClientSecret" not in await save(client, enabled=False)
    await save(client)
    await paid_once(client, 100)
    assert (await config(client))["config"]["status"] == "active"
    await until_equal(lambda: balance(client), 210_000)


async def test_a_topup_may_begin_it(client: Client) -> None:
    """The SDK sends `autoRecharge` with a top-up: the card that pays is charged from then on."""
    terms = {name: ASKED[name] for name in ASKED if name != "customerRef"}
    body = {
        "customerRef": CUSTOMER, "purpose": "credit_topup", "amount": 600, "currency": "USD",
        "autoRecharge": terms,
    }  # fmt: skip
    made = ok(await client.post(INTENTS, json=body, headers={"idempotency-key": "topup-1"}), 201)
    assert await config(client) == {"config": None}
    await confirm(client, made)
    ok(await process(client, made))
    assert (await config(client))["config"]["status"] == "active"
    await spending(client)
    await track(client, units=2)
    await until_equal(lambda: balance(client), 240_000)
    off = await client.post(
        INTENTS, json=body | {"autoRecharge": terms | {"enabled": False}}, headers={"idempotency-key": "off"}
    )
    ok(off, 201)
    for field, value in (("topupAmountMajor", 1), ("currency", "EUR")):
        wrong = body | {"autoRecharge": terms | {field: value}}
        refused = await client.post(INTENTS, json=wrong, headers={"idempotency-key": f"wrong {field}"})
        assert list(faults(refused)) == [f"autoRecharge.{field}"]


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({"customerRef": None}, {"customerRef"}),
        ({"enabled": None}, {"enabled"}),
        ({"triggerType": "time"}, {"triggerType"}),
        ({"currency": None}, {"currency"}),
        ({"currency": "dollars"}, {"currency"}),
        ({"currency": "EUR"}, {"currency"}),
        ({"thresholdAmountMajor": None}, {"thresholdAmountMajor"}),
        ({"thresholdAmountMajor": 0}, {"thresholdAmountMajor"}),
        ({"thresholdAmountMajor": 5.001}, {"thresholdAmountMajor"}),
        ({"topupAmountMajor": 10_001}, {"topupAmountMajor"}),
        ({"topupAmountMajor": "20"}, {"topupAmountMajor"}),
        ({"topupAmountMajor": 0.49, "thresholdAmountMajor": 0.01}, {"topupAmountMajor"}),
        ({"topupAmountMajor": 4}, {"topupAmountMajor"}),
        ({"maxMonthlySpendMajor": 19.99}, {"maxMonthlySpendMajor"}),
        ({"maxMonthlySpendMajor": -1}, {"maxMonthlySpendMajor"}),
    ],
)
async def test_bad_terms_are_refused_by_their_fields(
    client: Client, said: dict[str, Any], fields: set[str]
) -> None:
    assert faults(await client.put(PATH, json=ASKED | said)).keys() == fields
    assert await config(client) == {"config": None}


async def test_an_unknown_customer_is_not_found(client: Client, stranger: Client) -> None:
    for who, ref in ((client, "cus_nobody"), (stranger, CUSTOMER)):
        query = {"customerRef": ref}
        error(await who.get(PATH, params=query), 404, "customer_not_found")
        error(await who.put(PATH, json=ASKED | query), 404, "customer_not_found")
        error(await who.delete(PATH, params=query), 404, "customer_not_found")
    for answer in (await client.get(PATH), await client.delete(PATH)):
        assert "externalRef" in faults(answer)["customerRef"]


async def test_the_next_owner_of_a_deleted_customers_ref_is_charged_nothing(client: Client) -> None:
    await paid_once(client)
    await save(client)
    ok(await client.delete(f"/v1/sdk/customers/{CUSTOMER}"))
    ok(await client.post("/v1/sdk/customers", json={"email": "n@example.com", "reference": CUSTOMER}), 201)
    assert await config(client) == {"config": None}
    assert (await save(client))["config"]["status"] == "pending_setup"
