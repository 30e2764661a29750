"""Payments with Stripe: what is asked of it and how its answers are read, on answers of the shapes it gives.

Stripe's own client speaks to a small server here, in Stripe's place.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from meterhouse.model.errors import (
    PaymentNotFound,
    PaymentRefused,
    PaymentsNotConfigured,
    ProcessorUnavailable,
)
from meterhouse.model.payment import Card, NewPayment, PaymentPurpose, PaymentStatus
from meterhouse.model.tenant import Caller, Environment
from meterhouse.senders.stripe import StripeProcessor
from meterhouse.settings import Settings
from meterhouse.wiring import open_service
from tests.conftest import speak_to
from tests.flow.answers import error, ok
from tests.flow.shop import CUSTOMER, PRODUCT, plan

SECRET = "sk_test_51secret"
NEW = NewPayment(
    customer_ref="cus_1", purpose=PaymentPurpose.PRODUCT, amount=1900, currency="EUR", plan_ref="pln_1"
)
INTENT: dict[str, Any] = {
    "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa", "object": "payment_intent", "amount": 1900, "amount_received": 0,
    "automatic_payment_methods": {"enabled": True}, "canceled_at": None, "capture_method": "automatic",
    "client_secret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH",
    "confirmation_method": "automatic", "created": 1680800504, "currency": "eur", "customer": None,
    "last_payment_error": None, "latest_charge": None, "livemode": False,
    "metadata": {"customerRef": "cus_1", "planRef": "pln_1"}, "next_action": None, "payment_method": None,
    "payment_method_types": ["card", "link"], "status": "requires_payment_method",
}  # fmt: skip
CHARGE = {
    "id": "ch_3MmlLrLkdIwHu7ix0snN0B15", "object": "charge", "amount": 1900, "currency": "eur", "paid": True,
    "payment_method_details": {
        "type": "card",
        "card": {"brand": "visa", "country": "US", "exp_month": 3, "exp_year": 2031, "funding": "credit",
                 "last4": "4242", "network": "visa", "wallet": None},
    },
    "status": "succeeded",
}  # fmt: skip
PAID = INTENT | {"status": "succeeded", "amount_received": 1900, "latest_charge": CHARGE}
DECLINED = INTENT | {
    "last_payment_error": {
        "code": "card_declined", "decline_code": "generic_decline",
        "message": "Your card was declined.", "type": "card_error",
    },
}  # fmt: skip


def problem(kind: str, code: str | None, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "code": code, "message": message}}


class Asked:
    """A request that Stripe's place was sent."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self.method, self.path = handler.command, urlsplit(handler.path).path
        self.headers = {name.lower(): text for name, text in handler.headers.items()}
        body = handler.rfile.read(int(self.headers.get("content-length", 0))).decode()
        given = parse_qs(body or urlsplit(handler.path).query)
        self.fields = {name: values[0] for name, values in given.items()}


class Stripe:
    """In Stripe's place: gives its answers one after another, the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.asked: list[Asked] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stripe = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                stripe.asked.append(Asked(self))
                status, body = stripe.answers.pop(0) if len(stripe.answers) > 1 else stripe.answers[0]
                content = json.dumps(body).encode()
                self.send_response(status)
                for name, text in (
                    ("Content-Type", "application/json"),
                    ("Content-Length", str(len(content))),
                    ("Request-Id", "req_VsWjqJ4KGXY6pL"),
                    ("Stripe-Should-Retry", "false"),
                ):
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = answer  # noqa: N815 - the names of the base class

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
                """Say nothing."""

        return Handler


@pytest.fixture
def stripe() -> Iterator[Stripe]:
    place = Stripe()
    thread = threading.Thread(target=place.server.serve_forever)
    thread.start()
    yield place
    place.server.shutdown()
    place.server.server_close()
    thread.join()


@pytest.fixture
def processor(stripe: Stripe) -> StripeProcessor:
    return StripeProcessor(SECRET, "pk_test_1", stripe.url)


async def test_an_intent_is_asked_for_with_its_key(stripe: Stripe, processor: StripeProcessor) -> None:
    stripe.answers = [(200, INTENT)]
    made = await processor.create(NEW, "meterhouse:1:key")
    assert (made.id, made.client_secret) == (INTENT["id"], INTENT["client_secret"])
    assert (made.status, made.card, made.failure) == (PaymentStatus.REQUIRES_PAYMENT_METHOD, None, None)
    (asked,) = stripe.asked
    assert (asked.method, asked.path) == ("POST", "/v1/payment_intents")
    assert asked.headers["idempotency-key"] == "meterhouse:1:key"
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    automatic = asked.fields.pop("automatic_payment_methods[enabled]")
    assert automatic.lower() == "true"
    assert asked.fields == {
        "amount": "1900", "currency": "eur", "metadata[customerRef]": "cus_1", "metadata[planRef]": "pln_1",
    }  # fmt: skip


async def test_a_paid_intent_has_its_card(stripe: Stripe, processor: StripeProcessor) -> None:
    stripe.answers = [(200, PAID)]
    seen = await processor.look(str(INTENT["id"]))
    assert (seen.status, seen.card) == (PaymentStatus.SUCCEEDED, Card("visa", "4242", 3, 2031))
    (asked,) = stripe.asked
    assert (asked.method, asked.path) == ("GET", f"/v1/payment_intents/{INTENT['id']}")
    assert asked.fields == {"expand[0]": "latest_charge"}


async def test_what_is_no_card_is_none(stripe: Stripe, processor: StripeProcessor) -> None:
    details = {"type": "sepa_debit", "sepa_debit": {"last4": "3000", "country": "DE"}}
    for charge in ("ch_3MmlLrLkdIwHu7ix0snN0B15", CHARGE | {"payment_method_details": details}):
        stripe.answers = [(200, PAID | {"latest_charge": charge})]
        assert (await processor.look("pi_1")).card is None


async def test_a_declined_card_says_why(stripe: Stripe, processor: StripeProcessor) -> None:
    stripe.answers = [(200, DECLINED)]
    seen = await processor.look("pi_1")
    assert (seen.status, seen.failure) == (PaymentStatus.REQUIRES_PAYMENT_METHOD, "Your card was declined.")


@pytest.mark.parametrize(
    "status", ["processing", "requires_action", "requires_confirmation", "requires_capture", "canceled"]
)
async def test_every_status_of_stripe_is_known(
    stripe: Stripe, processor: StripeProcessor, status: str
) -> None:
    stripe.answers = [(200, INTENT | {"status": status})]
    assert (await processor.look("pi_1")).status == status


async def test_a_status_that_is_new_is_not_decided_yet(stripe: Stripe, processor: StripeProcessor) -> None:
    stripe.answers = [(200, INTENT | {"status": "requires_a_poem"})]
    assert (await processor.look("pi_1")).status is PaymentStatus.PROCESSING


async def test_what_stripe_refuses_is_refused_with_its_reason(
    stripe: Stripe, processor: StripeProcessor
) -> None:
    small = "Amount must be at least $0.50 usd"
    stripe.answers = [(400, problem("invalid_request_error", "amount_too_small", small))]
    with pytest.raises(PaymentRefused, match="at least"):
        await processor.create(NEW, "key")


async def test_an_intent_that_stripe_does_not_know_is_not_found(
    stripe: Stripe, processor: StripeProcessor
) -> None:
    stripe.answers = [(404, problem("invalid_request_error", "resource_missing", "No such payment_intent"))]
    with pytest.raises(PaymentNotFound):
        await processor.look("pi_none")


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_stripe_does_not_take_is_named_and_not_shown(
    stripe: Stripe, processor: StripeProcessor, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    stripe.answers = [(status, problem("invalid_request_error", None, f"Invalid API Key: {SECRET}"))]
    with pytest.raises(PaymentsNotConfigured, match="METERHOUSE_STRIPE_SECRET_KEY") as refused:
        await processor.look("pi_1")
    printed = capsys.readouterr()
    assert SECRET not in str(refused.value) + printed.out + printed.err


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_stripe_that_cannot_answer_may_be_asked_again(
    stripe: Stripe, processor: StripeProcessor, status: int
) -> None:
    stripe.answers = [(status, problem("api_error", None, "Something is wrong"))]
    with pytest.raises(ProcessorUnavailable):
        await processor.create(NEW, "key")


async def test_a_stripe_that_is_not_there_may_be_asked_again(stripe: Stripe) -> None:
    processor = StripeProcessor(SECRET, "pk_test_1", "http://127.0.0.1:1")
    with pytest.raises(ProcessorUnavailable):
        await processor.create(NEW, "key")


async def test_calls_do_not_wait_for_each_other(stripe: Stripe, processor: StripeProcessor) -> None:
    stripe.answers = [(200, INTENT)]
    made = await asyncio.gather(*(processor.create(NEW, f"key {number}") for number in range(4)))
    assert len({each.id for each in made}) == 1
    assert {asked.headers["idempotency-key"] for asked in stripe.asked} == {f"key {n}" for n in range(4)}


async def test_in_live_a_plan_is_paid_with_stripe_and_given_once_stripe_says_so(
    stripe: Stripe, tmp_path: Path
) -> None:
    environment = {
        "METERHOUSE_DATA": str(tmp_path),
        "METERHOUSE_STRIPE_SECRET_KEY": SECRET,
        "METERHOUSE_STRIPE_PUBLISHABLE_KEY": "pk_test_1",
        "METERHOUSE_STRIPE_API_URL": stripe.url,
    }
    async with open_service(Settings.load(environment, {})) as service:
        scope = await service.catalog.providers.scope("default", Environment.LIVE)
        client = speak_to(service, (await service.catalog.keys.create(Caller(scope, "cli"), "live")).secret)
        made = {"reference": CUSTOMER, "email": "ada@example.com"}
        ok(await client.post("/v1/sdk/customers", json=made), 201)
        ok(await client.post("/v1/sdk/products", json={"reference": PRODUCT, "name": "API"}), 201)
        refs = {"customerRef": CUSTOMER, "productRef": PRODUCT, "planRef": await plan(client, price=1900)}
        stripe.answers = [(200, INTENT)]
        intents, key = "/v1/sdk/payment-intents", {"idempotency-key": "key"}
        made = ok(await client.post(intents, json=refs, headers=key), 201)
        assert ok(await client.post(intents, json=refs, headers=key), 201) == made
        assert len(stripe.asked) == 1
        assert (made["processorPaymentId"], made["publishableKey"]) == (INTENT["id"], "pk_test_1")
        assert ok(await client.get("/v1/sdk/platform-config"))["stripePublishableKey"] == "pk_test_1"
        process = f"{intents}/{INTENT['id']}/process"
        for answer, status in ((INTENT | {"status": "processing"}, "processing"),
                               (INTENT | {"status": "canceled"}, "cancelled")):  # fmt: skip
            stripe.answers = [(200, answer)]
            assert ok(await client.post(process, json=refs)) == {"status": status}
        stripe.answers = [(200, DECLINED)]
        error(await client.post(process, json=refs), 400, "payment_not_succeeded")
        stripe.answers = [(200, PAID)]
        done = ok(await client.post(process, json=refs))
        assert (done["status"], done["purchase"]["planRef"]) == ("succeeded", refs["planRef"])
        asked = len(stripe.asked)
        assert ok(await client.post(process, json=refs)) == done
        assert len(stripe.asked) == asked
        card = ok(await client.get("/v1/sdk/payment-method", params={"customerRef": CUSTOMER}))
        assert (card["brand"], card["last4"]) == ("visa", "4242")
        confirm = {"clientSecret": INTENT["client_secret"], "outcome": "success"}
        error(
            await client.post(f"/v1/payment-intents/{INTENT['id']}/confirm", json=confirm), 403, "forbidden"
        )


async def test_what_stripe_cannot_do_now_is_503_and_may_be_sent_again(
    stripe: Stripe, processor: StripeProcessor, tmp_path: Path
) -> None:
    async with open_service(Settings(data=str(tmp_path)), live=processor) as service:
        scope = await service.catalog.providers.scope("default", Environment.LIVE)
        client = speak_to(service, (await service.catalog.keys.create(Caller(scope, "cli"), "live")).secret)
        made = {"reference": CUSTOMER, "email": "ada@example.com"}
        ok(await client.post("/v1/sdk/customers", json=made), 201)
        body = {"customerRef": CUSTOMER, "purpose": "usage_billing", "amount": 1900, "currency": "eur"}
        stripe.answers = [(500, problem("api_error", None, "Something is wrong"))]
        path, key = "/v1/sdk/payment-intents", {"idempotency-key": "key"}
        refused = await client.post(path, json=body, headers=key)
        error(refused, 503, "processor_unavailable")
        assert refused.headers["retry-after"] == "1"
        small = problem("invalid_request_error", "amount_too_small", "Amount must be at least 0.50")
        stripe.answers = [(400, small)]
        error(await client.post(path, json=body, headers=key), 400, "payment_refused")
        stripe.answers = [(200, INTENT)]
        assert ok(await client.post(path, json=body, headers=key), 201)["status"] == "requires_payment_method"
