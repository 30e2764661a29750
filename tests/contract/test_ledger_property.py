"""Random lives of a customer, against the rules said plainly: ledger, limits and log always agree."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterhouse.metering.access import UNLIMITED, access
from meterhouse.metering.decide import decide
from meterhouse.model.credit import CreditKind
from meterhouse.model.entry import Consumed, Credited, Ended
from meterhouse.model.errors import CreditsNotFree, PurchaseNotCancellable, PurchaseNotReactivable
from meterhouse.model.event import Outcome, to_microseconds
from meterhouse.model.ledger import (
    Credit,
    Ending,
    Outcomes,
    Recording,
    Release,
    Reserve,
    Reserved,
    Settle,
    Track,
)
from meterhouse.model.plan import BillingCycle, BillingModel, OveragePolicy, Plan, PlanType
from meterhouse.model.purchase import Origin, Sale
from meterhouse.model.units import NANO
from tests.contract import ledger_model
from tests.contract.ledgers import EmbeddedLedger

# ruff: noqa: FBT001 - hypothesis draws them

CUSTOMER, PRODUCT = "cus_3C4D5E6F", "prd_content_api"


def plan(ref: str, **fields: Any) -> Plan:
    return Plan(ref=ref, product_ref=PRODUCT, name=ref, created_at=0, updated_at=0, **fields)


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
    plan("pln_once", type=PlanType.ONE_TIME, price=9, limit=20),
]  # fmt: skip

UNITS = st.builds(Fraction, st.integers(0, 12_000_000_000), st.just(NANO)) | st.builds(
    Fraction, st.integers(0, 12)
)
SECONDS = st.integers(1, 100_000)
STEPS = st.one_of(
    st.tuples(st.just("buy"), st.sampled_from(PLANS)),
    st.tuples(
        st.just("track"), UNITS, st.integers(-2_000_000, 80_000), st.sampled_from(list(Outcome)),
        st.booleans(),
    ),
    st.tuples(st.just("track"), UNITS, st.just(0), st.just(Outcome.SUCCESS), st.booleans()),
    st.tuples(st.just("reserve"), UNITS, SECONDS, st.booleans()),
    st.tuples(st.just("settle"), st.integers(0, 9), UNITS, st.booleans()),
    st.tuples(st.just("release"), st.integers(0, 9)),
    st.tuples(st.just("credit"), st.integers(-20, 60), st.booleans()),
    st.tuples(st.just("wait"), st.integers(-1_000, 900_000)),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("reactivate")),
    st.tuples(st.just("crash")),
)  # fmt: skip


class Life:
    """Does each step to the ledger and to the model, and compares them."""

    def __init__(self, opened: EmbeddedLedger) -> None:
        self.opened = opened
        self.scope_id = opened.caller.scope.id
        self.model = ledger_model.Customer()
        self.numbers: list[int] = []
        self.keys = 0

    async def step(self, step: Sequence[Any]) -> None:
        self.model.now = to_microseconds(self.opened.now())
        await getattr(self, step[0])(*step[1:])
        self.model.now = to_microseconds(self.opened.now())
        await self.compare()

    async def record(self, action: Any, *, repeat: bool = False) -> Outcomes:
        """Record an action, and again with its key, which must change nothing and answer alike."""
        (outcome,) = await self.opened.ledger.record(Recording((action,), decide))
        if repeat:
            (again,) = await self.opened.ledger.record(Recording((action,), decide))
            if (isinstance(outcome, Reserved) and isinstance(again, Reserved)) or (
                isinstance(outcome, Ending) and isinstance(again, Ending)
            ):
                assert again.hold == outcome.hold
        return outcome

    def key(self, wanted: bool) -> str | None:
        self.keys += 1
        return f"key {self.keys}" if wanted else None

    async def buy(self, chosen: Plan) -> None:
        sale = Sale(customer_ref=CUSTOMER, plan=chosen, origin=Origin.ACTIVATION, paid=True)
        done = await self.opened.catalog.purchases.activate(self.opened.caller, sale)
        if done.is_new:
            self.model.buy(chosen)

    async def track(self, units: Fraction, seconds: int, outcome: Outcome, keyed: bool) -> None:
        at = self.model.now + seconds * 1_000_000
        await self.record(
            Track(
                scope_id=self.scope_id,
                type="usage.api_call",
                customer_ref=CUSTOMER,
                product_ref=PRODUCT,
                purchase_ref=None,
                meter="requests",
                units=int(units * NANO),
                outcome=outcome,
                timestamp=at if seconds else None,
                key=self.key(keyed),
            ),
            repeat=keyed,
        )
        self.model.track(units, at, success=outcome is Outcome.SUCCESS)

    async def reserve(self, units: Fraction, seconds: int, keyed: bool) -> None:
        if not units:
            return
        action = Reserve(
            scope_id=self.scope_id,
            customer_ref=CUSTOMER,
            product_ref=PRODUCT,
            units=int(units * NANO),
            ttl_us=seconds * 1_000_000,
            key=self.key(keyed),
        )
        outcome = await self.record(action, repeat=False)
        expected = self.model.reserve(units, seconds * 1_000_000)
        assert isinstance(outcome, Reserved)
        assert (outcome.hold is not None) == (expected is not None)
        if outcome.hold is not None:
            self.numbers.append(outcome.hold.number)
            if keyed:
                again = await self.record(action)
                assert isinstance(again, Reserved)
                assert again.hold == outcome.hold

    async def settle(self, which: int, units: Fraction, keyed: bool) -> None:
        if which >= len(self.numbers) or self.model.holds[which].state == "released":
            return
        hold = self.model.holds[which]
        action = Settle(
            scope_id=self.scope_id,
            hold=self.numbers[which],
            units=int(units * NANO),
            type="usage.api_call",
            key=self.key(keyed),
        )
        outcome = await self.record(action, repeat=keyed)
        self.model.settle(hold, units)
        assert isinstance(outcome, Ending)
        assert Fraction(outcome.hold.used, NANO) == hold.booked
        assert Fraction(outcome.hold.over, NANO) == hold.over

    async def release(self, which: int) -> None:
        if which >= len(self.numbers) or self.model.holds[which].state == "settled":
            return
        hold = self.model.holds[which]
        await self.record(Release(scope_id=self.scope_id, hold=self.numbers[which]), repeat=True)
        if hold.is_open(self.model.now):
            hold.state = "released"

    async def credit(self, amount: int, keyed: bool) -> None:
        if not amount:
            return
        action = Credit(
            scope_id=self.scope_id,
            customer_ref=CUSTOMER,
            kind=CreditKind.GRANT if amount > 0 else CreditKind.ADJUSTMENT,
            credits=amount,
            reason=None,
            key=self.key(keyed),
        )
        try:
            await self.record(action, repeat=keyed)
        except CreditsNotFree:
            assert -amount > self.model.free_credits()
        else:
            self.model.balance += amount

    async def wait(self, seconds: int) -> None:
        """Time goes on, or the clock is set back."""
        self.opened.clock.advance(timedelta(seconds=seconds))

    async def cancel(self) -> None:
        bought = self.model.bought
        now = self.model.now
        current = await self.opened.ledger.standing(self.scope_id, CUSTOMER, PRODUCT)
        if current.purchase is None or bought is None:
            return
        try:
            after = await self.opened.catalog.purchases.cancel(self.opened.caller, current.purchase.ref, None)
        except PurchaseNotCancellable:
            return
        period = bought.period(now)
        endless = period is None or bought.plan.billing_cycle is None
        bought.ends = now if endless else after.ends_at

    async def reactivate(self) -> None:
        current = await self.opened.ledger.standing(self.scope_id, CUSTOMER, PRODUCT)
        if current.purchase is None or self.model.bought is None:
            return
        try:
            await self.opened.catalog.purchases.reactivate(self.opened.caller, current.purchase.ref)
        except PurchaseNotReactivable:
            return
        self.model.bought.ends = None

    async def crash(self) -> None:
        await self.opened.crash()

    async def compare(self) -> None:
        model, ledger = self.model, self.opened.ledger
        account = await ledger.standing(self.scope_id, CUSTOMER, PRODUCT)
        balance = await ledger.balance(self.scope_id, CUSTOMER)
        assert (balance.credits, balance.held) == (model.balance, model.held_credits())
        if model.bought is not None and account.period is not None:
            assert Fraction(account.used, NANO) == model.bought.used_in(account.period.number)
            assert Fraction(account.held, NANO) == model.held(model.bought, account.period.number)
        within, remaining = model.remaining()
        found = access(account)
        assert (found.within, found.remaining) == (within, UNLIMITED if remaining is None else remaining)
        entries = await self.opened.entries()
        if account.purchase is not None and account.period is not None:
            logged = sum(
                entry.whole * NANO + entry.nano
                for entry in entries
                if isinstance(entry, Consumed)
                and (entry.purchase_ref, entry.period) == (account.purchase.ref, account.period.number)
            )
            settled = await self._settled(entries, account.purchase.ref, account.period.number)
            assert logged + settled == account.used
        moved = sum(entry.credits for entry in entries if isinstance(entry, Credited))
        debited = sum(entry.debit for entry in entries if isinstance(entry, Consumed | Ended))
        assert moved - debited == balance.credits

    async def _settled(self, entries: Sequence[Any], ref: str, period: int) -> int:
        units = 0
        for entry in entries:
            if isinstance(entry, Ended):
                hold = await self.opened.ledger.hold(self.scope_id, entry.number)
                assert hold is not None
                if (hold.purchase_ref, hold.period) == (ref, period):
                    units += entry.whole * NANO + entry.nano
        return units


def live(steps: list[tuple[Any, ...]]) -> None:
    async def run() -> None:
        with TemporaryDirectory() as directory:
            async with EmbeddedLedger(Path(directory)) as opened:
                life = Life(opened)
                for step in steps:
                    await life.step(step)
                assert await opened.rebuild() == 0

    asyncio.run(run())


@settings(max_examples=120)
@given(st.lists(STEPS, min_size=5, max_size=30))
def test_ledger_limits_and_log_agree_with_the_rules_at_every_step(steps: list[tuple[Any, ...]]) -> None:
    live(steps)


@pytest.mark.soak
@settings(max_examples=5_000)
@given(st.lists(STEPS, min_size=5, max_size=60))
def test_ledger_limits_and_log_agree_with_the_rules_over_long_lives(steps: list[tuple[Any, ...]]) -> None:
    live(steps)
