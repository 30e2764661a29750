"""What a payment asks for, and what becomes of it."""

import msgspec
import pytest
from msgspec.structs import replace

from meterhouse.model.errors import PaymentNotSucceeded, ValidationFailed
from meterhouse.model.merchant import Merchant
from meterhouse.model.payment import (
    Card,
    Intent,
    NewPayment,
    PaymentPurpose,
    PaymentStatus,
    check_can_be_given,
    noted,
    priced_in,
    requested,
    topup_fault,
)
from meterhouse.model.plan import Plan, PricingOption
from meterhouse.settings import Settings

PLAN = Plan(
    ref="pln_1", product_ref="prd_1", name="Pro", price=1900, setup_fee=500, currency="USD",
    pricing_options=(
        PricingOption(currency="USD", price=1900, setup_fee=500, default=True),
        PricingOption(currency="EUR", price=1800),
    ),
    created_at=1, updated_at=1,
)  # fmt: skip
NEW = NewPayment(customer_ref="cus_1", purpose=PaymentPurpose.CREDIT_TOPUP, amount=2500, currency="USD")
INTENT = Intent(id="pi_1", client_secret="s", status=PaymentStatus.REQUIRES_PAYMENT_METHOD)
PAID = Intent(
    id="pi_1", client_secret="s", status=PaymentStatus.SUCCEEDED, card=Card("visa", "4242", 12, 2034)
)


def test_a_plan_costs_its_price_and_the_setup_in_the_currency_that_is_asked_for() -> None:
    assert priced_in(PLAN, None).first_price == 2400
    assert priced_in(PLAN, "usd").first_price == 2400
    euros = priced_in(PLAN, "eur")
    assert (euros.first_price, euros.currency) == (1800, "EUR")


def test_a_hybrid_plan_costs_its_base_price() -> None:
    assert msgspec.structs.replace(PLAN, base_price=4900).first_price == 5400


def test_another_currency_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValidationFailed) as refused:
        priced_in(PLAN, "SEK")
    (fault,) = refused.value.errors
    assert fault.path == "currency"
    assert fault.message == "currency not supported; the plan is sold in USD, EUR"


def test_a_top_up_is_from_100_to_10_000_000_minor_units() -> None:
    assert [topup_fault(each) is None for each in (99, 100, 10_000_000, 10_000_001)] == [
        False, True, True, False,
    ]  # fmt: skip
    assert topup_fault(None) == "is required"


def test_a_minor_unit_buys_a_hundred_credits_unless_the_seller_says_more() -> None:
    seller = Merchant(display_name="A", legal_name="A")
    assert seller.topup_currencies == ("USD",)
    assert seller.credits_for(2500, "USD") == 250_000
    seller = replace(
        seller, default_currency="sek", supported_topup_currencies=("EUR", "SEK"),
        credits_per_minor_unit={"EUR": 1_100},
    )  # fmt: skip
    assert seller.topup_currencies == ("SEK", "EUR")
    assert (seller.credits_for(100, "SEK"), seller.credits_for(100, "EUR")) == (10_000, 110_000)


def test_what_has_succeeded_stays_so() -> None:
    paid = noted(requested(NEW, INTENT, 1), PAID, 2)
    assert (paid.status, paid.card_last4, paid.updated_at) == (PaymentStatus.SUCCEEDED, "4242", 2)
    assert noted(paid, INTENT, 3) == paid


def test_nothing_is_given_for_what_nobody_has_paid() -> None:
    with pytest.raises(PaymentNotSucceeded, match=r"Payment not succeeded\. Status: requires_payment_method"):
        check_can_be_given(requested(NEW, INTENT, 1))


def test_a_secret_setting_is_shown_to_nobody() -> None:
    settings = Settings(stripe_secret_key="sk_live_very_secret", stripe_publishable_key="pk_live_1")
    assert "very_secret" not in repr(settings)
    assert (settings.shown("stripe_secret_key"), settings.shown("stripe_publishable_key")) == (
        "(set)", "pk_live_1",
    )  # fmt: skip
    assert (Settings().shown("stripe_secret_key"), Settings().shown("log_json")) == ("", "false")
