"""Payments: what a customer is asked for, and how that stands with whoever takes the money."""

from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from meterhouse.model import units
from meterhouse.model.errors import PaymentNotSucceeded, ValidationFailed
from meterhouse.model.plan import Plan, PricingOption
from meterhouse.model.units import Number

MIN_AMOUNT: Final = 100
MAX_AMOUNT: Final = 10_000_000
"""Minor units of what may be asked for without a plan (contract §3.7)."""


class PaymentStatus(StrEnum):
    """How an intent stands with the processor. A declined one requires another payment method."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    REQUIRES_CAPTURE = "requires_capture"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


class PaymentPurpose(StrEnum):
    """product: a plan. credit_topup: credits. usage_billing: what was used, which moves nothing here."""

    PRODUCT = "product"
    CREDIT_TOPUP = "credit_topup"
    USAGE_BILLING = "usage_billing"


class TestOutcome(StrEnum):
    """What a test payment is to do."""

    __test__ = False  # no test, whatever its name begins with
    SUCCESS = "success"
    DECLINE = "decline"


class Card(Struct, frozen=True):
    """What may be shown of a card."""

    brand: str
    last4: str
    exp_month: int
    exp_year: int


class SavedMethod(Struct, frozen=True):
    """A card that may be charged without its customer. owner: the processor's id of the customer."""

    owner: str
    id: str


class RechargeTerms(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Minor units of `currency`. threshold: the balance's worth below which `amount` is charged.

    most_monthly: what may be charged in a UTC calendar month, None for any amount.
    """

    threshold: int
    amount: int
    currency: str
    most_monthly: int | None = None


class Setup(Struct, frozen=True):
    """A processor's way to save a card. client_secret: lets the customer's browser save one."""

    id: str
    client_secret: str


class Intent(Struct, frozen=True, kw_only=True):
    """A processor's side of a payment. client_secret: lets the customer's browser pay it.

    card: what it was paid with. method: the same, where it may be charged again without the customer.
    failure: why the last try was declined, for people.
    """

    id: str
    client_secret: str
    status: PaymentStatus
    card: Card | None = None
    method: SavedMethod | None = None
    failure: str | None = None


class NewPayment(Struct, frozen=True, kw_only=True):
    """amount: minor units of `currency`. snapshot: JSON text of the plan in that currency, as it is sold.

    credits: how many the customer is given once the payment has succeeded, 0 for none.
    recharge: JSON text of the `RechargeTerms` that begin with this payment, None for none.
    method_owner, method_id: the saved card that is charged, or that it was paid with; see `SavedMethod`.

    product_ref, plan_ref, snapshot: None where it is not for a plan.
    """

    customer_ref: str
    purpose: PaymentPurpose
    amount: int
    currency: str
    product_ref: str | None = None
    plan_ref: str | None = None
    snapshot: str | None = None
    description: str | None = None
    credits: int = 0
    recharge: str | None = None
    method_owner: str | None = None
    method_id: str | None = None

    @property
    def plan(self) -> Plan | None:
        """The plan that is paid for, as it was when the payment was asked for."""
        return None if self.snapshot is None else msgspec.json.decode(self.snapshot, type=Plan)

    @property
    def recharge_terms(self) -> RechargeTerms | None:
        return None if self.recharge is None else msgspec.json.decode(self.recharge, type=RechargeTerms)

    @property
    def method(self) -> SavedMethod | None:
        if self.method_owner is None or self.method_id is None:
            return None
        return SavedMethod(self.method_owner, self.method_id)


class Payment(NewPayment, frozen=True, kw_only=True):
    """id: the processor's. fulfilled_at: when what was paid for was given; None before.

    purchase_ref: what was bought. Times: microseconds since 1970.
    """

    id: str
    client_secret: str
    status: PaymentStatus
    failure: str | None = None
    card_brand: str | None = None
    card_last4: str | None = None
    card_exp_month: int | None = None
    card_exp_year: int | None = None
    purchase_ref: str | None = None
    fulfilled_at: int | None = None
    created_at: int
    updated_at: int


def requested(new: NewPayment, intent: Intent, now_us: int) -> Payment:
    """Return the payment that an intent was made for."""
    return Payment(
        **msgspec.structs.asdict(new),
        id=intent.id,
        client_secret=intent.client_secret,
        status=intent.status,
        created_at=now_us,
        updated_at=now_us,
    )


def noted(payment: Payment, intent: Intent, now_us: int) -> Payment:
    """Return the payment as its intent stands now. What has succeeded stays so."""
    if payment.status is PaymentStatus.SUCCEEDED:
        return payment
    card, method = intent.card, intent.method or payment.method
    return msgspec.structs.replace(
        payment,
        status=intent.status,
        failure=intent.failure,
        card_brand=None if card is None else card.brand,
        card_last4=None if card is None else card.last4,
        card_exp_month=None if card is None else card.exp_month,
        card_exp_year=None if card is None else card.exp_year,
        method_owner=None if method is None else method.owner,
        method_id=None if method is None else method.id,
        updated_at=now_us,
    )


def check_can_be_given(payment: Payment) -> None:
    """Raises PaymentNotSucceeded: nobody has paid."""
    if payment.status is not PaymentStatus.SUCCEEDED:
        raise PaymentNotSucceeded(payment.status)


def priced_in(plan: Plan, currency: str | None) -> Plan:
    """Return the plan at its price in a currency, compared without case; None: its default one.

    Raises ValidationFailed, naming the currencies there are.
    """
    options = plan.pricing_options or (
        PricingOption(currency=plan.currency, price=plan.price, base_price=plan.base_price, default=True),
    )
    if currency is None:
        return plan
    for option in options:
        if option.currency.upper() == currency.upper():
            return msgspec.structs.replace(
                plan,
                currency=option.currency,
                price=option.price,
                base_price=option.base_price or 0,
                setup_fee=option.setup_fee or 0,
            )
    available = ", ".join(option.currency for option in options)
    raise ValidationFailed.of("currency", f"currency not supported; the plan is sold in {available}")


def topup_fault(amount: Number) -> str | None:
    """Return what is wrong with an amount of minor units, None where nothing is."""
    if amount is None:
        return "is required"
    if units.whole_between(amount, MIN_AMOUNT, MAX_AMOUNT) is None:
        return f"must be a whole number of minor units (cents), {MIN_AMOUNT} to {MAX_AMOUNT}"
    return None
