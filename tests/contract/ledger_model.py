"""The rules of metering said plainly, to hold the ledger against: facts are kept, all is counted anew.

Nothing here is fast, cached or shared with the server, but for the nouns.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from meterhouse.model.plan import Plan, PlanType

DAY_US = 86_400_000_000
CYCLE_DAYS = {"weekly": 7, "monthly": 30, "quarterly": 90, "yearly": 365, "custom": 30}


@dataclass
class Bought:
    plan: Plan
    start: int
    ends: int | None = None
    used: list[tuple[int, Fraction]] = field(default_factory=list)

    def period(self, at: int) -> int | None:
        if at < self.start:
            return None
        if self.plan.billing_cycle is None or self.plan.type is PlanType.ONE_TIME:
            return 0
        return (at - self.start) // (CYCLE_DAYS[self.plan.billing_cycle] * DAY_US)

    def used_in(self, period: int) -> Fraction:
        return sum((units for at, units in self.used if self.period(at) == period), Fraction(0))

    def active(self, at: int) -> bool:
        return self.ends is None or at < self.ends

    @property
    def prepaid(self) -> bool:
        return self.plan.type is PlanType.USAGE_BASED and self.plan.billing_model != "post-paid"

    def cap(self, period: int, held: Callable[[int], Fraction]) -> Fraction | None:
        """What a period has room for; None for any number. held: what is held in a period."""
        plan = self.plan
        limit = plan.limit or (plan.free_units if not plan.requires_payment else 0)
        if not limit:
            return None
        overage = plan.overage_policy
        if plan.type is PlanType.HYBRID and overage is not None and overage.allow_overage:
            if overage.max_overage is None:
                return None
            return limit + self.carried(period, limit, held) + overage.max_overage
        return limit + self.carried(period, limit, held)

    def carried(self, period: int, limit: int, held: Callable[[int], Fraction]) -> Fraction:
        if not self.plan.rollover_unused_units or period == 0:
            return Fraction(0)
        before = self.carried(period - 1, limit, held)
        taken = self.used_in(period - 1) + held(period - 1)
        return min(Fraction(limit), max(limit + before - taken, Fraction(0)))


@dataclass
class Reserved:
    bought: Bought
    period: int
    at: int
    expires: int
    units: Fraction
    credits: int
    state: str = "open"
    booked: Fraction = Fraction(0)
    over: Fraction = Fraction(0)

    def is_open(self, now: int) -> bool:
        return self.state == "open" and now < self.expires


@dataclass
class Customer:
    """One customer of one product."""

    now: int = 0
    balance: int = 0
    bought: Bought | None = None
    holds: list[Reserved] = field(default_factory=list)

    def buy(self, plan: Plan) -> None:
        self.bought = Bought(plan, self.now)

    def current(self) -> Bought | None:
        return self.bought if self.bought is not None and self.bought.active(self.now) else None

    def held(self, bought: Bought, period: int) -> Fraction:
        return sum(
            (
                hold.units
                for hold in self.holds
                if hold.is_open(self.now) and hold.bought is bought and hold.period == period
            ),
            Fraction(0),
        )

    def held_credits(self) -> int:
        return sum(hold.credits for hold in self.holds if hold.is_open(self.now))

    def free_credits(self) -> int:
        return max(self.balance - self.held_credits(), 0)

    def free(self, bought: Bought, period: int) -> Fraction | None:
        cap = bought.cap(period, lambda earlier: self.held(bought, earlier))
        if cap is None:
            return None
        return max(cap - bought.used_in(period) - self.held(bought, period), Fraction(0))

    def track(self, units: Fraction, at: int, *, success: bool = True) -> None:
        bought = self.bought
        if bought is None or not success or bought.period(at) is None or not bought.active(at):
            return
        self.pay(bought, units, at, self.free_credits())

    def pay(self, bought: Bought, units: Fraction, at: int, payable: int) -> int:
        """Book units; return the credits they cost beyond what was payable."""
        period = bought.period(at)
        assert period is not None
        before = bought.used_in(period)
        bought.used.append((at, units))
        if not bought.prepaid:
            return 0
        each = bought.plan.credits_per_unit
        cost = int((before + units) * each) - int(before * each)
        self.balance -= min(cost, payable)
        return cost - min(cost, payable)

    def reserve(self, units: Fraction, ttl: int) -> Reserved | None:
        bought = self.current()
        if bought is None:
            return None
        period = bought.period(self.now)
        assert period is not None
        free = self.free(bought, period)
        exact = units * bought.plan.credits_per_unit if bought.prepaid else Fraction(0)
        credits_ = int(exact) + (exact != int(exact))
        if (free is not None and units > free) or credits_ > self.free_credits():
            return None
        hold = Reserved(bought, period, self.now, self.now + ttl, units, credits_)
        self.holds.append(hold)
        return hold

    def settle(self, hold: Reserved, units: Fraction) -> None:
        if hold.state != "open":
            return
        is_open = hold.is_open(self.now)
        own, own_credits = (hold.units, hold.credits) if is_open else (Fraction(0), 0)
        payable = own_credits + self.free_credits()
        free = self.free(hold.bought, hold.period)
        hold.over = Fraction(0) if free is None else max(units - own - free, Fraction(0))
        hold.state, hold.booked = "settled", units
        short = self.pay(hold.bought, units, hold.at, payable)
        if short:
            each = hold.bought.plan.credits_per_unit
            beyond = -(-short * 10**9 // each)
            hold.over = min(max(hold.over, Fraction(beyond, 10**9)), units)

    def remaining(self) -> tuple[bool, int | None]:
        """Whether anything may be used now, and how many whole units; None for any number."""
        bought = self.current()
        if bought is None:
            return False, 0
        period = bought.period(self.now)
        assert period is not None
        free = self.free(bought, period)
        within = free is None or free > 0
        whole = None if free is None else int(free)
        if bought.prepaid:
            payable = self.free_credits() // bought.plan.credits_per_unit
            within = within and payable > 0
            whole = payable if whole is None else min(whole, payable)
        return within, whole if within else 0
