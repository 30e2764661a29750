"""A row is the same event for ever: what a file that grew, or changed its name, adds."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterhouse.cli.importing.keys import Ordinals, TooManyRows, event_key, row_digest

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
