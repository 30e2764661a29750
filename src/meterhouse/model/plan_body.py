"""What requests say of a plan. `plan_checks` finds the faults in it."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from meterhouse.model.plan import BillingCycle
from meterhouse.model.units import Number

INTERVALS: Final = {
    "week": BillingCycle.WEEKLY,
    "month": BillingCycle.MONTHLY,
    "quarter": BillingCycle.QUARTERLY,
    "year": BillingCycle.YEARLY,
} | {cycle.value: cycle for cycle in BillingCycle}


class BillingStrategy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    type: str | None = None


class ProrationPolicy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    enabled: bool | None = None
    method: str | None = None


class ReturnPolicy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    allowed: bool | None = None
    conditions: str | None = None
    period: Number = None


class Warranty(Struct, frozen=True, kw_only=True, omit_defaults=True):
    duration: Number = None
    terms: str | None = None
    unit: str | None = None


class Fulfillment(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    type: str | None = None
    delivery_method: str | None = None
    estimated_delivery: str | None = None


class UsageTracking(Struct, frozen=True, kw_only=True, omit_defaults=True):
    granularity: str | None = None
    method: str | None = None


class OptionBody(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """currency and price are required."""

    currency: str | None = None
    price: Number = None
    base_price: Number = None
    setup_fee: Number = None
    default: bool | None = None


class TierBody(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """minUsage and creditsPerUnit are required. maxUsage: left out only in the last tier."""

    name: str | None = None
    min_usage: Number = None
    max_usage: Number = None
    credits_per_unit: Number = None


class OverageBody(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    allow_overage: bool | None = None
    max_overage: Number = None
    overage_rate: Number = None


class PlanExtras(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Fields that the server stores and returns, and never uses in a decision.

    features: an object, or a list of texts as they are shown to customers.
    """

    features: dict[str, Any] | list[str] | None = None  # Any, here and below: any JSON value
    is_free_tier: bool | None = None
    limits: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    pricing_tiers: Sequence[dict[str, Any]] | None = None
    tax_behavior: str | None = None
    billing_strategy: BillingStrategy | None = None
    proration_policy: ProrationPolicy | None = None
    return_policy: ReturnPolicy | None = None
    warranty: Warranty | None = None
    fulfillment: Fulfillment | None = None
    usage_tracking: UsageTracking | None = None
    cancellation_notice_days: Number = None
    max_active_users: Number = None


class PlanDetails(PlanExtras, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a request says of a plan. Left out or null: not said. An object or a list replaces the whole.

    interval: what one client calls billingCycle; `month` is also taken. measures: a meter's name, in place of
    its meterRef. type: never changes; one that is none of ours is recurring.
    """

    name: str | None = None
    type: str | None = None
    status: str | None = None
    description: str | None = None
    default: bool | None = None
    hidden: bool | None = None
    price: Number = None
    base_price: Number = None
    currency: str | None = None
    pricing_options: Sequence[OptionBody] | None = None
    setup_fee: Number = None
    billing_cycle: str | None = None
    interval: str | None = None
    billing_model: str | None = None
    credits_per_unit: Number = None
    free_units: Number = None
    limit: Number = None
    rollover_unused_units: bool | None = None
    trial_days: Number = None
    auto_renew: bool | None = None
    access_expiry_days: Number = None
    calendar_periods: bool | None = None
    meter_ref: str | None = None
    measures: str | None = None
    usage_tiers: Sequence[TierBody] | None = None
    overage_policy: OverageBody | None = None


class PlanChange(PlanDetails, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """reference, productRef: they must be the plan's, as where all that was answered is sent back."""

    reference: str | None = None
    product_ref: str | None = None


class NewPlan(PlanDetails, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """reference: the plan's own ref (`pln_…`); left out, one is minted."""

    reference: str | None = None


def default_option(options: Sequence[OptionBody], currency: str | None) -> int:
    """Return where the default one is: it says so, or has the currency the request names, or is the first."""
    for i, option in enumerate(options):
        if option.default:
            return i
    currencies = [(option.currency or "").upper() for option in options]
    wanted = (currency or "").upper()
    return currencies.index(wanted) if wanted in currencies else 0


def cycle_said(details: PlanDetails) -> BillingCycle | None:
    """Return the cycle under whichever name it has, None for none. The details have been checked."""
    said = details.billing_cycle or details.interval
    return None if said is None else INTERVALS[said]
