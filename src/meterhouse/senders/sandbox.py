"""The sandbox's payment processor: no money moves, and a customer pays with a test button."""

import secrets
from hashlib import sha256
from typing import Final

import msgspec

from meterhouse.model.customer import Customer
from meterhouse.model.errors import PaymentNotFound
from meterhouse.model.payment import (
    Card,
    Intent,
    NewPayment,
    PaymentStatus,
    SavedMethod,
    Setup,
    TestOutcome,
)
from meterhouse.ports import SandboxIntents

_METHOD: Final = SavedMethod("sandbox", "pm_card_visa")
_CARD: Final = Card(brand="visa", last4="4242", exp_month=12, exp_year=2034)
_DECLINED: Final = "The card was declined. Nothing was paid."
_ID_CHARACTERS: Final = 24


class SandboxProcessor:
    """Keeps what it knows in `intents`, and so over restarts."""

    publishable_key: Final = "pk_test_sandbox"

    def __init__(self, intents: SandboxIntents) -> None:
        self._intents = intents

    async def create(self, new: NewPayment, key: str) -> Intent:  # noqa: ARG002 - it takes any amount
        digest = sha256(key.encode()).hexdigest()
        intent_id = f"pi_{digest[:_ID_CHARACTERS]}"
        intent = Intent(
            id=intent_id,
            client_secret=f"{intent_id}_secret_{secrets.token_urlsafe(_ID_CHARACTERS)}",
            status=PaymentStatus.REQUIRES_PAYMENT_METHOD,
        )
        return await self._intents.add(digest, intent)

    async def look(self, intent_id: str) -> Intent:
        intent = await self._intents.get(intent_id)
        if intent is None:
            raise PaymentNotFound
        if intent.status is not PaymentStatus.SUCCEEDED:
            return intent
        return msgspec.structs.replace(intent, card=_CARD, method=_METHOD)

    async def charge(self, intent_id: str, method: SavedMethod) -> Intent:  # noqa: ARG002 - there is one card
        return await self.confirm(intent_id, TestOutcome.SUCCESS)

    async def set_up(self, customer: Customer, key: str) -> Setup:  # noqa: ARG002 - any customer's
        digest = sha256(f"setup {key}".encode()).hexdigest()
        setup_id = f"seti_{digest[:_ID_CHARACTERS]}"
        return Setup(setup_id, f"{setup_id}_secret_{digest[_ID_CHARACTERS:]}")

    async def look_up(self, setup_id: str) -> SavedMethod | None:  # noqa: ARG002 - no browser can save one
        return None

    async def confirm(self, intent_id: str, outcome: TestOutcome) -> Intent:
        if outcome is TestOutcome.SUCCESS:
            await self._intents.end(intent_id, PaymentStatus.SUCCEEDED, None)
        else:
            await self._intents.end(intent_id, PaymentStatus.REQUIRES_PAYMENT_METHOD, _DECLINED)
        return await self.look(intent_id)
