"""What usage comes to: the worked examples of the contract (§4.3), to the credit."""

from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meterhouse.metering.bill import overage_units, usage_bill
from meterhouse.model.plan import BillingModel, OveragePolicy, Plan, PlanType, UsageTier
from meterhouse.model.units import NANO

TIERS = (
    UsageTier(name="first", min_usage=0, max_usage=500, credits_per_unit=50),
    UsageTier(name="second", min_usage=501, max_usage=2_000, credits_per_unit=30),
    UsageTier(name="rest", min_usage=2_001, max_usage=None, credits_per_unit=10),
)


def plan(kind: PlanType, **fields: Any) -> Plan:
    return Plan(ref="pln_1", product_ref="prd_1", name="x", type=kind, created_at=0, updated_at=0, **fields)


def test_a_usage_based_month_as_the_contract_works_it_out() -> None:
    terms = plan(
        PlanType.USAGE_BASED,
        billing_model=BillingModel.POST_PAID,
        limit=10_000,
        free_units=100,
        credits_per_unit=100,
    )
    assert usage_bill(terms, 5_250 * NANO) == 515_000


def test_a_hybrid_month_with_tiers_as_the_contract_works_it_out() -> None:
    """2500 units beyond the included ones: 500 at 50, 1500 at 30, 500 at 10."""
    terms = plan(PlanType.HYBRID, limit=1_000, usage_tiers=TIERS)
    assert usage_bill(terms, 3_500 * NANO) == 75_000
    assert overage_units(terms, 3_500 * NANO) == 2_500 * NANO


def test_beyond_the_limit_a_usage_based_plan_bills_no_more() -> None:
    terms = plan(PlanType.USAGE_BASED, billing_model=BillingModel.POST_PAID, limit=10, credits_per_unit=7)
    assert usage_bill(terms, 25 * NANO) == 70


def test_what_rolled_over_is_included_where_access_is_sold_and_billed_where_units_are() -> None:
    hybrid = plan(PlanType.HYBRID, limit=1_000, usage_tiers=TIERS)
    assert overage_units(hybrid, 3_500 * NANO, carried=1_000 * NANO) == 1_500 * NANO
    assert usage_bill(hybrid, 3_500 * NANO, carried=1_000 * NANO) == 500 * 50 + 1_000 * 30
    assert usage_bill(hybrid, 2_000 * NANO, carried=1_000 * NANO) == 0
    metered = plan(PlanType.USAGE_BASED, billing_model=BillingModel.POST_PAID, limit=10, credits_per_unit=7)
    assert usage_bill(metered, 25 * NANO, carried=5 * NANO) == 15 * 7


def test_overage_costs_its_own_rate_up_to_its_maximum() -> None:
    policy = OveragePolicy(allow_overage=True, max_overage=20, overage_rate=4)
    terms = plan(PlanType.HYBRID, limit=100, credits_per_unit=9, overage_policy=policy)
    assert usage_bill(terms, 90 * NANO) == 0
    assert usage_bill(terms, 110 * NANO) == 40
    assert usage_bill(terms, 500 * NANO) == 80


def test_fractions_of_units_are_billed_exactly() -> None:
    terms = plan(PlanType.USAGE_BASED, billing_model=BillingModel.POST_PAID, credits_per_unit=3)
    assert usage_bill(terms, NANO // 10) == Fraction(3, 10)


def test_plans_that_sell_access_bill_no_usage() -> None:
    for kind in (PlanType.RECURRING, PlanType.ONE_TIME):
        assert usage_bill(plan(kind, limit=5, credits_per_unit=9), 50 * NANO) == 0


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_tiers_never_bill_less_for_more(one: int, other: int) -> None:
    terms = plan(PlanType.HYBRID, limit=100, usage_tiers=TIERS)
    less, more = sorted((one, other))
    assert usage_bill(terms, less * NANO) <= usage_bill(terms, more * NANO)
