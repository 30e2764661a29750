"""A balance is at most 10^18 credits: what would be more is refused whole, and nobody pays for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from meterhouse.model.payment import Intent, PaymentStatus, TestOutcome
from meterhouse.model.tenant import Caller, Environment
from meterhouse.senders.sandbox import SandboxProcessor
from meterhouse.settings import Settings
from meterhouse.wiring import open_service
from tests.conftest import Client, speak_to
from tests.flow.answers import error, ok
from tests.flow.payer import INTENTS, confirm, process, topup
from tests.flow.shop import CUSTOMER, balance
from tests.flow.visitor import opened

MOST: Final = 10**18
AT_ONCE: Final = 10**15
GRANTS: Final = f"/v1/sdk/customers/{CUSTOMER}/credits"
ADJUSTMENTS: Final = f"/v1/customers/{CUSTOMER}/credits/adjust"
HISTORY: Final = f"/v1/customers/{CUSTOMER}/credits"


async def fill(client: Client, room: int, customer: str = CUSTOMER) -> None:
    """Grant as much as leaves so much room."""
    url = f"/v1/sdk/customers/{customer}/credits"
    amounts = [AT_ONCE] * (MOST // AT_ONCE - 1) + [AT_ONCE - room]
    for answer in await asyncio.gather(*(client.post(url, json={"credits": each}) for each in amounts)):
        ok(answer)


async def test_a_grant_or_a_correction_beyond_the_most_is_refused_and_moves_nothing(client: Client) -> None:
    await fill(client, room=5)
    newest = ok(await client.get(HISTORY, params={"limit": 1}))
    headers = {"idempotency-key": "g"}
    for url in (GRANTS, ADJUSTMENTS):
        refused = error(await client.post(url, json={"credits": 6}, headers=headers), 409, "balance_full")
        assert "room for 5;" in refused["message"]
    assert await balance(client) == MOST - 5
    assert ok(await client.get(HISTORY, params={"limit": 1})) == newest
    first = ok(await client.post(GRANTS, json={"credits": 5}, headers=headers))  # the key was not burnt
    assert first["balance"] == MOST
    assert ok(await client.post(GRANTS, json={"credits": 5}, headers=headers)) == first
    ok(await client.post(ADJUSTMENTS, json={"credits": -1}))
    assert await balance(client) == MOST - 1


async def test_a_topup_that_has_no_room_is_refused_before_it_is_paid(client: Client, nobody: Client) -> None:
    early = await topup(client, amount=100)
    page = await opened(client, nobody, purpose="credit_topup")
    await page.does("select-topup-amount", amount=100)
    await fill(client, room=9_999)
    body = {"customerRef": CUSTOMER, "purpose": "credit_topup", "amount": 100, "currency": "USD"}
    error(await client.post(INTENTS, json=body, headers={"idempotency-key": "late"}), 409, "balance_full")
    assert ok(await client.get(INTENTS))["total"] == 1
    pays = {"clientSecret": early["clientSecret"], "outcome": "success"}
    path = f"/v1/payment-intents/{early['processorPaymentId']}/confirm"
    error(await client.post(path, json=pays), 409, "balance_full")
    error(await page.send("pay", outcome="success"), 409, "balance_full")
    stands = ok(await client.get(f"{INTENTS}/{early['processorPaymentId']}"))
    assert stands["status"] == "requires_payment_method"
    assert await balance(client) == MOST - 9_999
    ok(await client.post(ADJUSTMENTS, json={"credits": -1}))
    await confirm(client, early)
    ok(await process(client, early))
    assert await balance(client) == MOST


class _Intents:
    """A live processor's, in memory."""

    def __init__(self) -> None:
        self._all: dict[str, Intent] = {}

    async def add(self, key: str, intent: Intent) -> Intent:  # noqa: ARG002 - each is asked for once
        return self._all.setdefault(intent.id, intent)

    async def get(self, intent_id: str) -> Intent | None:
        return self._all.get(intent_id)

    async def end(self, intent_id: str, status: PaymentStatus, failure: str | None) -> None:
        ended = msgspec.structs.replace(self._all[intent_id], status=status, failure=failure)
        self._all[intent_id] = ended


@pytest.fixture
async def processor() -> SandboxProcessor:
    return SandboxProcessor(_Intents())


@pytest.fixture
async def paying(tmp_path: Path, processor: SandboxProcessor) -> AsyncIterator[Client]:
    """Speaks in live, where the processor tells of payments."""
    async with open_service(Settings(data=str(tmp_path)), live=processor) as opened_:
        scope = await opened_.catalog.providers.scope("default", Environment.LIVE)
        issued = await opened_.catalog.keys.create(Caller(scope, "cli"), "test")
        yield speak_to(opened_, issued.secret)


async def test_what_was_paid_before_the_balance_filled_up_is_given_once_there_is_room(
    paying: Client, processor: SandboxProcessor
) -> None:
    ok(await paying.post("/v1/sdk/customers", json={"reference": CUSTOMER, "email": "a@example.com"}), 201)
    made: dict[str, Any] = await topup(paying, amount=100)
    await processor.confirm(made["processorPaymentId"], TestOutcome.SUCCESS)
    await fill(paying, room=0)
    error(await process(paying, made), 409, "balance_full")
    assert ok(await paying.get(f"{INTENTS}/{made['processorPaymentId']}"))["status"] == "succeeded"
    ok(await paying.post(ADJUSTMENTS, json={"credits": -10_001}))
    for _ in range(2):
        assert ok(await process(paying, made))["status"] == "succeeded"
        assert await balance(paying) == MOST - 1
