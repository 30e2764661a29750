"""Payments with Stripe. Nothing else knows the `stripe` package, of the extra `meterhouse[stripe]`."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

import stripe
import structlog
from msgspec.structs import replace

from meterhouse.model.customer import Customer
from meterhouse.model.errors import (
    PaymentNotFound,
    PaymentRefused,
    PaymentsNotConfigured,
    ProcessorUnavailable,
)
from meterhouse.model.payment import Card, Intent, NewPayment, PaymentStatus, SavedMethod, Setup

_RETRIES: Final = 2  # the client's own, with the same key
_TIMEOUT_SECONDS: Final = 20
_NO_SUCH: Final = "resource_missing"
_logger = structlog.get_logger()
T = TypeVar("T")


class StripeProcessor:
    """secret_key: in no log and no answer. api: the URL of Stripe's API, without a slash at its end.

    The client is not asynchronous: each call has a thread for as long as it takes.
    """

    def __init__(self, secret_key: str, publishable_key: str, api: str) -> None:
        self.publishable_key = publishable_key
        self._client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api},
            max_network_retries=_RETRIES,
            http_client=stripe.RequestsClient(timeout=_TIMEOUT_SECONDS),
        )

    async def create(self, new: NewPayment, key: str) -> Intent:
        wanted: stripe.params.PaymentIntentCreateParams = {
            "amount": new.amount,
            "currency": new.currency.lower(),
            "automatic_payment_methods": {"enabled": True},
            "metadata": {"customerRef": new.customer_ref, "planRef": new.plan_ref or ""},
        }
        if new.description is not None:
            wanted["description"] = new.description
        if new.method is not None:
            wanted["customer"] = new.method.owner
            # Nobody is there to be sent to another page and back.
            wanted["automatic_payment_methods"] = {"enabled": True, "allow_redirects": "never"}
        elif new.recharge is not None:
            wanted["customer"] = await self._owner(new.customer_ref, None, None, key)
            wanted["setup_future_usage"] = "off_session"
        return _intent(
            await self._ask(lambda: self._client.v1.payment_intents.create(wanted, {"idempotency_key": key}))
        )

    async def look(self, intent_id: str) -> Intent:
        return _intent(
            await self._ask(
                lambda: self._client.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]})
            )
        )

    async def charge(self, intent_id: str, method: SavedMethod) -> Intent:
        wanted: stripe.params.PaymentIntentConfirmParams = {
            "payment_method": method.id,
            "off_session": True,
            "expand": ["latest_charge"],
        }
        options: stripe.RequestOptions = {"idempotency_key": f"{intent_id}:charge"}
        try:
            return _intent(
                await self._ask(lambda: self._client.v1.payment_intents.confirm(intent_id, wanted, options))
            )
        except PaymentRefused as refused:
            intent = await self.look(intent_id)  # paid by an earlier try whose answer was lost, or declined
            return replace(intent, failure=intent.failure or str(refused))

    async def set_up(self, customer: Customer, key: str) -> Setup:
        owner = await self._owner(customer.ref, customer.email, customer.name, key)
        wanted: stripe.params.SetupIntentCreateParams = {
            "customer": owner,
            "usage": "off_session",
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "metadata": {"customerRef": customer.ref},
        }
        made = await self._ask(
            lambda: self._client.v1.setup_intents.create(wanted, {"idempotency_key": f"{key}:setup"})
        )
        return Setup(made.id, made.client_secret or "")

    async def look_up(self, setup_id: str) -> SavedMethod | None:
        found = await self._ask(lambda: self._client.v1.setup_intents.retrieve(setup_id))
        return _method(found.customer, found.payment_method) if found.status == "succeeded" else None

    async def _owner(self, customer_ref: str, email: str | None, name: str | None, key: str) -> str:
        """Return the id of a customer of Stripe's, to whom a card is saved."""
        wanted: stripe.params.CustomerCreateParams = {"metadata": {"customerRef": customer_ref}}
        if email:
            wanted["email"] = email
        if name:
            wanted["name"] = name
        made = await self._ask(
            lambda: self._client.v1.customers.create(wanted, {"idempotency_key": f"{key}:customer"})
        )
        return made.id

    async def _ask(self, question: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(question)
        except (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError) as error:
            _logger.warning("stripe_unavailable", error=type(error).__name__, request_id=error.request_id)
            raise ProcessorUnavailable from None
        except (stripe.AuthenticationError, stripe.PermissionError) as error:
            _logger.warning("stripe_key_refused", error=type(error).__name__, request_id=error.request_id)
            raise PaymentsNotConfigured(
                "Stripe does not take this server's key; check METERHOUSE_STRIPE_SECRET_KEY."
            ) from None
        except stripe.StripeError as error:
            if error.code == _NO_SUCH:
                raise PaymentNotFound from None
            raise PaymentRefused(f"The payment was refused: {error.user_message}") from None


def _intent(found: stripe.PaymentIntent) -> Intent:
    failure = found.last_payment_error
    return Intent(
        id=found.id,
        client_secret=found.client_secret or "",
        status=_status(found.status),
        card=_card(found.latest_charge),
        method=_method(found.customer, found.payment_method) if found.status == "succeeded" else None,
        failure=None if failure is None else failure.message,
    )


def _method(
    owner: str | stripe.Customer | None, method: str | stripe.PaymentMethod | None
) -> SavedMethod | None:
    """Return a saved card; None where the payment was made without a customer to save it to."""
    if owner is None or method is None:
        return None
    return SavedMethod(
        owner if isinstance(owner, str) else owner.id, method if isinstance(method, str) else method.id
    )


def _status(said: str) -> PaymentStatus:
    """Return the status; one that this version does not know is not decided yet."""
    try:
        return PaymentStatus(said)
    except ValueError:
        return PaymentStatus.PROCESSING


def _card(charge: str | stripe.Charge | None) -> Card | None:
    """Return what a payment was made with; None for what is no card, or not yet known."""
    if not isinstance(charge, stripe.Charge):
        return None
    card = getattr(charge.payment_method_details, "card", None)  # there only where it was one
    if card is None:
        return None
    return Card(card.brand or "card", card.last4, card.exp_month, card.exp_year)
