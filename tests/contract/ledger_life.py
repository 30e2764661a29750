"""A customer's life: each step is done to the ledger and to the rules said plainly, and they are compared."""

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import replace

from meterhouse.metering.decide import decide
from meterhouse.metering.limits import LimitFinding, LimitQuestion, Reservation
from meterhouse.metering.sweep import ExpirySweep
from meterhouse.model.credit import CreditKind
from meterhouse.model.errors import (
    CreditsNotFree,
    HoldReleased,
    HoldSettled,
    IdempotencyConflict,
    PurchaseNotCancellable,
    PurchaseNotReactivable,
    ValidationFailed,
)
from meterhouse.model.event import Outcome, to_microseconds
from meterhouse.model.ledger import (
    Action,
    Credit,
    CreditMoved,
    Debit,
    Ending,
    Outcomes,
    Recording,
    Release,
    Settle,
    Skipped,
    Track,
    Tracked,
)
from meterhouse.model.plan import Plan, PlanType
from meterhouse.model.plan_body import NewPlan
from meterhouse.model.purchase import Origin, Sale
from meterhouse.model.units import NANO
from tests.contract.ledger_books import CUSTOMER, OTHER, Books, told
from tests.contract.ledger_model import Bought, Customer
from tests.contract.ledger_purse import NEVER, Given, Taken
from tests.contract.ledgers import OpenedLedger

# ruff: noqa: FBT001 - hypothesis draws them

DEFAULT = NewPlan(reference="pln_default", name="Free", default=True, limit=5, billing_cycle="weekly")
"""Of the other product: whoever has none of its plans has this one."""


class Life:
    """plans: what may be bought."""

    def __init__(self, opened: OpenedLedger, plans: Sequence[Plan]) -> None:
        self.plans = plans
        self.opened = opened
        self.caller = opened.caller
        self.scope_id = opened.caller.scope.id
        self.model = Customer()
        self.books = Books(opened, self.model)
        self.numbers = self.books.numbers
        self.keyed: list[tuple[Track | Settle | Credit, Outcomes]] = []
        """What was done under a key, and the first answer."""
        self.granted: list[tuple[LimitQuestion, LimitFinding]] = []
        self.keys = 0

    async def begin(self) -> None:
        made = await self.opened.catalog.plans.create(self.caller, OTHER, DEFAULT)
        self.model.defaults[OTHER] = made
        self.model.made = to_microseconds(self.opened.now())

    async def step(self, step: Sequence[Any]) -> None:
        self.tell_the_time()
        position, self.model.newest = await self.opened.newest()
        await getattr(self, step[0])(*step[1:])
        after, self.model.newest = await self.opened.newest()
        if after > position:
            self.model.written()
        self.tell_the_time()
        await self.books.agree()

    def tell_the_time(self) -> None:
        now = to_microseconds(self.opened.now())
        self.model.set_back = self.model.set_back or now < self.model.now
        self.model.now = now

    def key(self, wanted: bool) -> str | None:
        self.keys += 1
        return f"key {self.keys}" if wanted else None

    async def record(self, action: Action) -> Outcomes:
        (outcome,) = await self.opened.ledger.record(Recording((action,), decide))
        return outcome

    # --- purchases

    async def buy(self, which: int, wants_to_pay: bool) -> None:
        """What costs something is paid for, unless it is on trial or paid for by use."""
        plan = self.plans[which % len(self.plans)]
        priced = plan.requires_payment and plan.type is not PlanType.USAGE_BASED
        paid = priced and (wants_to_pay or not plan.trial_days)
        expected = self.model.buy(plan, paid=paid)
        sale = Sale(customer_ref=CUSTOMER, plan=plan, origin=Origin.ACTIVATION, paid=paid)
        if expected is None:
            with pytest.raises(PurchaseNotReactivable):
                await self.opened.catalog.purchases.activate(self.caller, sale)
            return
        done = await self.opened.catalog.purchases.activate(self.caller, sale)
        expected.ref = expected.ref or done.ref
        assert done.ref == expected.ref
        assert [each.ref for each in self.model.bought].count(done.ref) == 1, "one that is new is another one"

    async def enrol_too_late(self) -> None:
        """As a limit check does that found no purchase, when one was made since: that one stays."""
        plan = self.model.defaults[OTHER]
        sale = Sale(customer_ref=CUSTOMER, plan=plan, origin=Origin.FREE_DEFAULT, paid=False)
        done = await self.opened.catalog.purchases.activate(self.caller, sale)
        assert done.ref == self.model.current[OTHER].ref

    async def cancel(self, product: str) -> None:
        bought = self.model.current.get(product)
        if bought is None:
            return
        if self.model.cancel(product):
            after = await self.opened.catalog.purchases.cancel(self.caller, bought.ref, None)
            assert after.ends_at == bought.ends
        else:
            with pytest.raises(PurchaseNotCancellable):
                await self.opened.catalog.purchases.cancel(self.caller, bought.ref, None)

    async def reactivate(self, product: str) -> None:
        bought = self.model.current.get(product)
        if bought is None:
            return
        if self.model.reactivate(product):
            after = await self.opened.catalog.purchases.reactivate(self.caller, bought.ref)
            assert after.ends_at == bought.ends
        else:
            with pytest.raises(PurchaseNotReactivable):
                await self.opened.catalog.purchases.reactivate(self.caller, bought.ref)

    # --- usage

    async def track(
        self, product: str, pin: int | None, units: Fraction, seconds: int, said: tuple[Outcome, bool]
    ) -> None:
        """pin: which purchase it names. seconds: from now, 0 for none said. said: and whether with a key."""
        outcome, keyed = said
        pinned = self.pinned(product, pin)
        at = self.model.now + seconds * 1_000_000
        action = Track(
            scope_id=self.scope_id,
            type="usage.api_call",
            customer_ref=CUSTOMER,
            product_ref=product,
            purchase_ref=None if pinned is None else pinned.ref,
            meter=None,
            units=int(units * NANO),
            outcome=outcome,
            timestamp=at if seconds else None,
            key=self.key(keyed),
        )
        done = await self.record(action)
        if keyed:
            self.keyed.append((action, done))
        self.model.stored.append(units)
        if outcome is Outcome.SUCCESS:
            self.model.track(product, pinned, units, at if seconds else None)

    def pinned(self, product: str, pin: int | None) -> Bought | None:
        """Return a purchase of the product; for -1, the last one, of whatever product."""
        mine = [each for each in self.model.bought if pin == -1 or each.plan.product_ref == product]
        return mine[pin % len(mine)] if pin is not None and mine else None

    async def credit(self, amount: int, keyed: bool, seconds: int | None = None) -> None:
        """seconds: after which credits that are given expire, None for never."""
        expires = None if seconds is None else self.model.now + seconds * 1_000_000
        action = Credit(
            scope_id=self.scope_id,
            customer_ref=CUSTOMER,
            kind=CreditKind.GRANT if amount > 0 else CreditKind.ADJUSTMENT,
            credits=amount,
            reason=None,
            key=self.key(keyed),
            expires_at=expires,
        )
        if -amount > self.model.free_credits():
            with pytest.raises(CreditsNotFree):
                await self.record(action)
            return
        if seconds is not None and seconds <= 0:
            with pytest.raises(ValidationFailed):
                await self.record(action)
            return
        done = await self.record(action)
        assert isinstance(done, CreditMoved)
        if keyed:
            self.keyed.append((action, done))
        facts = self.model.purse.facts
        if amount > 0:
            self.books.grants[len(facts)] = done.number
            facts.append(Given(self.model.now, amount, NEVER if expires is None else expires))
        else:
            facts.append(Taken(self.model.now, -amount))
        assert done.balance == len(self.model.credits().coins)

    # --- holds

    async def reserve(self, product: str, units: Fraction, seconds: int, keyed: bool) -> None:
        if not units:
            return
        asked = LimitQuestion(
            customer_ref=CUSTOMER,
            product_ref=product,
            reserve=Reservation(int(units * NANO), seconds * 1_000_000, self.key(keyed)),
        )
        self.model.enrolled(product)
        expected = self.model.reserve(product, units, seconds * 1_000_000)
        found = await self.books.limits.check(self.caller, asked)
        if expected is None:
            assert found.hold is None
            assert found.access == (False, told(self.model.remaining(product)[1]))
            return
        assert found.hold is not None
        assert found.access == (True, told(expected.left))
        self.numbers.append(found.hold.number)
        if keyed:
            self.granted.append((asked, found))

    async def settle(self, which: int, units: Fraction, keyed: bool) -> None:
        """Of one that is settled already: whatever is said then, the first answer stands."""
        if not self.numbers:
            return
        hold, number = self.model.holds[which % len(self.numbers)], self.numbers[which % len(self.numbers)]
        action = Settle(
            scope_id=self.scope_id,
            hold=number,
            units=int(units * NANO),
            type="usage.api_call",
            key=self.key(keyed),
        )
        if hold.state == "released":
            with pytest.raises(HoldReleased):
                await self.record(action)
            return
        is_first = self.model.settle(hold, units)
        done = await self.record(action)
        assert isinstance(done, Ending)
        assert (Fraction(done.hold.used, NANO), Fraction(done.hold.over, NANO)) == (hold.booked, hold.over)
        if is_first and isinstance(done.debit, Debit):
            self.compare_debit(done.debit, hold.bought)
        assert (await self.record(action)) == done
        if is_first and keyed:
            self.keyed.append((action, done))

    def compare_debit(self, debit: Debit, bought: Bought) -> None:
        assert debit.units_remaining == self.model.free_credits() // bought.plan.credits_per_unit

    async def release(self, which: int) -> None:
        if not self.numbers:
            return
        hold, number = self.model.holds[which % len(self.numbers)], self.numbers[which % len(self.numbers)]
        action = Release(scope_id=self.scope_id, hold=number)
        if hold.state == "settled":
            with pytest.raises(HoldSettled):
                await self.record(action)
            return
        self.model.release(hold)
        done = await self.record(action)
        assert await self.record(action) == done

    async def sweep(self) -> None:
        while await ExpirySweep(self.opened.ledger).once():
            pass

    # --- what is sent again, and time, and disaster

    async def again(self, which: int, otherwise: bool) -> None:
        """Whatever came between, a key has its first answer, and 409 for something else."""
        if not self.keyed:
            return
        action, first = self.keyed[which % len(self.keyed)]
        if otherwise:
            amount = "credits" if isinstance(action, Credit) else "units"
            with pytest.raises(IdempotencyConflict):
                await self.record(replace(action, **{amount: getattr(action, amount) + 1}))
            return
        done = await self.record(action)
        if isinstance(first, Tracked):
            assert done == Tracked(first.event_number, Skipped.DUPLICATE)
        elif isinstance(first, CreditMoved):
            assert done == first
        else:
            assert isinstance(first, Ending)
            assert isinstance(done, Ending)
            assert done.hold == first.hold

    async def reserve_again(self, which: int, otherwise: bool) -> None:
        if not self.granted:
            return
        asked, first = self.granted[which % len(self.granted)]
        assert asked.reserve is not None
        assert first.hold is not None
        if otherwise:
            other = replace(asked, reserve=replace(asked.reserve, units=asked.reserve.units + 1))
            with pytest.raises(IdempotencyConflict):
                await self.books.limits.check(self.caller, other)
            return
        found = await self.books.limits.check(self.caller, asked)
        assert found.hold is not None
        assert (found.hold.number, found.access, found.is_new_hold) == (
            first.hold.number,
            first.access,
            False,
        )

    async def wait(self, seconds: int) -> None:
        """Time goes on, or the clock is set back."""
        self.opened.clock.advance(timedelta(seconds=seconds))

    async def wait_for_the_period_to_end(self, product: str, microseconds: int) -> None:
        """microseconds: beyond its end."""
        bought = self.model.current.get(product)
        self.turn_to(None if bought is None else bought.period_end(self.model.now), microseconds)

    async def wait_for_credits_to_expire(self, which: int, microseconds: int) -> None:
        """microseconds: beyond their time."""
        times = [fact.expires for fact in self.model.purse.facts if isinstance(fact, Given)]
        times = [time for time in times if time != NEVER]
        self.turn_to(times[which % len(times)] if times else None, microseconds)

    async def wait_for_a_hold_to_expire(self, which: int, microseconds: int) -> None:
        """Of one that has, the clock is set back to when it did."""
        holds = self.model.holds
        self.turn_to(holds[which % len(holds)].expires if holds else None, microseconds)

    def turn_to(self, time: int | None, microseconds: int) -> None:
        if time is not None:
            ahead = time + microseconds - to_microseconds(self.opened.clock())
            self.opened.clock.advance(timedelta(microseconds=ahead))

    async def flush(self, keys: bool, accounts: bool) -> None:
        self.opened.flush(keys=keys, accounts=accounts)

    async def crash(self) -> None:
        await self.opened.crash()
        self.books.open()
