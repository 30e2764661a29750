"""What the server answers about plans, purchases and credits. Prices are in minor units (cents)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from meterhouse_sdk._metering_answers import PricingOption


class Plan(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a customer may buy of a product.

    limit: units in a period, 0 for any number. free_units: included before billing; on a free plan 0
    means any number. credits_per_unit: what a unit costs on plans by usage. measures: the meter's name.
    """

    reference: str
    type: str
    name: str = ""
    price: int = 0
    currency: str = "USD"
    status: str = "active"
    requires_payment: bool = False
    is_active: bool = True
    hidden: bool = False
    description: str | None = None
    pricing_options: Sequence[PricingOption] = ()
    billing_cycle: str | None = None
    billing_model: str | None = None
    credits_per_unit: int | None = None
    free_units: int | None = None
    limit: int | None = None
    limits: Mapping[str, Any] | None = None  # Any: JSON
    features: Mapping[str, Any] | Sequence[str] | None = None  # Any: JSON
    measures: str | None = None
    meter_ref: str | None = None
    trial_days: int | None = None
    setup_fee: int | None = None
    rollover_unused_units: bool | None = None
    access_expiry_days: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class PlanPage(Struct, frozen=True, kw_only=True):
    """Some of a product's plans; `total` counts all, from `offset` on at most `limit` are here."""

    plans: tuple[Plan, ...]
    total: int
    limit: int
    offset: int


class Activation(Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of the wish for a plan.

    purchase_ref: what the customer has now. checkout_url: where they pay. message: why it is "invalid".
    """

    status: Literal["activated", "already_active", "topup_required", "payment_required", "invalid"]
    purchase_ref: str | None = None
    checkout_url: str | None = None
    checkout_session_id: str | None = None
    credit_balance: int | None = None
    credits_per_unit: int | None = None
    currency: str | None = None
    message: str | None = None


class PlanSnapshot(Struct, frozen=True, kw_only=True, rename="camel"):
    """The plan as it was bought; later changes of the plan do not touch it."""

    plan_type: str
    price: int
    currency: str
    reference: str | None = None
    name: str | None = None
    billing_cycle: str | None = None
    credits_per_unit: int | None = None
    free_units: int | None = None
    limit: int | None = None
    limits: Mapping[str, Any] | None = None  # Any: JSON
    features: Mapping[str, Any] | Sequence[str] | None = None  # Any: JSON
    meter_ref: str | None = None


class PeriodUsage(Struct, frozen=True, kw_only=True, rename="camel"):
    """What was used in the current period.

    usage_cost: what it comes to at the period's end, None where the plan bills none then.
    overage_cost: of it, what is beyond the limit. Both in cents, with their fractions.
    """

    used: Decimal
    overage_units: Decimal = Decimal(0)
    overage_cost: Decimal = Decimal(0)
    usage_cost: Decimal | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None


class Purchase(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a customer has bought. `amount` is in minor units (cents) of US dollars.

    cancelled_at: it ends at the end of its period, though its status is still "active".
    """

    reference: str
    status: str
    start_date: str
    product_name: str | None = None
    product_ref: str | None = None
    plan_ref: str | None = None
    customer_ref: str | None = None
    customer_email: str | None = None
    plan_snapshot: PlanSnapshot | None = None
    usage: PeriodUsage | None = None
    end_date: str | None = None
    next_billing_date: str | None = None
    billing_cycle: str | None = None
    is_recurring: bool = False
    auto_renew: bool | None = None
    cancelled_at: str | None = None
    cancellation_reason: str | None = None
    amount: int = 0
    original_amount: int | None = None
    currency: str | None = None
    metadata: Mapping[str, Any] | None = None  # Any: JSON


class Purchases(Struct, frozen=True):
    """What the lists of purchases answer."""

    purchases: tuple[Purchase, ...]


class ChangedPurchase(Struct, frozen=True):
    """What cancelling and reactivating answer."""

    purchase: Purchase


class BalanceDisplay(Struct, frozen=True, kw_only=True, rename="camel"):
    """The balance as people see it. `amount_major` is in dollars, not cents."""

    amount_major: Decimal
    currency: str
    formatted: str
    exchange_rate: Decimal = Decimal(1)
    rate_source: str = "parity"


class ExpiringCredits(Struct, frozen=True, kw_only=True, rename="camel"):
    """Credits that expire at a time unless they are used before."""

    credits: int
    expires_at: datetime


class Balance(Struct, frozen=True, kw_only=True, rename="camel"):
    """A customer's credits. `credits_per_minor_unit`: how many credits make a cent.

    expiring: those of `credits` that expire, the earliest first.
    """

    customer_ref: str
    credits: int
    expiring: tuple[ExpiringCredits, ...] = ()
    credits_per_minor_unit: int
    display_currency: str = "USD"
    display_exchange_rate: Decimal = Decimal(1)
    display: BalanceDisplay | None = None


class Grant(Struct, frozen=True, kw_only=True, rename="camel"):
    """Credits were given; `balance` is the customer's balance then. expires_at: None for never."""

    customer_ref: str
    credits: int
    balance: int
    reason: str | None = None
    expires_at: datetime | None = None


class InfoUser(Struct, frozen=True, kw_only=True, rename="camel"):
    """Who `user_info` was asked about."""

    reference: str
    email: str
    name: str | None = None
    external_ref: str | None = None


class InfoUsage(Struct, frozen=True, kw_only=True, rename="camel"):
    """What of the plan's limit is used."""

    total: Decimal
    used: Decimal
    remaining: Decimal
    meter_ref: str | None = None
    percent_used: Decimal | None = None


class InfoPlan(Struct, frozen=True, kw_only=True, rename="camel"):
    """The plan that the customer has."""

    reference: str
    type: str
    price: int
    currency: str
    billing_cycle: str | None = None
    features: Any = None  # Any: JSON; the contract says a list, clients send an object
    limits: Mapping[str, Any] | None = None  # Any: JSON


class InfoPurchase(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the customer has of the product."""

    reference: str
    status: str
    product_name: str
    plan_type: str
    start_date: str | None = None
    end_date: str | None = None
    usage: InfoUsage | None = None
    plan: InfoPlan | None = None


class UserInfo(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a customer may be shown of themselves. `status` is a sentence; `purchase`: None without one.

    verify_url: a page where they manage what they have, for 15 minutes.
    """

    status: str
    user: InfoUser | None = None
    purchase: InfoPurchase | None = None
    verify_url: str | None = None


class CheckoutSession(Struct, frozen=True, kw_only=True, rename="camel"):
    """Send the customer to `checkout_url`; it is for one purchase, and for 15 minutes."""

    session_id: str
    checkout_url: str


class CustomerSession(Struct, frozen=True, kw_only=True, rename="camel"):
    """Send the customer to `customer_url` to manage what they have; it is good for 15 minutes."""

    session_id: str
    customer_url: str
