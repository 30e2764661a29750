"""A number in properties has one canonical text, and filters accept equal numbers."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.ingest.properties import read_properties
from meterhouse.model.scalar import is_one_of, number_text, scalar_text

NUMBERS = st.one_of(
    st.integers(-(10**40), 10**40),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: Decimal(repr(number))),
    st.builds(
        lambda digits, exponent: Decimal(digits).scaleb(exponent),
        st.integers(0, 10**35),
        st.integers(-400, 400),
    ),
)


def spellings(number: Decimal | int) -> list[str]:
    value = Decimal(number)
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    sign = "-" if value.is_signed() else ""
    mantissa = "".join(map(str, digits)).lstrip("0") or "0"
    if mantissa == "0":
        return ["0", "0.0", "0e7"]
    return [
        f"{sign}{mantissa}e{exponent}",
        f"{sign}{mantissa}.000E{exponent}",
        f"{sign}{mantissa}00e{exponent - 2}",
    ]


@given(NUMBERS)
def test_every_spelling_of_a_number_has_one_text(number: Decimal | int) -> None:
    (text,) = {number_text(spelling) for spelling in spellings(number)}
    assert text is not None
    assert Decimal(text) == number
    assert number_text(text) == text


@given(NUMBERS)
def test_a_number_of_at_most_28_digits_is_written_as_the_log_stores_it(number: Decimal | int) -> None:
    value = Decimal(number)
    if len(value.as_tuple().digits) > 28 or abs(value.adjusted()) > 28:
        return
    stored = read_properties(f'{{"k":{spellings(number)[0]}}}'.encode())
    assert stored == f'{{"k":{number_text(spellings(number)[0])}}}'


@given(NUMBERS, NUMBERS)
def test_a_filter_accepts_equal_numbers_and_no_others(one: Decimal | int, other: Decimal | int) -> None:
    for stored in spellings(one):
        properties = read_properties(f'{{"k":{stored}}}'.encode())
        assert isinstance(properties, str)
        raw = bytes(msgspec.json.decode(properties, type=dict[str, msgspec.Raw])["k"])
        assert is_one_of(raw, spellings(one)[:1])
        assert is_one_of(raw, [spellings(other)[0]]) == (one == other)


@pytest.mark.parametrize("text", ["1e-7", "1E-7", "0.0000001", "100e-9"])
def test_a_numeric_filter_accepts_the_string_of_its_characters_alone(text: str) -> None:
    assert is_one_of(b'"1e-7"', [text]) == (text == "1e-7")
    assert is_one_of(b"1E-7", [text])


@pytest.mark.parametrize("text", ["", "1.", ".5", "+1", "01", "0x1", "1_000", "٣", "NaN", "1e", "1 ", "one"])
def test_a_text_that_is_no_json_number_has_no_canonical_number(text: str) -> None:
    assert number_text(text) is None


def test_only_scalars_have_a_text() -> None:
    raws = (b'"a\\u00e9"', b"true", b"false", b"1.50", b"null", b"[1]", b'{"a":1}')
    assert [scalar_text(raw) for raw in raws] == ["aé", "true", "false", "1.5", None, None, None]
