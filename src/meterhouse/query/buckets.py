"""Buckets of local time: hours, days, weeks that begin on Monday, months; through every clock change."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from meterhouse.model.event import from_microseconds, to_microseconds
from meterhouse.model.question import Granularity

MINUTE_US: Final = 60_000_000
QUARTER_US: Final = 15 * MINUTE_US  # every offset of the IANA zones is a multiple, since 1972
_DAY_US: Final = 24 * 60 * MINUTE_US
# No bucket is longer: clock changes lengthen an hour, a day, a week and a month by an hour or two.
_LONGEST_US: Final = {
    Granularity.MINUTE: MINUTE_US,
    Granularity.HOUR: 3 * 60 * MINUTE_US,
    Granularity.DAY: 2 * _DAY_US,
    Granularity.WEEK: 8 * _DAY_US,
    Granularity.MONTH: 32 * _DAY_US,
}


def bucket_starts(start: int, end: int, granularity: Granularity, zone: ZoneInfo) -> Iterator[int]:
    """Yield the start of every bucket that overlaps `[start, end)`, as microseconds since 1970, ascending.

    The first bucket may begin before `start`. A day that a clock change makes 23 or 25 hours long is one
    bucket; a day that the zone skipped has none.
    """
    match granularity:
        case Granularity.MINUTE:
            yield from range(start - start % MINUTE_US, end, MINUTE_US)
        case Granularity.HOUR:
            yield from _hours(start, end, zone)
        case _:
            yield from _dates(start, end, granularity, zone)


def newest_buckets(
    start: int, end: int, granularity: Granularity, zone: ZoneInfo, most: int
) -> tuple[int, ...]:
    """Return the starts of the last `most` buckets of `bucket_starts`, in order.

    The work follows `most`, not the length of the range.
    """
    start = max(start, end - (most + 1) * _LONGEST_US[granularity])
    return tuple(deque(bucket_starts(start, end, granularity, zone), most))


def _hours(start: int, end: int, zone: ZoneInfo) -> Iterator[int]:
    """Local hours. Where a clock moves by half an hour, the hour around it has 30 or 90 minutes."""
    quarter = start - start % QUARTER_US
    earlier = range(quarter, quarter - _DAY_US, -QUARTER_US)
    # Before 1972 a few zones have no full hour on any quarter: their hours begin where the range does.
    at = next((each for each in earlier if not from_microseconds(each).astimezone(zone).minute), quarter)
    while at < end:
        yield at
        at += QUARTER_US
        while at < end and from_microseconds(at).astimezone(zone).minute:
            at += QUARTER_US


def _dates(start: int, end: int, granularity: Granularity, zone: ZoneInfo) -> Iterator[int]:
    day = from_microseconds(start).astimezone(zone).date()
    if granularity is Granularity.WEEK:
        day -= timedelta(days=day.weekday())
    elif granularity is Granularity.MONTH:
        day = day.replace(day=1)
    following = midnight(day, zone)
    while (at := following) < end:
        day = _next(day, granularity)
        following = midnight(day, zone)
        if at < following:  # else the zone skipped the day, as Samoa did on 2011-12-30
            yield at


def midnight(day: date, zone: ZoneInfo) -> int:
    """Return when a local date begins: the time of the clock change where one skips midnight or the date."""
    return to_microseconds(datetime.combine(day, time.min, zone).astimezone(UTC))


def _next(day: date, granularity: Granularity) -> date:
    if granularity is Granularity.DAY:
        return day + timedelta(days=1)
    if granularity is Granularity.WEEK:
        return day + timedelta(days=7)
    return (day + timedelta(days=31)).replace(day=1)  # `day` is a first
