"""What the server answers about metering: usages, limits, holds. Units are Decimals, credits are ints."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct


class CreditDebit(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a usage cost. amount: in credits. units_remaining: estimated, after it.

    reason: why nothing was debited, e.g. "duplicate", "customer_not_found", "no_active_purchase".
    """

    debited: bool
    amount: Decimal | None = None
    units_remaining: Decimal | None = None
    reason: str | None = None


class TrackedUsage(Struct, frozen=True, kw_only=True, rename="camel"):
    """The usage is recorded. `credit_debit` is None where no debit was tried."""

    reference: str
    credit_debit: CreditDebit | None = None

    @property
    def duplicate(self) -> bool:
        """Whether it was there already, from an earlier call with the same key."""
        return self.credit_debit is not None and self.credit_debit.reason == "duplicate"


class TrackedUsages(Struct, frozen=True, kw_only=True):
    """All usages of a bulk are recorded; `inserted` of them were new. `results`: in the call's order."""

    inserted: int
    results: tuple[TrackedUsage, ...]


class RecordedEvents(Struct, frozen=True, kw_only=True):
    """All meter events of a bulk are recorded; `inserted` of them were new."""

    inserted: int


class LimitBalance(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A prepaid balance, in credits, and how many units it is good for."""

    credit_balance: int
    credits_per_unit: int
    currency: str
    remaining_units: int | None = None


class PricingOption(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a plan costs in one currency, in minor units (cents)."""

    currency: str
    price: int
    base_price: int | None = None
    setup_fee: int | None = None
    default: bool | None = None


class LimitPlan(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A plan the customer may choose. `price` is in minor units (cents)."""

    reference: str
    type: str | None = None
    name: str | None = None
    price: int | None = None
    currency: str | None = None
    requires_payment: bool | None = None
    free_units: int | None = None
    credits_per_unit: int | None = None
    billing_model: str | None = None
    billing_cycle: str | None = None
    pricing_options: Sequence[PricingOption] | None = None


class ProductBrief(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a limit was asked of."""

    reference: str
    name: str | None = None


class LimitCheck(Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether a customer may use a product now. Asking consumes nothing.

    remaining: units until the limit; 10^15 where there is none. plan: the active one, None without one.
    checkout_url, confirmation_url: where the customer pays or activates; only when asked for and denied.
    hold_ref, reserved_units, expires_at: what was reserved; None where nothing was.
    """

    within_limits: bool
    remaining: Decimal
    meter_name: str | None = None
    plan: str | None = None
    product: ProductBrief | None = None
    activation_required: bool = False
    plans: tuple[LimitPlan, ...] | None = None
    balance: LimitBalance | None = None
    credit_balance: int | None = None
    credits_per_unit: int | None = None
    currency: str | None = None
    checkout_session_id: str | None = None
    checkout_url: str | None = None
    confirmation_url: str | None = None
    hold_ref: str | None = None
    reserved_units: Decimal | None = None
    expires_at: datetime | None = None


class Settled(Struct, frozen=True, kw_only=True, rename="camel"):
    """The hold is settled: `units` are booked as the meter event `reference`.

    released_units: what of the reservation is free again. over_limit_units: of the units, those beyond
    the limit; booked all the same. expired: the hold's time had come before.
    """

    hold_ref: str
    reference: str
    units: Decimal
    reserved_units: Decimal
    released_units: Decimal
    over_limit_units: Decimal
    expired: bool = False
    credit_debit: CreditDebit | None = None


class Released(Struct, frozen=True, kw_only=True, rename="camel"):
    """The hold is over and nothing was booked. "expired": its time had come before."""

    hold_ref: str
    status: Literal["released", "expired"]
    released_units: Decimal


class HoldState(Struct, frozen=True, kw_only=True, rename="camel"):
    """A hold as it stands. What settling booked is None until it is settled."""

    hold_ref: str
    status: Literal["open", "settled", "released", "expired"]
    reserved_units: Decimal
    expires_at: datetime
    expired: bool = False
    reference: str | None = None
    units: Decimal | None = None
    released_units: Decimal | None = None
    over_limit_units: Decimal | None = None
