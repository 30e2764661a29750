"""Counted once: which keys are the same, and which meanings."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.model.event import Columns
from meterhouse.model.identity import KeySpace, fingerprints, key_hashes, keyed_rows

EVENT = {
    "type": "a.b", "customer_ref": "cus_1", "product_ref": None, "units_whole": 1, "units_nano": 0,
    "timestamp": None, "idempotency_key": "k", "properties": None,
}  # fmt: skip


def columns(**changed: Any) -> Columns:
    return Columns(**{name: [value] for name, value in (EVENT | changed).items()})


def meaning(**changed: Any) -> bytes:
    (found,) = fingerprints(columns(**changed), [0])
    return found


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "a.c"}, {"customer_ref": "cus_2"}, {"product_ref": "prd_1"}, {"units_whole": 2},
        {"units_nano": 1}, {"timestamp": 0}, {"properties": "{}"},
    ],
    ids=str,
)  # fmt: skip
def test_every_field_is_part_of_the_meaning(changed: dict[str, Any]) -> None:
    assert meaning(**changed) != meaning()


def test_the_key_is_not_part_of_the_meaning() -> None:
    assert meaning(idempotency_key="other") == meaning()


def test_the_same_key_of_another_scope_or_kind_is_another_key() -> None:
    hashes = {key_hashes(scope_id, space, ["k"])[0] for scope_id in (1, 2, 11) for space in KeySpace}
    assert len(hashes) == 12


@given(st.lists(st.none() | st.text(min_size=1)))
def test_only_rows_with_a_key_are_looked_at_in_order(keys: list[str | None]) -> None:
    n = len(keys)
    events = Columns(
        ["a.b"] * n, ["c"] * n, [None] * n, list(range(n)), [0] * n, [None] * n, keys, [None] * n
    )
    rows = keyed_rows(events)
    assert [keys[row] for row in rows] == [key for key in keys if key is not None]
    assert fingerprints(events, rows) == [meaning_of(events, row) for row in rows]


def meaning_of(events: Columns, row: int) -> bytes:
    alone = events.rows([row])
    assert len(msgspec.structs.astuple(alone)[0]) == 1
    return fingerprints(alone, [0])[0]
