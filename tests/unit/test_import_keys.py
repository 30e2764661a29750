"""A row is the same event for ever: what a file that grew, or changed its name, adds."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterhouse.cli.importing.keys import ColumnKeys, Ordinals, TooManyRows, event_key, row_digest
from meterhouse.cli.importing.rows import Row

rows = st.lists(st.sampled_from([b"a", b"b", b"a,b", b"", b"\xff"]) | st.binary(max_size=4), max_size=60)


def keys(file: list[bytes], source: str = "") -> list[str]:
    ordinals = Ordinals()
    digests = [row_digest(row, source) for row in file]
    return [event_key(digest, ordinals.next(digest)) for digest in digests]


@given(rows, rows)
def test_a_grown_file_adds_only_its_new_rows(old: list[bytes], added: list[bytes]) -> None:
    before, after = keys(old), keys(old + added)
    assert after[: len(old)] == before
    assert len(set(after)) == len(after)
    assert len(set(after) - set(before)) == len(added)


@given(rows, st.randoms())
def test_the_order_of_the_rows_does_not_matter(file: list[bytes], chance: random.Random) -> None:
    shuffled = file.copy()
    chance.shuffle(shuffled)
    assert set(keys(shuffled)) == set(keys(file))


@given(rows)
def test_equal_rows_get_ordinals_from_0(file: list[bytes]) -> None:
    ordinals = Ordinals()
    seen: Counter[bytes] = Counter()
    for row in file:
        assert ordinals.next(row_digest(row)) == seen[row]
        seen[row] += 1


def test_a_file_of_nothing_but_equal_rows_is_counted_in_reasonable_time() -> None:
    ordinals = Ordinals()
    digest = row_digest(b"the same")
    assert [ordinals.next(digest) for _ in range(50_000)] == list(range(50_000))


@settings(max_examples=20)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32))
def test_rows_whose_hashes_collide_still_get_keys_of_their_own(low: int, other: int) -> None:
    first = low.to_bytes(8, "big") + bytes(8)
    second = low.to_bytes(8, "big") + other.to_bytes(8, "big")
    ordinals = Ordinals()
    given_out = [(digest, ordinals.next(digest)) for digest in (first, second, first, second, first)]
    assert len({(digest, ordinal) for digest, ordinal in given_out}) >= len(set(given_out))
    assert len({ordinal for _, ordinal in given_out}) == 5


def test_a_hash_of_zero_is_a_row_like_any_other() -> None:
    ordinals = Ordinals()
    assert [ordinals.next(bytes(16)) for _ in range(3)] == [0, 1, 2]


def test_more_rows_than_can_be_told_apart_are_refused_out_loud() -> None:
    ordinals = Ordinals(limit=3)
    for row in (b"a", b"b", b"b"):
        ordinals.next(row_digest(row))
    with pytest.raises(TooManyRows, match="split the file"):
        ordinals.next(row_digest(b"c"))


def test_a_source_tells_apart_files_with_equal_rows() -> None:
    assert keys([b"a"], "berlin") != keys([b"a"], "paris")
    assert keys([b"a"], "berlin") == keys([b"a"], "berlin")


def test_a_second_event_of_a_row_has_a_key_of_its_own() -> None:
    digest = row_digest(b"a")
    assert len({event_key(digest, 0), event_key(digest, 1), event_key(digest, 0, "usage.egress")}) == 3
    assert len(event_key(digest, 10**8, "t" * 128)) <= 256


def key(values: dict[str, object], *columns: str, source: str = "", also: str | None = None) -> str:
    return ColumnKeys(columns, source).of(Row(2, b"any text", values))(also)


ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=300).map(str.strip).filter(bool)


@given(ids, st.dictionaries(st.text(max_size=3), st.integers()))
def test_a_key_is_the_column_whatever_else_the_row_has(id_: str, more: dict[str, object]) -> None:
    made = key({**more, "id": f" {id_} "}, "id")
    assert made == key({"id": id_}, "id")
    assert made == id_ or len(id_) > 256
    assert len(made) <= 256


@given(st.lists(st.tuples(ids, ids), min_size=2, max_size=2, unique=True))
def test_two_pairs_of_source_and_id_never_share_a_key(pairs: list[tuple[str, str]]) -> None:
    try:
        one, two = (key({"source": source, "id": id_}, "source", "id") for source, id_ in pairs)
    except ValueError:
        assert any(character.isspace() for source, _ in pairs for character in source)
    else:
        assert one != two
    one, two = (key({"id": id_}, "id", source=source) for source, id_ in pairs)
    assert one != two


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"id": ""}, "id is empty"),
        ({"id": "  "}, "id is empty"),
        ({"id": None}, "id is empty"),
        ({}, "id is missing"),
        ({"id": True}, "id is no name"),
        ({"id": 1.5}, "id is no name"),
        ({"id": {"a": 1}}, "id is no name"),
    ],
)
def test_a_row_without_a_key_is_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        key(values, "id")


def test_a_key_inside_an_object_is_found() -> None:
    assert key({"data": {"id": 7}}, "data.id") == "7"
    assert key({"data": {"id": 7}}, "data.id", source="eu 1") == "eu%201:7"


def test_a_second_event_of_a_keyed_row_has_another_key() -> None:
    made = {key({"id": id_}, "id", also=also) for id_ in ("a", "a" * 300) for also in (None, "b.c", "b.d")}
    assert len(made) == 6
    assert all(len(each) <= 256 for each in made)
