"""When periods begin and end: `[start, end)`, computed from nothing but the start and the cycle."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.model.event import to_microseconds
from meterhouse.model.period import CYCLE_DAYS, DAY_US, Grid
from meterhouse.model.plan import BillingCycle


def at(text: str) -> int:
    return to_microseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


START = at("2026-01-31T12:00:00")
TIMES = st.datetimes(datetime(2026, 2, 1), datetime(2060, 1, 1)).map(  # noqa: DTZ001 - made aware below
    lambda time: to_microseconds(time.replace(tzinfo=UTC))
)


@pytest.mark.parametrize(
    ("cycle", "days"),
    [("weekly", 7), ("monthly", 30), ("quarterly", 90), ("yearly", 365), ("custom", 30)],
)
def test_a_cycle_has_the_contracts_length(cycle: str, days: int) -> None:
    first = Grid(START, BillingCycle(cycle)).period(0)
    assert first.end is not None
    assert first.end - first.start == days * DAY_US


def test_the_instant_a_period_ends_is_the_next_ones_first() -> None:
    grid = Grid(START, BillingCycle.MONTHLY)
    end = START + 30 * DAY_US
    before, after = grid.period_at(end - 1), grid.period_at(end)
    assert (before and before.number, after and after.number) == (0, 1)


def test_nothing_before_the_purchase_is_in_a_period() -> None:
    for grid in (
        Grid(START, None),
        Grid(START, BillingCycle.WEEKLY),
        Grid(START, BillingCycle.WEEKLY, calendar=True),
    ):
        assert grid.period_at(START - 1) is None
        assert grid.period_at(START) is not None


def test_without_a_cycle_one_period_never_ends() -> None:
    assert Grid(START, None).period_at(START + 10**16) == (0, START, None)


@pytest.mark.parametrize(
    ("cycle", "ends"),
    [
        ("weekly", ["2026-02-02", "2026-02-09"]),  # Mondays
        ("monthly", ["2026-02-01", "2026-03-01"]),
        ("quarterly", ["2026-04-01", "2026-07-01"]),
        ("yearly", ["2027-01-01", "2028-01-01"]),
    ],
)
def test_calendar_periods_end_with_the_calendars(cycle: str, ends: list[str]) -> None:
    grid = Grid(START, BillingCycle(cycle), calendar=True)
    found = [grid.period(0), grid.period(1)]
    assert [period.end for period in found] == [at(f"{end}T00:00:00") for end in ends]
    assert (found[0].start, found[1].start) == (START, found[0].end)


@given(TIMES, st.sampled_from(list(BillingCycle)), st.booleans())
def test_every_time_is_in_exactly_the_period_that_says_so(
    time: int,
    cycle: BillingCycle,
    calendar: bool,  # noqa: FBT001 - hypothesis draws it
) -> None:
    grid = Grid(START, cycle, calendar)
    period = grid.period_at(time)
    assert period is not None
    assert period.end is not None
    assert period.start <= time < period.end
    assert grid.period(period.number) == period
    assert grid.period(period.number + 1).start == period.end
    longest = timedelta(days=366) if calendar else timedelta(days=CYCLE_DAYS[cycle])
    assert period.end - period.start <= longest / timedelta(microseconds=1)
