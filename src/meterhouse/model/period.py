"""Periods: how the time of a purchase is cut. Computed whenever it is asked, so that no job has to run.

Cycles have the contract's fixed lengths (solvapay.md §4.3): a month is 30 days, counted from the start of the
purchase. With calendar periods the cuts are those of the UTC calendar, and the first period is what is left
of its month.
"""

from collections.abc import Callable
from datetime import date
from typing import Final, NamedTuple

from meterhouse.model.plan import BillingCycle

DAY_US: Final = 86_400_000_000
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


CYCLE_DAYS: Final = {
    BillingCycle.WEEKLY: 7,
    BillingCycle.MONTHLY: 30,
    BillingCycle.QUARTERLY: 90,
    BillingCycle.YEARLY: 365,
    BillingCycle.CUSTOM: 30,
}
_MONTHS: Final = {
    BillingCycle.MONTHLY: 1,
    BillingCycle.CUSTOM: 1,
    BillingCycle.QUARTERLY: 3,
    BillingCycle.YEARLY: 12,
}


class Period(NamedTuple):
    """`[start, end)` in microseconds since 1970, UTC. end: None where the period never ends.

    number: 0 is the one that the purchase starts in.
    """

    number: int
    start: int
    end: int | None


class Grid(NamedTuple):
    """Where the periods of a purchase begin. cycle: None for one period without an end."""

    started_at: int
    cycle: BillingCycle | None
    calendar: bool = False

    def period_at(self, at: int) -> Period | None:
        """Return the period that holds a time; None for a time before the purchase."""
        if at < self.started_at:
            return None
        if self.cycle is None:
            return Period(0, self.started_at, None)
        if not self.calendar:
            return self.period((at - self.started_at) // (CYCLE_DAYS[self.cycle] * DAY_US))
        index, _ = _calendar(self.cycle)
        return self.period(index(at) - index(self.started_at))

    def period(self, number: int) -> Period:
        """Return a period by its number. number: 0 or more."""
        if self.cycle is None:
            return Period(0, self.started_at, None)
        if not self.calendar:
            length_us = CYCLE_DAYS[self.cycle] * DAY_US
            start = self.started_at + number * length_us
            return Period(number, start, start + length_us)
        index, begin = _calendar(self.cycle)
        first = index(self.started_at)
        start = max(begin(first + number), self.started_at)
        return Period(number, start, begin(first + number + 1))


def _calendar(cycle: BillingCycle) -> tuple[Callable[[int], int], Callable[[int], int]]:
    """Return the function from a time to the number of its calendar period since 1970, and its inverse."""
    if cycle is BillingCycle.WEEKLY:  # 1970-01-01 was a Thursday: day 4 is the first Monday
        return (lambda at: (at // DAY_US + 3) // 7), (lambda week: (week * 7 - 3) * DAY_US)
    months = _MONTHS[cycle]

    def index(at: int) -> int:
        day = date.fromordinal(_EPOCH_ORDINAL + at // DAY_US)
        return (day.year * 12 + day.month - 1) // months

    def begin(number: int) -> int:
        year, month = divmod(number * months, 12)
        return (date(year, month + 1, 1).toordinal() - _EPOCH_ORDINAL) * DAY_US

    return index, begin
