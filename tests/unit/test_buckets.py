"""Buckets follow the local calendar, through daylight saving and odd offsets."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.model.event import from_microseconds, to_microseconds
from meterhouse.model.question import Granularity
from meterhouse.query.buckets import QUARTER_US, bucket_starts, newest_buckets

STOCKHOLM, KATHMANDU, LORD_HOWE = map(ZoneInfo, ("Europe/Stockholm", "Asia/Kathmandu", "Australia/Lord_Howe"))


def us(text: str) -> int:
    return to_microseconds(datetime.fromisoformat(text))


def starts(start: str, end: str, granularity: str, zone: ZoneInfo) -> list[str]:
    found = bucket_starts(us(start), us(end), Granularity(granularity), zone)
    return [from_microseconds(at).strftime("%Y-%m-%dT%H:%MZ") for at in found]


def test_a_spring_day_in_stockholm_has_23_hours() -> None:
    hours = starts("2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00", "hour", STOCKHOLM)
    assert len(hours) == 23
    assert starts("2026-03-29T00:00+01:00", "2026-03-31T00:00+02:00", "day", STOCKHOLM) == [
        "2026-03-28T23:00Z",
        "2026-03-29T22:00Z",
    ]


def test_an_autumn_day_in_stockholm_has_25_hours() -> None:
    assert len(starts("2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00", "hour", STOCKHOLM)) == 25
    assert starts("2026-10-25T00:00+02:00", "2026-10-27T00:00+01:00", "day", STOCKHOLM) == [
        "2026-10-24T22:00Z",
        "2026-10-25T23:00Z",
    ]


def test_kathmandu_is_five_hours_and_three_quarters_ahead() -> None:
    assert starts("2026-11-01T00:00+05:45", "2026-11-01T02:00+05:45", "hour", KATHMANDU) == [
        "2026-10-31T18:15Z",
        "2026-10-31T19:15Z",
    ]
    assert starts("2026-11-01T00:00+05:45", "2026-11-02T00:00+05:45", "day", KATHMANDU) == [
        "2026-10-31T18:15Z"
    ]


def test_a_clock_that_moves_half_an_hour_makes_one_long_hour() -> None:
    hours = [
        us(h.replace("Z", "+00:00"))
        for h in starts("2026-04-04T13:00Z", "2026-04-04T18:00Z", "hour", LORD_HOWE)
    ]
    assert {(b - a) // 60_000_000 for a, b in pairwise(hours)} == {60, 90}


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    assert starts("2026-11-04T12:00Z", "2026-11-16T00:00Z", "week", ZoneInfo("UTC")) == [
        "2026-11-02T00:00Z",
        "2026-11-09T00:00Z",
    ]
    assert starts("2026-01-31T12:00Z", "2026-03-01T00:00:01Z", "month", ZoneInfo("UTC")) == [
        "2026-01-01T00:00Z",
        "2026-02-01T00:00Z",
        "2026-03-01T00:00Z",
    ]


def test_minutes_begin_on_the_minute() -> None:
    assert starts("2026-11-01T00:00:30Z", "2026-11-01T00:02:00Z", "minute", STOCKHOLM) == [
        "2026-11-01T00:00Z",
        "2026-11-01T00:01Z",
    ]


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Asia/Beirut", "America/Havana"])
def test_a_day_whose_midnight_does_not_exist_still_begins_once(zone: str) -> None:
    days = list(
        bucket_starts(us("2018-01-01T00:00Z"), us("2019-01-01T00:00Z"), Granularity.DAY, ZoneInfo(zone))
    )
    lengths = {(b - a) // 3_600_000_000 for a, b in pairwise(days)}
    assert lengths == {23, 24, 25}


@given(
    st.datetimes(datetime(1973, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.timedeltas(timedelta(microseconds=1), timedelta(days=40)),
    st.sampled_from(Granularity),
    st.sampled_from(sorted(available_timezones())),
)
def test_buckets_cover_the_range_in_order_and_fall_on_quarters(
    start: datetime, length: timedelta, granularity: Granularity, zone: str
) -> None:
    first, end = to_microseconds(start), to_microseconds(start + length)
    found = list(bucket_starts(first, end, granularity, ZoneInfo(zone)))
    assert found == sorted(set(found))
    assert found[0] <= first
    assert len(found) == 1 or found[1] > first
    assert found[-1] < end
    if granularity is not Granularity.MINUTE:
        assert all(at % QUARTER_US == 0 for at in found)


@pytest.mark.parametrize(
    ("zone", "skipped"),
    [
        ("Pacific/Apia", "2011-12-30"),
        ("Pacific/Kiritimati", "1994-12-31"),
        ("Pacific/Kwajalein", "1993-08-21"),
    ],
)
def test_a_day_that_the_zone_skipped_has_no_bucket(zone: str, skipped: str) -> None:
    noon = datetime.fromisoformat(f"{skipped}T12:00Z")
    around = to_microseconds(noon - timedelta(days=3)), to_microseconds(noon + timedelta(days=3))
    found = list(bucket_starts(*around, Granularity.DAY, ZoneInfo(zone)))
    assert found == sorted(set(found))
    days = [from_microseconds(at).astimezone(ZoneInfo(zone)).date().isoformat() for at in found]
    assert skipped not in days
    assert len(days) == len(set(days))


@given(
    st.datetimes(datetime(1973, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.timedeltas(timedelta(microseconds=1), timedelta(days=40)),
    st.sampled_from(Granularity),
    st.sampled_from(sorted(available_timezones())),
    st.integers(1, 60),
)
def test_the_newest_buckets_are_the_last_of_all(
    start: datetime, length: timedelta, granularity: Granularity, zone: str, most: int
) -> None:
    first, end = to_microseconds(start), to_microseconds(start + length)
    found = tuple(bucket_starts(first, end, granularity, ZoneInfo(zone)))
    assert newest_buckets(first, end, granularity, ZoneInfo(zone), most) == found[-most:]
