"""Amounts, and the events that the options make of a row."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.cli.importing.amounts import Rounding, read_amount
from meterhouse.cli.importing.keys import event_key
from meterhouse.cli.importing.mapping import Asked, Draft, Meaning
from meterhouse.cli.importing.rows import Columns, Row
from meterhouse.cli.importing.sending import email_of
from meterhouse.cli.importing.times import Times
from meterhouse.model.text import email_fault


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


def rounded(places: int | None, *amounts: str) -> tuple[list[str], list[str]]:
    """Return the units of one row, and the notes about it."""
    rounding = Rounding(places)
    units = rounding.row([("cost", Decimal(text)) for text in amounts])
    return [format(each, "f") for each in units], list(rounding.notes())


def test_units_are_rounded_half_even_on_request() -> None:
    note = "1 rows were rounded to 9 decimal places (--round); 0 of them became 0."
    assert rounded(9, "0.0008869999999999999") == (["0.000887000"], [note])
    assert rounded(9, "0.0000000025", "0.0000000035") == (["0.000000002", "0.000000004"], [note])
    assert rounded(0, "2.5", "3.5", "7")[0] == ["2", "4", "7"]
    assert "1 of them became 0" in rounded(9, "5e-10", "1")[1][0]
    assert "0 rows were rounded" in rounded(9, "1.500000000000")[1][0]


@pytest.mark.parametrize("text", ["3.75e-08", "1e-999", "0.0000000001"])
def test_units_with_too_many_places_name_the_option_that_rounds(text: str) -> None:
    with pytest.raises(ValueError, match=r"^cost has more than 9 decimal places: .*; --round 9 rounds it$"):
        rounded(None, text)


@pytest.mark.parametrize("text", ["0.123456789", "1.5000000000000", "0e-99", "1e15"])
def test_units_that_fit_stay_as_they_are_without_a_note(text: str) -> None:
    assert rounded(None, text) == ([format(Decimal(text), "f")], [])


def test_negative_units_are_not_rounded_to_nothing() -> None:
    assert rounded(9, "-1e-12")[0] == ["-0.000000000001"], "the event refuses it"


@given(st.decimals(0, 10**15, allow_nan=False), st.integers(0, 9))
def test_rounding_never_moves_units_by_more_than_half_a_place(units: Decimal, places: int) -> None:
    (text,), _ = rounded(places, str(units))
    assert abs(Decimal(text) - units) <= Decimal(5).scaleb(-places - 1)


def test_a_sum_with_too_many_digits_is_refused() -> None:
    with pytest.raises(ValueError, match=r"A\+B has too many digits"):
        amount("A+B", {"A": Decimal("1e-2000"), "B": 1})


@pytest.mark.parametrize("text", ["12,5", "1.234,56", "1,234", "1,234.56", "1\u202f234,5", "-3,2"])
def test_commas_in_a_number_are_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(ValueError, match=r"A is no number: .*; write a decimal point"):
        amount("A", {"A": text})


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


def test_a_column_with_the_type_makes_each_row_s_type() -> None:
    asked = Asked(type_from="kind", units="n", customer="who", timestamp="t", also=("usage.word=m",))
    columns = Columns((*VALUES, "kind"))
    meaning = Meaning(asked, columns, Times())

    def types(kind: str) -> list[str]:
        row = Row(2, b"row", VALUES | {"kind": kind})
        return [draft.type for draft in meaning.events(row, lambda also: f"k{also}")]

    assert types("com.example.call") == ["com.example.call", "usage.word"]
    assert list(meaning.notes()) == []
    assert types(" chat ") == ["usage.chat", "usage.word"]
    assert [note[:26] for note in meaning.notes()] == ["The types of 1 rows have n"]
    for kind, reason in (("", "kind is empty"), ("word", "which --also makes too")):
        with pytest.raises(ValueError, match=reason):
            types(kind)


@pytest.mark.parametrize(
    "asked",
    [
        Asked(type="a.b", units="n", customer="who", timestamp="t", key=("who", "x")),
        Asked(type_from="x", units="n", customer="who", timestamp="t"),
    ],
)
def test_key_and_type_columns_that_do_not_exist_are_named(asked: Asked) -> None:
    with pytest.raises(ValueError, match=r"--(key|type-from): there is no column 'x'"):
        drafts(asked)


@pytest.mark.parametrize(
    "asked",
    [
        Asked(type="a.b", units="n", customer="who", timestamp="t"),
        Asked(type="a.b", units="1+n", customer="who", timestamp="t"),
        Asked(type="a.b", units="m", customer="n", timestamp="t"),
        Asked(type="a.b", units="m", customer="who", timestamp="t", key=("n",)),
        Asked(type="a.b", units="m", customer="who", timestamp="t", properties=("x=n",)),
        Asked(type_from="n", units="m", customer="who", timestamp="t"),
    ],
)
def test_a_column_that_stands_twice_is_refused_where_an_option_asks_for_it(asked: Asked) -> None:
    columns = Columns((*VALUES, "n"))
    with pytest.raises(ValueError, match=r"^--[a-z-]+: The header has the column 'n' more than once"):
        Meaning(asked, columns, Times())
    Meaning(Asked(type="a.b", units="m", customer="who", timestamp="t"), columns, Times())
