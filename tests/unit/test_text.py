"""The texts people give to things: what is taken, what is refused, and that nothing breaks the checks."""

import unicodedata
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.model import text
from meterhouse.model.customer import CustomerDetails, NewCustomer
from meterhouse.model.once import Once
from meterhouse.model.product import copy_name

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.text())
def test_every_text_is_taken_or_refused_with_a_sentence(given_text: str) -> None:
    faults = (
        text.name_fault(given_text),
        text.description_fault(given_text),
        text.email_fault(given_text),
        text.telephone_fault(given_text),
        text.length_fault(given_text, 50),
    )
    for fault in faults:
        assert fault is None or fault.startswith(("must ", "may "))


@pytest.mark.parametrize("check", [text.name_fault, text.description_fault])
def test_names_and_descriptions_of_any_script_are_taken(check: Callable[[str], str | None]) -> None:
    for good in (
        "", "Ada", "Łódź 2000", "文書", "山田　太郎", "٣", "O\u2019Reilly", "Yahoo!", "C# Corp",
        "ada@example.com", "<b>", "a_b", "प्रिया शर्मा", "สมชาย ใจดี", "தமிழ்", "محمّد",
        "יעל כהן", "\u200fיעל (ב)\u200f", "می\u200cخواهم",  # noqa: RUF001 - other scripts
        unicodedata.normalize("NFD", "Zoë Müller"), "👩\u200d👩\u200d👧\u200d👦 Family", "❤\ufe0f",
        "🏴\U000e0067\U000e0062\U000e007f", "½ €", "\u0301",
    ):  # fmt: skip
        assert check(good) is None, ascii(good)


@pytest.mark.parametrize("check", [text.name_fault, text.description_fault])
def test_control_characters_and_texts_that_show_nothing_are_refused(
    check: Callable[[str], str | None],
) -> None:
    for bad in ("a\0", "\x1b[31mred", "a\x7f", "a\x9bb"):
        assert check(bad) == "must not have control characters", ascii(bad)
    for bad in (
        " ",
        "\u3000\u00a0",
        "\u200b",
        "\u200d\ufe0f",
        "\u3164",
        "\u2800",
        "\U000e0041",
        "\u202e \u202c",
    ):
        assert "must show something" in (check(bad) or ""), ascii(bad)


def test_only_a_description_has_lines() -> None:
    for lines in ("one\ntwo", "one\r\ntwo", "one\ttwo", "one\u2028two"):
        assert text.name_fault(lines) == "must not have control characters", ascii(lines)
        assert text.description_fault(lines) is None, ascii(lines)
    assert text.name_fault("a" * 100) is None
    assert text.name_fault("a" * 101) == "must have 0 to 100 characters"
    assert text.description_fault("x" * 1000) is None
    assert text.description_fault("x" * 1001) == "must have at most 1000 characters"


@given(st.text(max_size=100))
def test_a_text_with_something_to_see_and_no_control_character_is_taken(given_text: str) -> None:
    """Also each text that the contract's pattern takes, but for white space alone."""
    kinds = [unicodedata.category(each) for each in given_text]
    blank = set("\u115f\u1160\u3164\uffa0\u2800")
    seen = any(kind[0] in "LNPS" and each not in blank for each, kind in zip(given_text, kinds, strict=True))
    controlled = bool({"Cc", "Cs", "Zl", "Zp"} & set(kinds))
    if controlled:
        assert text.name_fault(given_text) is not None
    elif seen or not given_text:
        assert text.name_fault(given_text) is None
    if all(kind in {"Cc", "Cf", "Zs", "Zl", "Zp"} for kind in kinds) and given_text:
        assert text.name_fault(given_text) is not None


def test_telephones_are_e164_or_empty() -> None:
    for good in ("", "+46701234567", "+1234567", "+123456789012345"):
        assert text.telephone_fault(good) is None, good
    for bad in ("0701234567", "+0701234567", "+123456", "+1234567890123456", "+46 70 123", "+٤٦٧٠١٢٣٤٥"):
        assert text.telephone_fault(bad) is not None, bad


def test_a_hostile_text_is_refused() -> None:
    """A pattern that tries every way to split them would not come to an end."""
    for hostile in ("a." * 150, "@" * 320, "a@" + "b." * 150, "." * 320):
        assert text.email_fault(hostile) is not None, hostile
    assert text.name_fault("\u200b" * 100) is not None
    assert text.description_fault("\u200b" * 999 + "\0") is not None


@given(st.dictionaries(st.text(), json_values))
def test_equal_meanings_have_one_canonical_text(metadata: dict[str, Any]) -> None:
    backwards = dict(reversed(metadata.items()))
    assert text.canonical(metadata) == text.canonical(backwards)
    assert text.canonical(msgspec.json.decode(text.canonical({"a": 1}))) == '{"a":1}'


@given(st.text(min_size=1, max_size=100), st.integers(1, 1000))
def test_the_name_of_a_copy_fits(name: str, number: int) -> None:
    assert len(copy_name(name, number)) <= text.MAX_NAME
    assert copy_name(name, number) != copy_name(name, number + 1)


def test_what_is_not_said_is_not_in_a_fingerprint() -> None:
    once = Once.of("createCustomer", "k", NewCustomer(email="a@b.c"))
    assert once is not None
    assert Once.of("createCustomer", None, NewCustomer(email="a@b.c")) is None
    assert once == Once.of("createCustomer", "k", {"email": "a@b.c"})
    assert once != Once.of("createCustomer", "k", NewCustomer(email="a@b.c", name=""))
    assert once != Once.of("createCustomer", "k", "cus_1", CustomerDetails(email="a@b.c"))
