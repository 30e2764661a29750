"""Promise 3, exact: what an amount may be, and that nothing about it is ever rounded."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.model.units import MAX_UNITS, PLACES, join, plain, split, whole_between, written

amounts = st.decimals(min_value=0, max_value=MAX_UNITS, places=PLACES)


@given(amounts)
def test_an_amount_comes_back_as_it_went_in(amount: Decimal) -> None:
    parts = split(amount)
    assert isinstance(parts, tuple)
    assert join(*parts) == amount


@given(st.lists(amounts, max_size=50))
def test_sums_of_whole_and_nano_are_the_sums_of_the_amounts(amounts: list[Decimal]) -> None:
    parts = [part for part in map(split, amounts) if isinstance(part, tuple)]
    assert join(sum(p[0] for p in parts), sum(p[1] for p in parts)) == sum(amounts)


def test_a_total_of_more_than_28_digits_keeps_all_of_them() -> None:
    assert str(join(10**27 + 1, 123_456_789)) == "1000000000000000000000000001.123456789"
    assert written(Decimal("1000000000000000000000000001.100")) == "1000000000000000000000000001.1"


def test_a_tenth_and_two_tenths_are_three_tenths() -> None:
    assert split(Decimal("0.1")) == (0, 100_000_000)
    assert join(0, 100_000_000 + 200_000_000) == Decimal("0.3")


@pytest.mark.parametrize(
    ("given", "whole", "nano"),
    [
        (0, 0, 0),
        (10**15, 10**15, 0),
        (Decimal("-0.0"), 0, 0),
        (Decimal("1E+3"), 1000, 0),
        (Decimal("1.000000000000"), 1, 0),
        (Decimal("0." + "0" * 5_000), 0, 0),
        (Decimal("2.5" + "0" * 40), 2, 500_000_000),
        (Decimal("999999999999999.999999999"), 10**15 - 1, 999_999_999),
        (Decimal("0E+1000000"), 0, 0),
    ],
)
def test_these_amounts_are_taken_exactly(given: object, whole: int, nano: int) -> None:
    assert split(given) == (whole, nano)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (-1, "must not be negative"),
        (Decimal("-0.000000001"), "must not be negative"),
        (10**15 + 1, "must be at most 10^15"),
        (Decimal("1e16"), "must be at most 10^15"),
        (Decimal("1e400"), "must be at most 10^15"),
        (Decimal("1000000000000000.000000001"), "must be at most 10^15"),
        (Decimal("0.0000000001"), "must have at most 9 decimal places; more would have to be rounded"),
        (Decimal("1e-400000"), "must have at most 9 decimal places; more would have to be rounded"),
        (Decimal("NaN"), "must be a finite number"),
        (Decimal("sNaN"), "must be a finite number"),
        (Decimal("Infinity"), "must be a finite number"),
        ("5", "must be a JSON number, not a string"),
        (True, "must be a JSON number, not a boolean"),
        (None, "must be a JSON number, not null"),
        ([1], "must be a JSON number, not an array"),
        ({}, "must be a JSON number, not an object"),
    ],
)
def test_these_amounts_are_refused_with_a_reason(given: object, reason: str) -> None:
    assert split(given) == reason


@given(amounts)
def test_equal_amounts_are_written_alike(amount: Decimal) -> None:
    assert str(plain(amount)) == str(plain(amount.quantize(Decimal("1e-12"))))
    assert written(amount) == written(amount.quantize(Decimal("1e-12")))


@given(amounts)
def test_an_amount_is_written_in_plain_digits(amount: Decimal) -> None:
    assert set(written(amount)) <= set("0123456789.")
    assert Decimal(written(amount)) == amount


@pytest.mark.parametrize("value", [0, 5, Decimal("5.0"), Decimal("1E+1"), Decimal("0E+99999999")])
def test_a_whole_number_within_bounds_is_an_int(value: int | Decimal) -> None:
    assert whole_between(value, 0, 10) == value


@pytest.mark.parametrize(
    "value", [-1, 11, 1.0, "5", True, None, Decimal("1.5"), Decimal("1E+99999999"), Decimal("1E-99999999")]
)
def test_any_other_number_is_none_at_once(value: object) -> None:
    assert whole_between(value, 0, 10) is None
