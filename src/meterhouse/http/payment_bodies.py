"""What is sent and answered about payments (contract §3.7)."""

from msgspec import UNSET, Struct, UnsetType

from meterhouse.http.purchase_answer import PurchaseAnswer
from meterhouse.http.recharge_bodies import TermsBody
from meterhouse.http.refs import CustomerBody
from meterhouse.model.payment import PaymentPurpose, PaymentStatus, TestOutcome
from meterhouse.model.units import Number


class PaymentBody(CustomerBody, rename="camel"):
    """purpose product needs productRef and planRef; the others amount (minor units) and currency.

    autoRecharge: of a top-up: from then on, the card that pays it is charged again when the balance is low.
    """

    product_ref: str | None = None
    plan_ref: str | None = None
    amount: Number = None
    currency: str | None = None
    purpose: PaymentPurpose = PaymentPurpose.PRODUCT
    description: str | None = None
    auto_recharge: TermsBody | None = None


class ProcessBody(CustomerBody, rename="camel"):
    """planRef, productRef: where given, they must be the payment's."""

    product_ref: str | None = None
    plan_ref: str | None = None


class ConfirmBody(Struct, rename="camel"):
    """outcome: `success` or `decline`."""

    client_secret: str | None = None
    outcome: TestOutcome = TestOutcome.SUCCESS


class BusinessBody(Struct, rename="camel"):
    """country: ISO 3166-1, two letters. Nothing here decides by any of it."""

    is_business: bool | None = None
    country: str | None = None


class TaxBreakdown(Struct, rename="camel", kw_only=True):
    """Minor units of `currency`."""

    subtotal: int
    total: int
    currency: str
    tax_amount: int = 0
    tax_rate: int = 0
    treatment: str = "not_collecting"
    inclusive: bool = False


class TaxAnswer(Struct, rename="camel"):
    tax_breakdown: TaxBreakdown


class PaymentItem(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """amount: minor units of `currency`."""

    processor_payment_id: str
    amount: int
    currency: str
    client_secret: str
    status: PaymentStatus
    created_at: str
    plan_ref: str | UnsetType = UNSET


class PaymentAnswer(PaymentItem, rename="camel", omit_defaults=True, kw_only=True):
    """publishableKey: what a browser needs to pay it. failure: why the last try was declined."""

    customer_ref: str
    original_amount: int
    exchange_rate: int
    publishable_key: str
    failure: str | UnsetType = UNSET


class PaymentsAnswer(Struct, rename="camel"):
    """total: how many are in this answer."""

    payment_intents: tuple[PaymentItem, ...]
    total: int


class OneTimeAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    reference: str
    amount: int
    currency: str
    completed_at: str
    product_ref: str | UnsetType = UNSET


class ProcessedAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """status: `succeeded`, `processing` or `cancelled`. type, purchase, oneTimePurchase: of a paid plan.

    creditsAdded: how many credits the payment gave; a repeat tells the same number.
    """

    status: str
    credits_added: int | UnsetType = UNSET
    type: str | UnsetType = UNSET
    purchase: PurchaseAnswer | UnsetType = UNSET
    one_time_purchase: OneTimeAnswer | UnsetType = UNSET


class ConfirmedAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    processor_payment_id: str
    status: PaymentStatus
    failure: str | UnsetType = UNSET


class CardAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """kind: `card`, or `none` where the customer has paid with no card yet."""

    kind: str
    brand: str | UnsetType = UNSET
    last4: str | UnsetType = UNSET
    exp_month: int | UnsetType = UNSET
    exp_year: int | UnsetType = UNSET
