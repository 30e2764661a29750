"""Auto-recharge in live: declined charges, lost answers, and servers that stop halfway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from meterhouse.model.customer import Customer
from meterhouse.model.errors import PaymentNotFound, PaymentsNotConfigured, ProcessorUnavailable
from meterhouse.model.payment import Card, Intent, NewPayment, PaymentStatus, SavedMethod, Setup
from meterhouse.model.tenant import Caller, Environment
from meterhouse.settings import Settings
from meterhouse.wiring import Service, open_service
from tests.conftest import Client, speak_to
from tests.contract.catalogs import Clock
from tests.flow.answers import ok
from tests.flow.payer import INTENTS
from tests.flow.recharging import charged, config, save, spending, switch_off
from tests.flow.shop import CUSTOMER, PRODUCT, balance, grant, track
from tests.flow.waiting import until, until_equal

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
        self.silent = 0
        self.is_silent = False

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
        if answer == "silent":
            self.silent += 1
            await asyncio.Future()
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
        if answer == "key refused":
            raise PaymentsNotConfigured
        if answer == "broken":
            raise ZeroDivisionError
        return intent

    async def set_up(self, customer: Customer, key: str) -> Setup:  # noqa: ARG002 - one is enough
        return Setup("seti_1", "seti_1_secret")

    async def look_up(self, setup_id: str) -> SavedMethod | None:
        assert setup_id == "seti_1"
        if self.is_silent:
            raise ProcessorUnavailable
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


async def test_a_charge_without_an_answer_holds_up_no_other(tmp_path: Path) -> None:
    other, bank = "cus_other", Bank()
    bank.answers = ["silent", "paid"]
    async with live_shop(tmp_path, bank, Clock()) as (_, client):
        await ready_to_spend(client, bank)
        await track(client, units=3)
        await until(lambda: bank.silent == 1)
        ok(await client.post("/v1/sdk/customers", json={"email": "b@b.example", "reference": other}), 201)
        await grant(client, 40_000, other)
        await save(client, customerRef=other)
        await until_equal(lambda: balance(client, other), 240_000)
        assert (bank.silent, len(bank.charged)) == (1, 1)
        assert await balance(client) == 30_000


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


@pytest.mark.parametrize("lost", ["down", "paid, answer lost", "key refused"])
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
        await until_equal(lambda: charged(client), 2000)
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


async def test_a_silent_processor_leaves_the_terms_to_be_read(tmp_path: Path) -> None:
    bank = Bank()
    async with live_shop(tmp_path, bank, Clock()) as (_, client):
        ok(await client.post("/v1/sdk/customers", json={"email": "a@b.example", "reference": CUSTOMER}), 201)
        await save(client)
        bank.is_silent = True
        assert (await config(client))["config"]["status"] == "pending_setup"
        bank.is_silent, bank.is_set_up = False, True
        assert (await config(client))["config"]["status"] == "active"


async def test_an_unforeseen_failure_ends_no_sweep(tmp_path: Path) -> None:
    bank, clock = Bank(), Clock()
    bank.answers = ["broken", "paid"]
    async with live_shop(tmp_path, bank, clock) as (_, client):
        await ready_to_spend(client, bank)
        await track(client, units=3)
        await until_equal(lambda: _answers(bank), 1)
        clock.advance(timedelta(minutes=1))
        await until_equal(lambda: balance(client), 230_000)
        assert len(bank.charged) == 1


async def test_a_charge_whose_credits_cannot_be_given_is_not_made_again(tmp_path: Path) -> None:
    bank, clock = Bank(), Clock()
    bank.answers = ["down", "paid"]
    async with live_shop(tmp_path, bank, clock) as (_, client):
        await ready_to_spend(client, bank)
        other = ok(await client.post("/v1/sdk/customers", json={"email": "b@b.example"}), 201)["reference"]
        await track(client, units=3)
        await until_equal(lambda: _answers(bank), 1)
        (made,) = ok(await client.get(INTENTS))["paymentIntents"]
        for key in ("", "payment:"):  # those that its credits are given with
            taken = {"credits": 1, "idempotencyKey": f"{key}{made['processorPaymentId']}"}
            ok(await client.post(f"/v1/sdk/customers/{CUSTOMER}/credits", json=taken))
        await save(client, customerRef=other, topupAmountMajor=5)  # its charges tell when a sweep is through
        for _ in range(3):
            clock.advance(timedelta(hours=2))
            await until_equal(lambda: balance(client, other), 50_000)
            ok(await client.post(f"/v1/customers/{other}/credits/adjust", json={"credits": -50_000}))
        found = (await config(client))["config"]
        assert (found["failureCount"], "lockAcquiredAt" in found) == (0, True)
        assert len([each for each in bank.charged if CUSTOMER in each]) == 1


async def _answers(bank: Bank) -> int:
    return len(bank.answers)
