"""What usage comes to at the end of a period, in credits. Pure, exact (contract §4.3). Units: billionths."""

from fractions import Fraction
from itertools import pairwise

from meterhouse.model.plan import Plan, PlanType, UsageTier
from meterhouse.model.units import NANO


def overage_units(plan: Plan, used: int, carried: int = 0) -> int:
    """Return the units of a period that lie beyond what the plan includes and what rolled over into it."""
    return max(used - plan.limit * NANO - carried, 0) if plan.limit else 0


def usage_bill(plan: Plan, used: int, carried: int = 0) -> Fraction:
    """Return the credits that a period's usage is billed with, beside the plan's price.

    Usage-based: every unit up to the limit, and what rolled over, but the free ones. Hybrid: what is beyond
    the included units, by tiers where there are any (graduated: each tier's price is for the units in it),
    else at the overage rate.
    """
    if plan.type is PlanType.USAGE_BASED:
        capped = min(used, plan.limit * NANO + carried) if plan.limit else used
        return Fraction(max(capped - plan.free_units * NANO, 0) * plan.credits_per_unit, NANO)
    if plan.type is not PlanType.HYBRID:
        return Fraction(0)
    billable = overage_units(plan, used, carried)
    if plan.usage_tiers:
        return _graduated(plan.usage_tiers, billable)
    policy = plan.overage_policy
    rate = plan.credits_per_unit
    if policy is not None:
        rate = policy.overage_rate if policy.overage_rate is not None else rate
        if policy.max_overage is not None:
            billable = min(billable, policy.max_overage * NANO)
    return Fraction(billable * rate, NANO)


def _graduated(tiers: tuple[UsageTier, ...], units: int) -> Fraction:
    """Each tier reaches from the end of the one before it to its own maxUsage."""
    ordered = sorted(tiers, key=lambda tier: tier.min_usage)
    ends = [0, *(tier.max_usage * NANO if tier.max_usage is not None else units for tier in ordered)]
    cost = sum(
        (
            max(min(units, end) - start, 0) * tier.credits_per_unit
            for tier, (start, end) in zip(ordered, pairwise(ends), strict=True)
        ),
        0,
    )
    return Fraction(cost, NANO)
