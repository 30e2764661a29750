"""Auto-recharge (contract §3.7): credits are bought with a saved card when the balance runs low."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterhouse.model.customer import Customer
from meterhouse.model.errors import PaymentNotFound, ProcessorUnavailable
from meterhouse.model.payment import Card, Intent, NewPayment, PaymentStatus, SavedMethod, Setup
from meterhouse.model.tenant import Caller, Environment
from meterhouse.settings import Settings
from meterhouse.wiring import Service, open_service
from tests.conftest import Client, speak_to
from tests.contract.catalogs import Clock
from tests.flow.answers import error, faults, ok
from tests.flow.payer import INTENTS, confirm, intent, process, topup
from tests.flow.shop import CUSTOMER, PRODUCT, activate, balance, grant, plan, track
from tests.flow.waiting import until_equal

PATH = "/v1/sdk/auto-recharge"
ASKED = {
    "customerRef": CUSTOMER, "enabled": True, "triggerType": "balance", "thresholdAmountMajor": 5,
    "topupAmountMajor": 20, "currency": "USD",
}  # fmt: skip
PAYG = {"name": "Pay as you go", "type": "usage-based", "creditsPerUnit": 10_000}
"""A dollar a unit."""


async def save(client: Client, **said: Any) -> dict[str, Any]:
    done: dict[str, Any] = ok(await client.put(PATH, json=ASKED | said))
    return done


async def config(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = ok(await client.get(PATH, params={"customerRef": CUSTOMER}))
    return found


async def switch_off(client: Client) -> dict[str, Any]:
    done: dict[str, Any] = ok(await client.delete(PATH, params={"customerRef": CUSTOMER}))
    return done


async def paid_once(client: Client, amount: int = 1000) -> None:
    """Let the customer pay with a card, which is saved then; the balance is 10 dollars."""
    made = await topup(client, amount, key="first")
    await confirm(client, made)
    ok(await process(client, made))


async def spending(client: Client) -> None:
    """Give the customer a plan that debits a dollar for each unit."""
    await activate(client, await plan(client, **PAYG))


async def recharges(client: Client) -> list[dict[str, Any]]:
    """Return the payments that are not the first one."""
    return ok(await client.get(INTENTS))["paymentIntents"][:-1]  # type: ignore[no-any-return]


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
        for charged in (1, 2):
            await track(client, units=await balance(client) // 10_000)
            await until_equal(lambda: balance(client), 200_000)
            await until_equal(lambda: _charged(client), 2000 * charged)
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
    await until_equal(lambda: _charged(client), 2000)
    await track(client, units=20)
    clock.advance(timedelta(days=28))
    assert (await config(client))["config"]["monthlySpendMinor"] == 2000
    assert await balance(client) == 0
    clock.advance(timedelta(days=3))
    await until_equal(lambda: balance(client), 200_000)
    await until_equal(lambda: _charged(client), 2000)
    assert (await config(client))["config"]["monthlySpendPeriod"] == "2026-12"


async def _charged(client: Client) -> int:
    spent: int = (await config(client))["config"]["monthlySpendMinor"]
    return spent


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
    wrong = body | {"autoRecharge": terms | {"topupAmountMajor": 1}}
    refused = await client.post(INTENTS, json=wrong, headers={"idempotency-key": "wrong"})
    assert list(faults(refused)) == ["autoRecharge.topupAmountMajor"]


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
        assert faults(answer) == {"customerRef": "is required"}


async def test_the_next_owner_of_a_deleted_customers_ref_is_charged_nothing(client: Client) -> None:
    await paid_once(client)
    await save(client)
    ok(await client.delete(f"/v1/sdk/customers/{CUSTOMER}"))
    ok(await client.post("/v1/sdk/customers", json={"email": "n@example.com", "reference": CUSTOMER}), 201)
    assert await config(client) == {"config": None}
    assert (await save(client))["config"]["status"] == "pending_setup"


METHOD = SavedMethod("cus_stripe", "pm_1")


class Bank:
    """A live processor in memory. answers: what the next charges do, then the last one again and again."""

    publishable_key = "pk_live_1"

    def __init__(self) -> None:
        self.intents: dict[str, Intent] = {}
        self.owners: dict[str, SavedMethod | None] = {}
        self.answers: list[str] = ["paid"]
        self.charged: list[str] = []
        self.is_set_up = False

    async def create(self, new: NewPayment, key: str) -> Intent:
        made = Intent(id=f"pi_{key}", client_secret="s", status=PaymentStatus.REQUIRES_PAYMENT_METHOD)
        self.owners.setdefault(made.id, new.method)
        return self.intents.setdefault(made.id, made)

    async def look(self, intent_id: str) -> Intent:
        if intent_id not in self.intents:
            raise PaymentNotFound
        return self.intents[intent_id]

    async def charge(self, intent_id: str, method: SavedMethod) -> Intent:
        assert self.owners[intent_id] == method == METHOD
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        intent = await self.look(intent_id)
        if answer in ("paid", "paid, answer lost"):
            if intent.status is not PaymentStatus.SUCCEEDED:
                self.charged.append(intent_id)
            card = Card("visa", "4242", 1, 2031)
            intent = Intent(
                id=intent_id, client_secret="s", status=PaymentStatus.SUCCEEDED, card=card, method=method
            )
        elif answer == "declined":
            intent = Intent(id=intent_id, client_secret="s", status=intent.status, failure="No funds.")
        self.intents[intent_id] = intent
        if answer in ("down", "paid, answer lost"):
            raise ProcessorUnavailable
        return intent

    async def set_up(self, customer: Customer, key: str) -> Setup:  # noqa: ARG002 - one is enough
        return Setup("seti_1", "seti_1_secret")

    async def look_up(self, setup_id: str) -> SavedMethod | None:
        assert setup_id == "seti_1"
        return METHOD if self.is_set_up else None


@asynccontextmanager
async def live_shop(path: Path, bank: Bank, clock: Clock) -> AsyncIterator[tuple[Service, Client]]:
    async with open_service(Settings(data=str(path)), clock, live=bank) as service:
        scope = await service.catalog.providers.scope("default", Environment.LIVE)
        issued = await service.catalog.keys.create(Caller(scope, "cli"), "test")
        yield service, speak_to(service, issued.secret)


async def ready_to_spend(client: Client, bank: Bank) -> None:
    """Make a customer with 6 dollars, a plan and a saved card, whose balance is watched."""
    ok(await client.post("/v1/sdk/customers", json={"email": "a@b.example", "reference": CUSTOMER}), 201)
    ok(await client.post("/v1/sdk/products", json={"name": "API", "reference": PRODUCT}), 201)
    await grant(client, 60_000)
    await spending(client)
    assert (await save(client))["setupClientSecret"] == "seti_1_secret"
    bank.is_set_up = True
    assert (await config(client))["config"]["status"] == "active"


async def test_in_live_the_processor_charges_the_card_that_was_set_up(tmp_path: Path) -> None:
    bank = Bank()
    async with live_shop(tmp_path, bank, Clock()) as (_, client):
        await ready_to_spend(client, bank)
        await track(client, units=3)
        await until_equal(lambda: balance(client), 230_000)
        assert len(bank.charged) == 1
        assert (await config(client))["config"]["paymentMethodId"] == "pm_1"


async def test_declined_charges_back_off_and_end_it_visibly(tmp_path: Path) -> None:
    bank, clock = Bank(), Clock()
    bank.answers = ["declined"]
    async with live_shop(tmp_path, bank, clock) as (service, client):
        await ready_to_spend(client, bank)
        await track(client, units=3)
        for failures, wait in ((1, timedelta(minutes=1)), (2, timedelta(hours=1))):
            await until_equal(lambda: _failures(client), failures)
            found = (await config(client))["config"]
            assert (found["status"], found["failureReason"]) == ("active", "No funds.")
            assert found["nextChargeAt"] > found["updatedAt"]
            clock.advance(wait)
        await until_equal(lambda: _failures(client), 3)
        assert (await config(client))["config"]["status"] == "failed"
        assert await balance(client) == 30_000
        scope = await service.catalog.providers.scope("default", Environment.LIVE)
        (entry, *_) = (await service.catalog.audit.page(scope.id, 1)).entries
        assert entry.action == "auto_recharge.failed"
        bank.answers = ["paid"]
        again = (await save(client))["config"]
        assert (again["status"], again["failureCount"]) == ("active", 0)
        await until_equal(lambda: balance(client), 230_000)


async def _failures(client: Client) -> int:
    count: int = (await config(client))["config"]["failureCount"]
    return count


@pytest.mark.parametrize("lost", ["down", "paid, answer lost"])
async def test_a_charge_that_was_cut_off_is_taken_up_and_made_once(tmp_path: Path, lost: str) -> None:
    bank, clock = Bank(), Clock()
    bank.answers = [lost, "paid"]
    async with live_shop(tmp_path, bank, clock) as (_, client):
        await ready_to_spend(client, bank)
        await track(client, units=3)

        async def tried() -> int:
            return len(bank.answers)

        await until_equal(tried, 1)
        assert "lockAcquiredAt" in (await config(client))["config"]
        headers = client.headers
    clock.advance(timedelta(minutes=1))  # and the server was restarted
    async with open_service(Settings(data=str(tmp_path)), clock, live=bank) as service:
        client = speak_to(service, None)
        client.headers = headers
        await until_equal(lambda: balance(client), 230_000)
        await until_equal(lambda: _charged(client), 2000)
        assert len(bank.charged) == 1
        assert len(ok(await client.get(INTENTS))["paymentIntents"]) == 1


async def test_a_charge_that_was_cut_off_is_not_made_once_it_is_off(tmp_path: Path) -> None:
    bank, clock = Bank(), Clock()
    bank.answers = ["down", "paid"]
    async with live_shop(tmp_path, bank, clock) as (_, client):
        await ready_to_spend(client, bank)
        await track(client, units=3)

        async def in_flight() -> bool:
            return "lockAcquiredAt" in (await config(client))["config"]

        await until_equal(in_flight, wanted=True)
        await switch_off(client)
        clock.advance(timedelta(minutes=1))
        await until_equal(in_flight, wanted=False)
        assert bank.charged == []
        assert await balance(client) == 30_000
        assert (await config(client))["config"]["failureCount"] == 0
