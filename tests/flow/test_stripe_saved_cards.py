"""Saved cards with Stripe: what is asked of it, on answers of the shapes it gives."""

import msgspec
import pytest

from meterhouse.model.customer import Customer
from meterhouse.model.errors import ProcessorUnavailable
from meterhouse.model.payment import PaymentStatus, RechargeTerms, SavedMethod, Setup
from meterhouse.senders.stripe import StripeProcessor
from tests.flow.test_stripe import DECLINED, INTENT, NEW, PAID, Stripe, problem, processor, stripe

__all__ = ["processor", "stripe"]  # the fixtures

METHOD = SavedMethod("cus_NffrFeUfNV2Hib", "pm_1MqLiJLkdIwHu7ixUEgbFdYF")
OWNER = {"id": METHOD.owner, "object": "customer"}
SETUP = {
    "id": "seti_1Mm8s8LkdIwHu7ix0OXBfTRG", "object": "setup_intent", "client_secret": "seti_1_secret_2",
    "customer": METHOD.owner, "payment_method": None, "status": "requires_payment_method",
}  # fmt: skip
ADA = Customer(ref="cus_1", email="ada@example.com", name="Ada", created_at=1, updated_at=1)


async def test_an_intent_that_begins_auto_recharge_saves_its_card(
    stripe: Stripe, processor: StripeProcessor
) -> None:
    terms = RechargeTerms(threshold=500, amount=2000, currency="EUR")
    stripe.answers = [(200, OWNER), (200, INTENT)]
    new = msgspec.structs.replace(NEW, recharge=msgspec.json.encode(terms).decode())
    await processor.create(new, "key")
    owner, intent = stripe.asked
    assert (owner.path, owner.headers["idempotency-key"]) == ("/v1/customers", "key:customer")
    assert (intent.fields["customer"], intent.fields["setup_future_usage"]) == (METHOD.owner, "off_session")
    stripe.answers = [(200, PAID | {"customer": METHOD.owner, "payment_method": METHOD.id})]
    assert (await processor.look("pi_1")).method == METHOD
    stripe.answers = [(200, PAID | {"payment_method": METHOD.id})]
    assert (await processor.look("pi_1")).method is None, "without a customer it is not saved"


async def test_a_card_is_saved_with_a_setup_intent(stripe: Stripe, processor: StripeProcessor) -> None:
    stripe.answers = [(200, OWNER), (200, SETUP)]
    assert await processor.set_up(ADA, "key") == Setup(str(SETUP["id"]), str(SETUP["client_secret"]))
    owner, setup = stripe.asked
    assert (owner.fields["email"], owner.fields["name"]) == ("ada@example.com", "Ada")
    assert (setup.path, setup.fields["customer"], setup.fields["usage"]) == (
        "/v1/setup_intents", METHOD.owner, "off_session",
    )  # fmt: skip
    stripe.answers = [(200, SETUP)]
    assert await processor.look_up("seti_1") is None
    stripe.answers = [(200, SETUP | {"status": "succeeded", "payment_method": METHOD.id})]
    assert await processor.look_up("seti_1") == METHOD


async def test_a_saved_card_is_charged_without_its_customer(
    stripe: Stripe, processor: StripeProcessor
) -> None:
    stripe.answers = [(200, INTENT)]
    await processor.create(
        msgspec.structs.replace(NEW, method_owner=METHOD.owner, method_id=METHOD.id), "key"
    )
    fields = stripe.asked.pop().fields
    assert fields["customer"] == METHOD.owner
    assert fields["automatic_payment_methods[allow_redirects]"] == "never"
    stripe.answers = [(200, PAID | {"customer": METHOD.owner, "payment_method": METHOD.id})]
    charged = await processor.charge("pi_1", METHOD)
    assert (charged.status, charged.method) == (PaymentStatus.SUCCEEDED, METHOD)
    (asked,) = stripe.asked
    assert (asked.path, asked.headers["idempotency-key"]) == (
        "/v1/payment_intents/pi_1/confirm", "pi_1:charge",
    )  # fmt: skip
    assert asked.fields["payment_method"] == METHOD.id
    assert asked.fields["off_session"].lower() == "true"


async def test_a_declined_charge_is_no_error(stripe: Stripe, processor: StripeProcessor) -> None:
    declined = problem("card_error", "card_declined", "Your card was declined.")
    stripe.answers = [(402, declined), (200, DECLINED)]
    charged = await processor.charge("pi_1", METHOD)
    assert charged.status is PaymentStatus.REQUIRES_PAYMENT_METHOD
    assert charged.failure == "Your card was declined."


async def test_a_charge_that_gets_no_answer_may_be_repeated(
    stripe: Stripe, processor: StripeProcessor
) -> None:
    stripe.answers = [(500, problem("api_error", None, "Something is wrong"))]
    with pytest.raises(ProcessorUnavailable):
        await processor.charge("pi_1", METHOD)
