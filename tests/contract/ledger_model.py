"""The rules of metering said plainly, to hold the ledger against: facts are kept, all is counted anew.

Nothing here is fast, cached or shared with the server, but for the nouns.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from meterhouse.model.plan import Plan, PlanType
from tests.contract.ledger_purse import Coins, Kept, LetGo, Passed, Purse, Taken

DAY_US = 86_400_000_000
CYCLE_DAYS = {"weekly": 7, "monthly": 30, "quarterly": 90, "yearly": 365, "custom": 30}
CALENDAR_MONTHS = {"monthly": 1, "quarterly": 3, "yearly": 12}
NOTHING = Fraction(0)


def next_in_the_calendar(cycle: str, at: int) -> int:
    """When the week, month, quarter or year that holds a time ends: gone through day by day."""
    day = datetime.fromtimestamp(at // DAY_US * DAY_US // 1_000_000, UTC)
    while True:
        day += timedelta(days=1)
        if cycle == "weekly":
            begins = day.weekday() == 0
        else:
            begins = day.day == 1 and (day.month - 1) % CALENDAR_MONTHS[cycle] == 0
        if begins:
            return round(day.timestamp()) * 1_000_000


def whole_millisecond(at: int) -> int:
    return at // 1000 * 1000


@dataclass
class Bought:
    """ref: as the catalog named it. created: microseconds. used: units, each with its period."""

    ref: str
    plan: Plan
    created: int
    paid: bool
    trial_ends: int | None = None
    ends: int | None = None
    cancelled: bool = False
    resumed: int | None = None
    used: list[tuple[int, Fraction]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ends = self.first_end()
        if self.plan.trial_days and not self.paid:
            self.trial_ends = self.start + self.plan.trial_days * DAY_US

    @property
    def start(self) -> int:
        return whole_millisecond(self.created)

    @property
    def endless(self) -> bool:
        return self.plan.billing_cycle is None or self.plan.type is PlanType.ONE_TIME

    @property
    def renews(self) -> bool:
        return self.plan.auto_renew and not self.endless and self.ends is None

    def end_of(self, start: int) -> int:
        """When the period ends that a time is in, which is a period's start or the purchase's."""
        assert self.plan.billing_cycle is not None
        if self.plan.calendar_periods:
            return next_in_the_calendar(self.plan.billing_cycle, start)
        return start + CYCLE_DAYS[self.plan.billing_cycle] * DAY_US

    def period(self, at: int) -> int | None:
        if at < self.start:
            return None
        if self.endless:
            return 0
        number, end = 0, self.end_of(self.start)
        while end <= at:
            number, end = number + 1, self.end_of(end)
        return number

    def period_end(self, at: int) -> int | None:
        if self.endless or at < self.start:
            return None
        end = self.end_of(self.start)
        while end <= at:
            end = self.end_of(end)
        return end

    def first_end(self) -> int | None:
        """When it ends by itself."""
        days = self.plan.access_expiry_days
        ends = [self.start + days * DAY_US] if days else []
        if not self.plan.auto_renew and not self.endless:
            ends.append(self.end_of(self.start))
        return min(ends, default=None)

    def gives_access(self, at: int) -> bool:
        """As it stands now, at any time."""
        if self.ends is not None and at >= self.ends:
            return False
        unpaid = not self.paid and self.plan.requires_payment
        return self.trial_ends is None or at < self.trial_ends or not unpaid

    def goes_on(self, now: int) -> bool:
        """Go on from its own start, without a trial that is over where nothing has to be paid first."""
        kept = self.ends, self.cancelled
        self.ends, self.cancelled = self.first_end(), False
        ended = self.ends is not None and now >= self.ends
        if not ended and not self.gives_access(now) and self.plan.begins_unpaid:
            self.trial_ends = None
        if not self.gives_access(now):
            self.ends, self.cancelled = kept
            return False
        self.resumed = now
        return True

    def used_in(self, period: int) -> Fraction:
        return sum((units for at, units in self.used if at == period), NOTHING)

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
        beyond: int | None = 0
        if plan.type is PlanType.HYBRID and overage is not None and overage.allow_overage:
            beyond = overage.max_overage
        return None if beyond is None else limit + self.carried(period, limit, held) + beyond

    def carried(self, period: int, limit: int, held: Callable[[int], Fraction]) -> Fraction:
        carried = NOTHING
        if self.plan.rollover_unused_units:
            back = None if self.resumed is None else self.period(self.resumed)
            for before in range(back if back is not None and back <= period else 0, period):
                left = limit + carried - self.used_in(before) - held(before)
                carried = min(Fraction(limit), max(left, NOTHING))
        return carried


@dataclass(eq=False)
class Reserved:
    """left: whole units that were free beside it, None for any number."""

    bought: Bought
    period: int
    at: int
    expires: int
    units: Fraction
    credits: int
    left: int | None = None
    state: str = "open"
    booked: Fraction = NOTHING
    over: Fraction = NOTHING
    expired: bool = False

    def is_open(self, now: int) -> bool:
        """One that was opened by a clock that was more than a minute ahead has ended."""
        ahead = self.at > now + 60_000_000
        return self.state == "open" and not self.expired and now < self.expires and not ahead

    def status(self, now: int) -> str:
        return "expired" if self.state == "open" and not self.is_open(now) else self.state


@dataclass
class Customer:
    """What one customer bought of each product, and what it did with it.

    defaults: the free plan that a product gives to whom has none. stored: the units of every event.
    made: when the customer was. newest: the newest time that anything was decided by; `now` may be before.
    """

    made: int = 0
    newest: int = 0
    set_back: bool = False

    defaults: dict[str, Plan] = field(default_factory=dict)
    now: int = 0
    purse: Purse = field(default_factory=Purse)
    bought: list[Bought] = field(default_factory=list)
    current: dict[str, Bought] = field(default_factory=dict)
    holds: list[Reserved] = field(default_factory=list)
    stored: list[Fraction] = field(default_factory=list)

    # --- purchases

    def buy(self, plan: Plan, *, paid: bool) -> Bought | None:
        """Return what the customer has then; None where it had the plan, and that has ended for good.

        ref: empty in a new purchase.
        """
        before = self.current.get(plan.product_ref)
        if before is not None and before.gives_access(self.now) and before.plan.ref == plan.ref:
            if not paid or (before.paid and not before.cancelled and before.renews):
                return before
            if not before.paid or before.cancelled:
                before.paid, before.trial_ends = True, None
                before.cancelled, before.ends = False, before.first_end()
                return before
        mine = [each for each in self.bought if each.plan.ref == plan.ref]
        former = None if paid or not mine else max(mine, key=lambda each: (each.created, each.ref))
        if former is not None and not former.goes_on(self.now):
            if not (plan.type is PlanType.USAGE_BASED and plan.requires_payment):
                return None
            former = None
        if former is None:
            former = Bought("", plan, max(self.now, self.made), paid)
            if mine:
                former.trial_ends = None  # it was had
            self.bought.append(former)
        if before is not None and before is not former:
            ended = whole_millisecond(self.now)
            before.ends = ended if before.ends is None else min(before.ends, ended)
        self.current[plan.product_ref] = former
        return former

    def with_access(self, product: str) -> Bought | None:
        bought = self.current.get(product)
        return bought if bought is not None and bought.gives_access(self.now) else None

    def enrolled(self, product: str) -> Bought | None:
        """What the customer has after a limit check: a free default plan where it had none."""
        if self.with_access(product) is None and product in self.defaults:
            self.buy(self.defaults[product], paid=False)
        return self.with_access(product)

    def cancel(self, product: str) -> bool:
        bought = self.with_access(product)
        if bought is None or bought.cancelled:
            return False
        end = bought.period_end(self.now)
        bought.cancelled = True
        at_once = whole_millisecond(self.now)
        bought.ends = at_once if end is None else min(end, end if bought.ends is None else bought.ends)
        return True

    def reactivate(self, product: str) -> bool:
        bought = self.with_access(product)
        if bought is None or not bought.cancelled:
            return False
        bought.cancelled, bought.ends = False, bought.first_end()
        return True

    # --- time

    def written(self) -> None:
        """The ledger has written something, and with it all that had expired."""
        self.purse.facts.append(Passed(self.now))
        for hold in self.holds:
            hold.expired = hold.expired or (hold.state == "open" and not hold.is_open(self.now))

    def period(self, bought: Bought, at: int | None = None) -> int | None:
        """The period of a time, None for now. Periods never go back when the clock does."""
        when = self.now if at is None else at
        period = bought.period(max(when, bought.start) if self.now < bought.start else when)
        if at is None and period is not None and self.now < self.newest:
            held = [hold.period for hold in self.holds if hold.bought is bought]
            return max(period, *(number for number, _ in bought.used), *held, 0)
        return period

    # --- what is free

    def held(self, bought: Bought, period: int) -> Fraction:
        return sum(
            (
                hold.units
                for hold in self.holds
                if hold.is_open(self.now) and hold.bought is bought and hold.period == period
            ),
            NOTHING,
        )

    def credits(self) -> Coins:
        return self.purse.at(self.now)

    def free_credits(self) -> int:
        coins = self.credits()
        return len(coins.coins) - coins.kept

    def free(self, bought: Bought, period: int) -> Fraction | None:
        cap = bought.cap(period, lambda earlier: self.held(bought, earlier))
        if cap is None:
            return None
        return max(cap - bought.used_in(period) - self.held(bought, period), NOTHING)

    def whole(self, bought: Bought) -> int | None:
        """How many whole units are free now; None for any number."""
        period = self.period(bought)
        assert period is not None
        free = self.free(bought, period)
        left = [] if free is None else [int(free)]
        if bought.prepaid:
            left.append(self.free_credits() // bought.plan.credits_per_unit)
        return min(left, default=None)

    def remaining(self, product: str) -> tuple[bool, int | None]:
        """Whether anything may be used now, and how many whole units; None for any number."""
        bought = self.with_access(product)
        if bought is None:
            return False, 0
        period = self.period(bought)
        assert period is not None
        free = self.free(bought, period)
        within = free is None or free > 0
        if bought.prepaid:
            within = within and self.free_credits() >= bought.plan.credits_per_unit
        return within, self.whole(bought) if within else 0

    # --- what is used

    def track(self, product: str, pinned: Bought | None, units: Fraction, at: int | None) -> None:
        """A success. It counts for the purchase that it names, or the product's current one, if that gave
        access when it happened."""
        bought = self.current.get(product) if pinned is None else pinned
        if bought is None or bought.plan.product_ref != product:
            return
        if at is not None and at < self.made and not bought.gives_access(self.now):
            return
        period = self.period(bought, at)
        if bought.gives_access(self.now if at is None else at) and period is not None:
            cost = self.book(bought, units, period)
            if cost:
                self.purse.facts.append(Taken(self.now, min(cost, self.free_credits())))

    def book(self, bought: Bought, units: Fraction, period: int) -> int:
        """Book units; return the credits that they cost."""
        before = bought.used_in(period)
        bought.used.append((period, units))
        if not bought.prepaid:
            return 0
        each = bought.plan.credits_per_unit
        return int((before + units) * each) - int(before * each)

    def reserve(self, product: str, units: Fraction, ttl: int) -> Reserved | None:
        bought = self.with_access(product)
        if bought is None:
            return None
        period = self.period(bought)
        assert period is not None
        free = self.free(bought, period)
        exact = units * bought.plan.credits_per_unit if bought.prepaid else NOTHING
        credits_ = int(exact) + (exact != int(exact))
        if (free is not None and units > free) or credits_ > self.free_credits():
            return None
        hold = Reserved(bought, period, self.now, self.now + ttl, units, credits_)
        self.holds.append(hold)
        self.purse.facts.append(Kept(self.now, len(self.holds), credits_, hold.expires))
        hold.left = self.whole(bought)
        return hold

    def release(self, hold: Reserved) -> None:
        if hold.is_open(self.now):
            hold.state = "released"
            self.purse.facts.append(LetGo(self.now, self.holds.index(hold) + 1))

    def settle(self, hold: Reserved, units: Fraction) -> bool:
        if hold.state != "open":
            return False
        own, own_credits = (hold.units, hold.credits) if hold.is_open(self.now) else (NOTHING, 0)
        payable = own_credits + self.free_credits()
        free = self.free(hold.bought, hold.period)
        hold.over = NOTHING if free is None else max(units - own - free, NOTHING)
        hold.state, hold.booked = "settled", units
        self.stored.append(units)
        cost = self.book(hold.bought, units, hold.period)
        paid = min(cost, payable)
        self.purse.facts.append(LetGo(self.now, self.holds.index(hold) + 1, paid))
        if short := cost - paid:
            each = hold.bought.plan.credits_per_unit
            beyond = -(-short * 10**9 // each)
            hold.over = min(max(hold.over, Fraction(beyond, 10**9)), units)
        return True
