"""What requests say of a plan. `plan_checks` finds the faults in it."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from meterhouse.model.plan import BillingCycle

Whole = int | float
"""A whole number as JSON may write it: 19.0 is one. `plan_checks` refuses 1.5."""


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
    period: int | float | None = None


class Warranty(Struct, frozen=True, kw_only=True, omit_defaults=True):
    duration: int | float | None = None
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
    price: Whole | None = None
    base_price: Whole | None = None
    setup_fee: Whole | None = None
    default: bool | None = None


class TierBody(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """minUsage and creditsPerUnit are required. maxUsage: left out only in the last tier."""

    name: str | None = None
    min_usage: Whole | None = None
    max_usage: Whole | None = None
    credits_per_unit: Whole | None = None


class OverageBody(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    allow_overage: bool | None = None
    max_overage: Whole | None = None
    overage_rate: Whole | None = None


class PlanExtras(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What clients say and read back, and nothing here decides by."""

    features: dict[str, Any] | None = None  # Any, here and below: any JSON value
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
    cancellation_notice_days: Whole | None = None
    max_active_users: Whole | None = None


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
    price: Whole | None = None
    base_price: Whole | None = None
    currency: str | None = None
    pricing_options: Sequence[OptionBody] | None = None
    setup_fee: Whole | None = None
    billing_cycle: str | None = None
    interval: str | None = None
    billing_model: str | None = None
    credits_per_unit: Whole | None = None
    free_units: Whole | None = None
    limit: Whole | None = None
    rollover_unused_units: bool | None = None
    trial_days: Whole | None = None
    auto_renew: bool | None = None
    access_expiry_days: Whole | None = None
    calendar_periods: bool | None = None
    meter_ref: str | None = None
    measures: str | None = None
    usage_tiers: Sequence[TierBody] | None = None
    overage_policy: OverageBody | None = None


class NewPlan(PlanDetails, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """reference: the plan's own ref (`pln_…`); left out, one is minted."""

    reference: str | None = None


def cycle_said(details: PlanDetails) -> BillingCycle | None:
    """Return the cycle under whichever name it has, None for none. The details have been checked."""
    said = details.billing_cycle or details.interval
    return None if said is None else INTERVALS[said]
