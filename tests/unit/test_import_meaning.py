"""Times, amounts, and what the options make of a row."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.cli.importing.amounts import read_amount
from meterhouse.cli.importing.keys import event_key
from meterhouse.cli.importing.mapping import Asked, Draft, Meaning
from meterhouse.cli.importing.rows import Columns, Row
from meterhouse.cli.importing.sending import email_of
from meterhouse.cli.importing.times import Times
from meterhouse.model.text import email_fault

STOCKHOLM = ZoneInfo("Europe/Stockholm")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-11-16 18:15:46.6805900", "2023-11-16T18:15:46.680590+00:00"),
        ("2023-11-16T18:15:46Z", "2023-11-16T18:15:46+00:00"),
        ("2023-11-16T18:15:46,5+01:00", "2023-11-16T17:15:46.500000+00:00"),
        ("2023-11-16 18:15:46 -0530", "2023-11-16T23:45:46+00:00"),
        ("2023-11-16 18:15:46 UTC", "2023-11-16T18:15:46+00:00"),
        ("2023-11-16 18:15:46+02", "2023-11-16T16:15:46+00:00"),
        ("2023-11-16 18:15", "2023-11-16T18:15:00+00:00"),
        ("2023-11-16", "2023-11-16T00:00:00+00:00"),
        ("17/May/2015:10:05:03 +0200", "2015-05-17T08:05:03+00:00"),
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
        "2023-11-16 18:15:46 CET", "٢٠٢٣-11-16", {},
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


def amount(text: str, values: dict[str, object], absent: str | None = None) -> Decimal:
    return read_amount(text, Columns(tuple(values))).of(values, absent)


def test_an_amount_is_a_column_a_sum_or_a_number() -> None:
    values: dict[str, object] = {"A": "374", "B": "0.000000001", "A+B": "5", "rate-limit": "7"}
    assert amount("A", values) == 374
    assert amount("A + B + 1", values) == Decimal("375.000000001")
    assert amount("A+B", values) == 5, "a column has the first word"
    assert amount("rate-limit", values) == 7
    assert amount("2.5", values) == Decimal("2.5")


def test_sums_are_exact_however_many_digits() -> None:
    values: dict[str, object] = {"A": "999999999999999.999999999", "B": "0." + "0" * 80 + "1"}
    assert str(amount("A+B", values)) == "999999999999999.999999999" + "0" * 71 + "1"


@pytest.mark.parametrize("text", ["", "1_000", "NaN", "inf", "0x1", "٣", "1,5", " ", "five", True, None, []])
def test_what_is_no_number_is_refused_and_named(text: object) -> None:
    with pytest.raises(ValueError, match=r"A is (no number|empty)"):
        amount("A", {"A": text})


def test_what_stands_for_nothing_is_0_units() -> None:
    assert amount("bytes", {"bytes": "-"}, absent="-") == 0
    with pytest.raises(ValueError, match="no number"):
        amount("bytes", {"bytes": "-"})


def test_a_column_that_is_not_there_is_said_before_anything_is_read() -> None:
    with pytest.raises(ValueError, match=r"There is no column 'C'; there are: A, B"):
        read_amount("A+C", Columns(("A", "B")))
    with pytest.raises(ValueError, match="is no amount"):
        read_amount("A+", Columns(("A", "B")))
    with pytest.raises(ValueError, match="C is missing"):
        read_amount("C", None).of({"A": 1})


VALUES: dict[str, object] = {
    "t": "2023-11-16",
    "who": " acme ",
    "n": "3",
    "m": "4",
    "model": "large",
    "note": "",
}
ASKED = Asked(type="usage.token", units="n", customer="who", timestamp="t")


def drafts(asked: Asked, values: dict[str, object] | None = None, absent: str | None = None) -> list[Draft]:
    values = dict(VALUES) if values is None else values
    meaning = Meaning(asked, Columns(tuple(values)), Times(), absent)
    return meaning.events(Row(2, b"row", values), lambda also: event_key(bytes(16), 0, also))


def test_a_row_becomes_an_event_and_one_for_each_also() -> None:
    asked = Asked(
        type="usage.token", units="n", customer="who", timestamp="t", product="prd_x",
        properties=("llm=model", "note=note"), also=("usage.word=m",),
    )  # fmt: skip
    first, second = drafts(asked)
    assert (first.type, str(first.units), first.customer, first.product) == (
        "usage.token",
        "3",
        "acme",
        "prd_x",
    )
    assert first.properties == {"llm": "large"}, "an empty one is left out"
    assert (second.type, str(second.units), second.timestamp) == ("usage.word", "4", first.timestamp)
    assert first.key != second.key


def test_one_customer_for_all_rows_is_given_with_an_equals_sign() -> None:
    (draft,) = drafts(Asked(type="usage.token", units="n", customer="=cus_1", timestamp="t"))
    assert draft.customer == "cus_1"


@pytest.mark.parametrize(("column", "value"), [("who", ""), ("who", "-"), ("t", "x"), ("n", "")])
def test_a_row_without_what_an_event_needs_names_the_column(column: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^{column} "):
        drafts(ASKED, VALUES | {column: value}, absent="-")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (Asked(type="a.b", units="x", customer="who", timestamp="t"), "--units: There is no column 'x'"),
        (Asked(type="a.b", units="n", customer="x", timestamp="t"), "--customer: there is no column 'x'"),
        (Asked(type="a.b", units="n", customer="who", timestamp="x"), "--timestamp: there is no column 'x'"),
        (
            Asked(type="a.b", units="n", customer="who", timestamp="t", properties=("x",)),
            "--property NAME=COLUMN, not 'x'",
        ),
        (Asked(type="a.b", units="n", customer="who", timestamp="t", also=("a.b=m",)), "a type of its own"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_sent(asked: Asked, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        drafts(asked)


@given(st.lists(st.text(min_size=1, max_size=50), min_size=2, max_size=2, unique=True))
def test_every_external_ref_has_an_email_of_its_own(refs: list[str]) -> None:
    assert email_of(refs[0]) != email_of(refs[1])


@pytest.mark.parametrize("ref", ["192.0.2.7", "2001:db8::1", "ada@example.com", "a b\tc", "100 %", "å/ä"])
def test_the_email_of_an_external_ref_is_one(ref: str) -> None:
    assert email_fault(email_of(ref)) is None
