"""Ids sort by time, and strictly increase even when the clock steps back."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from meterhouse.model.event import (
    EPOCH,
    event_id,
    event_number,
    from_microseconds,
    next_number,
    to_microseconds,
)

numbers = st.integers(min_value=0, max_value=2**63 - 1)


@given(numbers)
def test_an_id_names_its_number(number: int) -> None:
    assert event_number(event_id(number)) == number
    assert len(event_id(number)) == 20


@given(numbers, numbers)
def test_ids_sort_as_their_numbers_do(a: int, b: int) -> None:
    assert (event_id(a) < event_id(b)) == (a < b)


@given(st.text())
def test_text_that_is_no_id_of_ours_has_no_number(text: str) -> None:
    number = event_number(text)
    assert number is None or event_id(number) == text


@given(st.lists(st.integers(min_value=0, max_value=4_000_000_000_000_000), min_size=2))
def test_numbers_increase_whatever_the_clock_does(clock: list[int]) -> None:
    last = 0
    for now_us in clock:
        number = next_number(last, now_us)
        assert number > last
        last = number


def test_a_number_fits_a_signed_64_bit_integer_for_another_80_years() -> None:
    year_2106 = datetime(2106, 1, 1, tzinfo=UTC)
    assert next_number(0, to_microseconds(year_2106)) < 2**63


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_microseconds_are_exact(time: datetime) -> None:
    assert from_microseconds(to_microseconds(time)) == time
    assert to_microseconds(EPOCH + timedelta(microseconds=1)) == 1
