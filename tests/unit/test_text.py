"""The texts people give to things: what is taken, what is refused, and that nothing breaks the checks."""

from typing import Any

import msgspec
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


def test_names_are_letters_digits_and_the_contracts_marks() -> None:
    for good in ("", "Ada", "Łódź 2000", "文書", 'O\'Neil & Sons, Inc. (a/b) + "c":-', "٣"):
        assert text.name_fault(good) is None, good
    for bad in ("a_b", "a\nb", "<b>", "a@b", "a" * 101, "a\0", "💥"):
        assert text.name_fault(bad) is not None, bad


def test_descriptions_may_be_longer_and_have_more_marks() -> None:
    for good in ("Line 1\nLine 2: 50%; why? #1 [a_b]!", "x" * 1000):
        assert text.description_fault(good) is None, good
    for bad in ("x" * 1001, "<script>", "a\0"):
        assert text.description_fault(bad) is not None, bad


def test_telephones_are_e164_or_empty() -> None:
    for good in ("", "+46701234567", "+1234567", "+123456789012345"):
        assert text.telephone_fault(good) is None, good
    for bad in ("0701234567", "+0701234567", "+123456", "+1234567890123456", "+46 70 123", "+٤٦٧٠١٢٣٤٥"):
        assert text.telephone_fault(bad) is not None, bad


def test_a_hostile_text_is_refused() -> None:
    """A pattern that tries every way to split them would not come to an end."""
    for hostile in ("a." * 150, "@" * 320, "a@" + "b." * 150, "." * 320):
        assert text.email_fault(hostile) is not None, hostile
    assert text.description_fault("a" * 999 + "<") is not None


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
