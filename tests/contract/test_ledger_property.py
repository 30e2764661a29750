"""Random lives of a customer, against the rules said plainly: ledger, limits and log always agree."""

import asyncio
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meterhouse.model.event import Outcome
from meterhouse.model.plan import BillingCycle, BillingModel, OveragePolicy, Plan, PlanType
from meterhouse.model.units import NANO
from tests.contract.ledger_books import OTHER, PRODUCT
from tests.contract.ledger_life import Life
from tests.contract.ledgers import EmbeddedLedger


def plan(ref: str, product: str = PRODUCT, **fields: Any) -> Plan:
    return Plan(ref=ref, product_ref=product, name=ref, created_at=0, updated_at=0, **fields)


PLANS = [
    plan("pln_free", limit=10, free_units=10, billing_cycle=BillingCycle.WEEKLY),
    plan("pln_open", price=100, billing_cycle=BillingCycle.MONTHLY),
    plan("pln_roll", price=1, limit=7, rollover_unused_units=True, billing_cycle=BillingCycle.WEEKLY),
    plan("pln_payg", type=PlanType.USAGE_BASED, credits_per_unit=3),
    plan("pln_capped", type=PlanType.USAGE_BASED, credits_per_unit=2, limit=9),
    plan("pln_post", type=PlanType.USAGE_BASED, billing_model=BillingModel.POST_PAID, credits_per_unit=5,
         limit=8, billing_cycle=BillingCycle.WEEKLY),
    plan("pln_hybrid", type=PlanType.HYBRID, base_price=5, limit=5, billing_cycle=BillingCycle.MONTHLY,
         overage_policy=OveragePolicy(allow_overage=True, max_overage=3)),
    plan("pln_once", type=PlanType.ONE_TIME, price=9, limit=20, access_expiry_days=12),
    plan("pln_weeks", limit=6, rollover_unused_units=True, billing_cycle=BillingCycle.WEEKLY,
         calendar_periods=True),
    plan("pln_months", type=PlanType.USAGE_BASED, credits_per_unit=1, limit=12,
         billing_cycle=BillingCycle.MONTHLY, calendar_periods=True),
    plan("pln_trial", price=8, limit=9, trial_days=5, billing_cycle=BillingCycle.WEEKLY),
    plan("pln_no_renewal", limit=9, auto_renew=False, access_expiry_days=20,
         billing_cycle=BillingCycle.MONTHLY),
    plan("pln_other_payg", OTHER, type=PlanType.USAGE_BASED, credits_per_unit=4),
    plan("pln_other_trial", OTHER, price=2, limit=4, trial_days=3, billing_cycle=BillingCycle.MONTHLY,
         calendar_periods=True),
]  # fmt: skip

PRODUCTS = st.sampled_from([PRODUCT, PRODUCT, OTHER])
BUY = st.tuples(st.just("buy"), st.integers(0, 2), st.booleans())
GRANT = st.tuples(st.just("credit"), st.integers(1, 60), st.booleans())
SOLD = st.lists(st.sampled_from(PLANS), min_size=2, max_size=3, unique_by=lambda plan: plan.ref)
"""Few in one life, so that a customer comes back to them."""
UNITS = st.builds(Fraction, st.integers(0, 12_000_000_000), st.just(NANO)) | st.builds(
    Fraction, st.integers(1, 12)
)
PIN = st.sampled_from([None, None, None, 0, 1, -1])
WHICH = st.integers(0, 5)
KEYED = st.sampled_from([True, True, False])
SAID = st.tuples(st.sampled_from([Outcome.SUCCESS, Outcome.SUCCESS, *Outcome]), KEYED)
LATE = st.integers(-200_000, 80_000) | st.integers(-2_000_000, 0)
AROUND = st.sampled_from([-1, 0, 1])
EXPIRY = st.sampled_from([0, 1, 60, 60, 3_600, 86_400, 500_000])
EXPIRING = st.tuples(st.just("credit"), st.integers(1, 30), KEYED, EXPIRY)
FEW = st.builds(Fraction, st.integers(1, 30), st.just(5))
SOON = st.sampled_from([30, 60, 60, 90])
CREDIT_STEPS = st.one_of(
    st.tuples(st.just("credit"), st.integers(1, 30), KEYED, SOON | EXPIRY),
    st.tuples(st.just("credit"), st.integers(1, 30), KEYED, SOON),
    st.tuples(st.just("credit"), st.integers(-20, -1) | st.integers(1, 20), KEYED),
    st.tuples(st.just("track"), st.just(PRODUCT), st.none(), FEW, st.just(0), SAID),
    st.tuples(st.just("reserve"), st.just(PRODUCT), FEW, st.sampled_from([30, 90, 900, 900]), KEYED),
    st.tuples(st.just("reserve"), st.just(PRODUCT), FEW, st.just(900), KEYED),
    st.tuples(st.just("settle"), WHICH, FEW | st.just(Fraction(40)), KEYED),
    st.tuples(st.just("release"), WHICH),
    st.tuples(st.just("wait_for_credits_to_expire"), WHICH, AROUND),
    st.tuples(st.just("wait_for_a_hold_to_expire"), WHICH, AROUND),
    st.tuples(st.just("wait"), st.sampled_from([1, 30, 30, 60, -600, -90, -30, 1_000])),
    st.tuples(st.just("again"), WHICH, st.booleans()),
    st.sampled_from([("crash",), ("sweep",), ("flush", True, False), ("flush", False, True)]),
)  # fmt: skip
"""Of a customer who pays with credits, of which most expire."""
STEPS = st.one_of(
    BUY,
    st.tuples(st.just("track"), PRODUCTS, PIN, UNITS, st.just(0), SAID),
    st.tuples(st.just("track"), PRODUCTS, PIN, UNITS, LATE, SAID),
    st.tuples(st.just("reserve"), PRODUCTS, UNITS, st.sampled_from([1, 60, 86_400, 900_000]), KEYED),
    st.tuples(st.just("settle"), WHICH, UNITS | st.just(Fraction(40)), KEYED),
    st.tuples(st.just("release"), WHICH),
    st.tuples(st.just("credit"), st.integers(-20, -1) | st.integers(1, 60), KEYED),
    EXPIRING,
    st.tuples(st.sampled_from(["again", "again", "reserve_again"]), WHICH, st.booleans()),
    st.tuples(st.just("reserve_again"), WHICH, st.just(False)),
    st.tuples(st.just("wait"), st.integers(-1_000, 900_000)),
    st.tuples(st.just("wait"), st.sampled_from([-3_456_000, -900_000, -90, -30, 3_456_000])),
    st.tuples(st.just("wait_for_the_period_to_end"), PRODUCTS, AROUND | st.just(-30_000_000)),
    st.tuples(st.just("wait_for_a_hold_to_expire"), WHICH, AROUND),
    st.tuples(st.sampled_from(["cancel", "cancel", "reactivate"]), PRODUCTS),
    st.sampled_from([("crash",), ("flush", True, False), ("flush", False, True)]),
    st.sampled_from([("crash",), ("sweep",), ("enrol_too_late",)]),
)  # fmt: skip
Step = tuple[Any, ...]
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a directory of its own in there
"""Most of the time would be waiting for a disk; what a crash leaves, `EmbeddedLedger.crash` says."""


def sold(ref: str) -> Plan:
    return next(each for each in PLANS if each.ref == ref)


def lives(
    shortest: int, longest: int, then: st.SearchStrategy[Step] = STEPS
) -> st.SearchStrategy[list[Step]]:
    steps = st.lists(then, min_size=shortest, max_size=longest)
    return st.builds(lambda buy, grant, then: [buy, grant, *then], BUY, GRANT, steps)


def live(plans: list[Plan], steps: list[Step]) -> None:
    async def run() -> None:
        with TemporaryDirectory(dir=MEMORY) as directory:
            async with EmbeddedLedger(Path(directory)) as opened:
                life = Life(opened, plans)
                await life.begin()
                for step in steps:
                    await life.step(step)
                assert await opened.rebuild() == 0

    asyncio.run(run())


SETTLED_BEYOND_THE_BALANCE = [
    ("buy", 0, True), ("credit", 30, False), ("reserve", PRODUCT, Fraction(5), 60, False),
    ("settle", 0, Fraction(40), False),
]  # fmt: skip
HELD_OVER_A_PERIODS_END = [
    ("buy", 0, True), ("wait_for_the_period_to_end", PRODUCT, -1),
    ("reserve", PRODUCT, Fraction(4), 900_000, False), ("wait_for_the_period_to_end", PRODUCT, 0),
]  # fmt: skip

TWO_HOLDS_END_TOGETHER = [
    ("buy", 0, True), ("credit", 1, False), ("credit", 2, True, 60),
    ("reserve", PRODUCT, Fraction(1, 5), 86_400, True), ("reserve", PRODUCT, Fraction(1, 5), 86_400, True),
]  # fmt: skip
A_HOLD_AND_CREDITS_END = [
    ("buy", 0, True), ("credit", 6, True, 60), ("reserve", PRODUCT, Fraction(1), 60, True),
    ("reserve", PRODUCT, Fraction(1, 5), 30, True), ("wait", 1_000),
]  # fmt: skip
PREPAID = ("pln_payg", "pln_capped", "pln_months")


@settings(max_examples=100)
@example([sold("pln_payg")], SETTLED_BEYOND_THE_BALANCE)
@example([sold("pln_roll")], HELD_OVER_A_PERIODS_END)
@given(SOLD, lives(15, 40))
def test_ledger_limits_and_log_agree_with_the_rules_at_every_step(
    plans: list[Plan], steps: list[Step]
) -> None:
    live(plans, steps)


@settings(max_examples=70)
@example(["pln_payg"], [*TWO_HOLDS_END_TOGETHER, ("wait_for_a_hold_to_expire", 0, 0)])
@example(["pln_payg"], [*TWO_HOLDS_END_TOGETHER, ("wait", 60), ("settle", 0, Fraction(1, 5), False)])
@example(["pln_payg"], A_HOLD_AND_CREDITS_END)
@given(st.permutations(PREPAID), lives(15, 30, CREDIT_STEPS))
def test_credits_that_expire_are_spent_first_and_never_come_back(plans: list[str], steps: list[Step]) -> None:
    live([sold(ref) for ref in plans], steps)


@pytest.mark.soak
@settings(max_examples=5_000)
@given(st.permutations(PREPAID), lives(15, 60, CREDIT_STEPS))
def test_credits_that_expire_agree_with_the_rules_over_long_lives(
    plans: list[str], steps: list[Step]
) -> None:
    live([sold(ref) for ref in plans], steps)


@pytest.mark.soak
@settings(max_examples=5_000)
@given(SOLD, lives(15, 80))
def test_ledger_limits_and_log_agree_with_the_rules_over_long_lives(
    plans: list[Plan], steps: list[Step]
) -> None:
    live(plans, steps)
