"""Money in minor units: exact both ways, and written for people."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.model.money import formatted, minor_digits, to_major, to_minor


@given(st.integers(0, 10**14), st.sampled_from(["USD", "JPY", "KWD", "SEK"]))
def test_minor_and_major_units_convert_exactly(minor: int, currency: str) -> None:
    major = to_major(minor, currency)
    assert to_minor(major, currency) == minor
    assert to_minor(major + Decimal(1).scaleb(-minor_digits(currency) - 1), currency) is None


@pytest.mark.parametrize("text", ["5.0000000000000000000000000000000000001", "1e-999999", "5.001"])
def test_an_amount_with_too_many_decimals_is_not_rounded(text: str) -> None:
    assert to_minor(Decimal(text), "USD") is None


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(500, "USD", "$5.00"), (123_456, "EUR", "€1,234.56"), (500, "JPY", "¥500"), (500, "SEK", "5.00 kr"),
     (1_500, "KWD", "1.500 KWD"), (99, "CHF", "0.99 CHF")],
)  # fmt: skip
def test_an_amount_is_written_in_its_currency(minor: int, currency: str, text: str) -> None:
    assert formatted(minor, currency) == text
