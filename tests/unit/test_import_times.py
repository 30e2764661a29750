"""Times of files: exact, and never guessed where a text could be several things."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.cli.importing.times import TimeFormat, Times

STOCKHOLM = ZoneInfo("Europe/Stockholm")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-11-16 18:15:46.6805900", "2023-11-16T18:15:46.680590+00:00"),
        ("2023-11-16T18:15:46Z", "2023-11-16T18:15:46+00:00"),
        ("2023-11-16T18:15:46,5+01:00", "2023-11-16T17:15:46.500000+00:00"),
        ("2023-11-16 18:15:46 -0530", "2023-11-16T23:45:46+00:00"),
        ("2023-11-16 18:15:46 UTC", "2023-11-16T18:15:46+00:00"),
        ("2023-11-16 18:15:46 GMT", "2023-11-16T18:15:46+00:00"),
        ("2023-11-16 18:15:46+02", "2023-11-16T16:15:46+00:00"),
        ("2023-11-16 18:15", "2023-11-16T18:15:00+00:00"),
        ("2023-11-16", "2023-11-16T00:00:00+00:00"),
        ("17/May/2015:10:05:03 +0200", "2015-05-17T08:05:03+00:00"),
        ("17/May/2015:10:05:03.25 +0000", "2015-05-17T10:05:03.250000+00:00"),
        ("946684800", "2000-01-01T00:00:00+00:00"),
        ("4102444799.999999", "2099-12-31T23:59:59.999999+00:00"),
        ("1700000000123.5", "2023-11-14T22:13:20.123500+00:00"),
        (Decimal("1.7E+9"), "2023-11-14T22:13:20+00:00"),
        ("1700000000", "2023-11-14T22:13:20+00:00"),
        ("1700000000.25", "2023-11-14T22:13:20.250000+00:00"),
        (1700000000123, "2023-11-14T22:13:20.123000+00:00"),
        (1700000000123456, "2023-11-14T22:13:20.123456+00:00"),
        (1700000000123456789, "2023-11-14T22:13:20.123456+00:00"),
        (Decimal("1700000000.5"), "2023-11-14T22:13:20.500000+00:00"),
    ],
)
def test_a_time_is_read_exactly(text: object, expected: str) -> None:
    assert Times().read(text).astimezone(UTC).isoformat() == expected


@pytest.mark.parametrize(
    "text",
    [
        "", " ", None, True, "yesterday", "2023-02-30", "2023-11-16 25:00", "16/11/2023",
        "17/Mai/2015:10:05:03 +0200", "0000-01-01", "2023-11-16 18:15:61", "99999999999", "1.5e9",
        "20261130", 20261130, "2026", 2026, "46356", "46356.4167", "30112026", "2026-11", "2026-11-30-10",
        "2026-11-30Z", "20261130T101530Z", "20261130101530", "0", 0, "-1700000000", "946684799", "4102444800",
        "01700000000", "17000000001234", "638681184000000000", "1700000000,5", 10**30, "1" * 5000,
        Decimal("1e-999999999"), Decimal("1E+999999999"), "2023-11-16 18:15:46 CET", "٢٠٢٣-11-16", {},
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"is (no time|empty)"):
        Times().read(text)


def test_decimals_beyond_microseconds_are_truncated_and_counted() -> None:
    times = Times()
    assert times.read("2023-11-16T18:15:46.1234569Z").microsecond == 123456, "truncated, never rounded"
    times.read("2023-11-16T18:15:46.1234560Z")
    times.read("2023-11-16T18:15:46.123456Z")
    assert (times.cut, times.lost) == (2, 1)


def test_a_time_without_offset_is_that_of_the_zone() -> None:
    times = Times(STOCKHOLM)
    assert times.read("2023-07-01 12:00").astimezone(UTC).hour == 10
    assert times.read("2023-12-01 12:00").astimezone(UTC).hour == 11
    assert times.read("2023-12-01 12:00Z").hour == 12
    assert times.without_offset == 2


def test_of_a_time_that_happened_twice_the_first_is_meant_and_it_is_counted() -> None:
    times = Times(STOCKHOLM)
    assert times.read("2023-10-29 02:30").utcoffset() == timedelta(hours=2)
    assert times.twice == 1


def test_a_time_that_the_clock_jumped_over_is_refused() -> None:
    with pytest.raises(ValueError, match="is no time"):
        Times(STOCKHOLM).read("2023-03-26 02:30")


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001 - the strategy wants naive ones
def test_every_time_comes_back_as_it_was_written(moment: datetime) -> None:
    assert Times().read(moment.isoformat(" ")) == moment.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("20261130", "--time-format compact"),
        ("20261130101530", "--time-format compact"),
        ("46356", "--time-format spreadsheet"),
        ("46356.4167", "--time-format spreadsheet"),
        ("2026", "only from 2000 to 2100, or with --time-format"),
        ("30/11/2026", "write e.g. 2026-11-01T12:00:00Z"),
    ],
)
def test_a_refused_time_comes_with_the_remedy(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        Times().read(text)


@pytest.mark.parametrize(
    ("format_", "text", "expected"),
    [
        ("compact", "20261130", "2026-11-30T00:00:00+00:00"),
        ("compact", 20261130, "2026-11-30T00:00:00+00:00"),
        ("compact", "20261130101530", "2026-11-30T10:15:30+00:00"),
        ("compact", "20261130T101530.25+0100", "2026-11-30T09:15:30.250000+00:00"),
        ("compact", "20261130 10:15Z", "2026-11-30T10:15:00+00:00"),
        ("spreadsheet", "46356", "2026-11-30T00:00:00+00:00"),
        ("spreadsheet", "46356.4167", "2026-11-30T10:00:02.880000+00:00"),
        ("spreadsheet", "46356,416666666664", "2026-11-30T10:00:00+00:00"),
        ("spreadsheet", Decimal("46356.99999999999"), "2026-12-01T00:00:00+00:00"),
        ("seconds", "5", "1970-01-01T00:00:05+00:00"),
        ("seconds", Decimal("1700000000.25"), "2023-11-14T22:13:20.250000+00:00"),
        ("milliseconds", "5", "1970-01-01T00:00:00.005000+00:00"),
        ("microseconds", "1700000000", "1970-01-01T00:28:20+00:00"),
        ("nanoseconds", "1700000000123456789", "2023-11-14T22:13:20.123456+00:00"),
    ],
)
def test_a_format_on_request_is_read_exactly(format_: str, text: object, expected: str) -> None:
    assert Times(format_=TimeFormat(format_)).read(text).astimezone(UTC).isoformat() == expected


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        ("compact", "2026-11-30"), ("compact", "2026113010"), ("compact", "20261301"), ("compact", "2026"),
        ("spreadsheet", "20261130"), ("spreadsheet", "2026-11-30"), ("spreadsheet", "46356.5.1"),
        ("seconds", "2026-11-30"), ("seconds", "9999999999999"), ("seconds", "-5"), ("nanoseconds", ""),
    ],
)  # fmt: skip
def test_a_format_on_request_is_the_only_one(format_: str, text: str) -> None:
    with pytest.raises(ValueError, match=rf"is no time in the format {format_}|is empty"):
        Times(format_=TimeFormat(format_)).read(text)


def test_dates_on_request_are_those_of_the_zone() -> None:
    for format_, text in ((TimeFormat.COMPACT, "20261130"), (TimeFormat.SPREADSHEET, "46356")):
        times = Times(STOCKHOLM, format_)
        assert times.read(text).astimezone(UTC).isoformat() == "2026-11-29T23:00:00+00:00"
        assert list(times.notes()) == [
            "1 times had no offset and were taken as Europe/Stockholm (--timezone)."
        ]


def test_spreadsheet_days_that_were_rounded_are_counted() -> None:
    times = Times(format_=TimeFormat.SPREADSHEET)
    for text in ("46356", "46356.5", "46356.416666666664"):
        times.read(text)
    assert times.rounded == 1


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)), st.integers(0, 3))  # noqa: DTZ001 - as above
def test_an_epoch_in_any_unit_is_the_same_time(moment: datetime, thousands: int) -> None:
    """With the decimal places that a unit leaves: 1700000000.123456, 1700000000123.456, ..."""
    moment = moment.replace(tzinfo=UTC)
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    text = format(Decimal(micros).scaleb(3 * thousands - 6), "f")
    assert Times().read(text) == moment
    assert Times().read(Decimal(text)) == moment


@given(st.dates(date(1970, 1, 1), date(2099, 12, 31)))
def test_a_compact_date_is_never_read_unasked(day: date) -> None:
    text = f"{day:%Y%m%d}"
    with pytest.raises(ValueError, match="is no time"):
        Times().read(text)
    assert Times(format_=TimeFormat.COMPACT).read(text).date() == day
    days = str((day - date(1899, 12, 30)).days)
    with pytest.raises(ValueError, match="is no time"):
        Times().read(days)
    assert Times(format_=TimeFormat.SPREADSHEET).read(days).date() == day
