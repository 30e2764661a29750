"""Plans as they are offered to a customer: price, included units, overage and renewal."""

from msgspec import UNSET, Raw, Struct, UnsetType

from meterhouse.model.plan import BillingCycle, Plan, PlanType, PricingOption
from meterhouse.model.terms import Terms, terms_of
from meterhouse.model.units import NANO


class TierAnswer(Struct, rename="camel", omit_defaults=True):
    """creditsPerUnit: of each unit after the tier before. upTo: left out in a last tier without an end."""

    credits_per_unit: int
    up_to: int | UnsetType = UNSET


class OverageAnswer(Struct, rename="camel", omit_defaults=True):
    """Units beyond the limit, billed at the period's end. maxUnits: left out for any number of them."""

    tiers: tuple[TierAnswer, ...]
    max_units: int | UnsetType = UNSET


class OfferAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A plan as it is offered. price, setupFee: minor units of `currency`.

    limit: units of a period, left out where there is no limit. overage: left out where usage stops at the
    limit. billedAfterwards: units beyond freeUnits are billed at the end of each period.
    calendarPeriods: periods are those of the UTC calendar, else a number of days from the purchase.
    """

    reference: str
    name: str
    type: PlanType
    price: int
    currency: str
    pricing_options: tuple[PricingOption, ...]
    measures: str
    features: Raw
    requires_payment: bool
    renews: bool
    limit: int | UnsetType = UNSET
    overage: OverageAnswer | UnsetType = UNSET
    description: str = ""
    setup_fee: int = 0
    free_units: int = 0
    credits_per_unit: int = 0
    trial_days: int = 0
    access_expiry_days: int = 0
    billing_cycle: BillingCycle | None = None
    calendar_periods: bool = False
    rolls_over: bool = False
    is_prepaid: bool = False
    billed_afterwards: bool = False


def offer(plan: Plan) -> OfferAnswer:
    terms = terms_of(plan)
    return OfferAnswer(
        reference=plan.ref,
        name=plan.name,
        type=plan.type,
        price=plan.period_price,
        currency=plan.currency,
        pricing_options=plan.pricing_options,
        measures=plan.measures,
        features=plan.free_form("features"),
        requires_payment=plan.requires_payment,
        renews=plan.auto_renew and terms.cycle is not None,
        limit=UNSET if terms.limit is None else terms.limit // NANO,
        overage=_overage(plan, terms),
        description=plan.description,
        setup_fee=plan.setup_fee,
        free_units=plan.free_units,
        credits_per_unit=plan.credits_per_unit,
        trial_days=plan.trial_days,
        access_expiry_days=plan.access_expiry_days,
        billing_cycle=terms.cycle,
        calendar_periods=plan.calendar_periods,
        rolls_over=plan.rollover_unused_units,
        is_prepaid=plan.is_prepaid,
        billed_afterwards=plan.type is PlanType.USAGE_BASED and not plan.is_prepaid,
    )


def _overage(plan: Plan, terms: Terms) -> OverageAnswer | UnsetType:
    """Return the prices of units beyond the limit, as `bill.usage_bill` bills them."""
    policy = plan.overage_policy
    if terms.limit is None or terms.overage == 0:
        return UNSET
    if plan.usage_tiers:
        ordered = sorted(plan.usage_tiers, key=lambda each: each.min_usage)
        tiers = tuple(
            TierAnswer(each.credits_per_unit, UNSET if each.max_usage is None else each.max_usage)
            for each in ordered
        )
    else:
        rate = None if policy is None else policy.overage_rate
        tiers = (TierAnswer(plan.credits_per_unit if rate is None else rate),)
    return OverageAnswer(tiers, UNSET if terms.overage is None else terms.overage // NANO)
