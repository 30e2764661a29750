"""The sandbox's payment processor: no money moves, and a customer pays with a test button."""

import secrets
from hashlib import sha256
from typing import Final

import msgspec

from meterhouse.model.errors import PaymentNotFound
from meterhouse.model.payment import Card, Intent, NewPayment, PaymentStatus, TestOutcome
from meterhouse.ports import SandboxIntents

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
        paid = intent.status is PaymentStatus.SUCCEEDED
        return msgspec.structs.replace(intent, card=_CARD if paid else None)

    async def confirm(self, intent_id: str, outcome: TestOutcome) -> Intent:
        if outcome is TestOutcome.SUCCESS:
            await self._intents.end(intent_id, PaymentStatus.SUCCEEDED, None)
        else:
            await self._intents.end(intent_id, PaymentStatus.REQUIRES_PAYMENT_METHOD, _DECLINED)
        return await self.look(intent_id)
