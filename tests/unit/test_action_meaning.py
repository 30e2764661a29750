"""When two actions on the ledger are the same: what their keys stand for, and what a retry may vary."""

from typing import Any

import pytest
from msgspec.structs import replace

from meterhouse.model.credit import CreditKind
from meterhouse.model.event import Outcome
from meterhouse.model.identity import meaning
from meterhouse.model.ledger import Credit, Reserve, Settle, Track

Keyed = Track | Settle | Reserve | Credit

TRACK = Track(
    scope_id=1, type="usage.api_call", customer_ref="cus_1", product_ref=None, purchase_ref=None, meter=None,
    units=1, outcome=Outcome.SUCCESS, timestamp=None, key="k",
)  # fmt: skip
SETTLE = Settle(scope_id=1, hold=7, units=1, type="usage.api_call", key="k")
RESERVE = Reserve(scope_id=1, customer_ref="cus_1", product_ref="prd_1", units=1, ttl_us=60, key="k")
CREDIT = Credit(
    scope_id=1, customer_ref="cus_1", kind=CreditKind.GRANT, credits=5, reason=None, key="k"
)  # fmt: skip

OTHER_MEANING: list[tuple[Keyed, dict[str, Any]]] = [  # Any: the fields of an action
    (TRACK, {"type": "usage.email"}),
    (TRACK, {"customer_ref": "cus_2"}),
    (TRACK, {"product_ref": "prd_1"}),
    (TRACK, {"purchase_ref": "pur_1"}),
    (TRACK, {"meter": "tokens"}),
    (TRACK, {"units": 2}),
    (TRACK, {"outcome": Outcome.FAIL}),
    (SETTLE, {"hold": 8}),
    (SETTLE, {"units": 2}),
    (RESERVE, {"customer_ref": "cus_2"}),
    (RESERVE, {"product_ref": "prd_2"}),
    (RESERVE, {"units": 2}),
    (RESERVE, {"ttl_us": 61}),
    (CREDIT, {"customer_ref": "cus_2"}),
    (CREDIT, {"kind": CreditKind.ADJUSTMENT}),
    (CREDIT, {"credits": 6}),
    (CREDIT, {"reason": "bonus"}),
    (CREDIT, {"expires_at": 5}),
]
SAME_MEANING: list[tuple[Keyed, dict[str, Any]]] = [
    (TRACK, {"timestamp": 5}),
    (TRACK, {"properties": "{}"}),
    (TRACK, {"details": "{}"}),
    (SETTLE, {"type": "usage.email"}),
    (SETTLE, {"properties": "{}"}),
    (SETTLE, {"details": "{}"}),
]
ACTIONS: list[Keyed] = [TRACK, SETTLE, RESERVE, CREDIT]


def named(value: object) -> str:
    return type(value).__name__ if isinstance(value, Keyed) else str(value)


@pytest.mark.parametrize(("action", "changed"), OTHER_MEANING, ids=named)
def test_what_an_action_asks_for_is_its_meaning(action: Keyed, changed: dict[str, Any]) -> None:
    assert meaning(replace(action, **changed)) != meaning(action)


@pytest.mark.parametrize(("action", "changed"), SAME_MEANING, ids=named)
def test_what_is_only_told_of_it_may_differ_in_a_retry(action: Keyed, changed: dict[str, Any]) -> None:
    assert meaning(replace(action, **changed)) == meaning(action)


@pytest.mark.parametrize("action", ACTIONS, ids=named)
def test_key_and_scope_say_where_a_meaning_is_filed_and_are_no_part_of_it(action: Keyed) -> None:
    assert meaning(replace(action, scope_id=2, key="other")) == meaning(action)


@pytest.mark.parametrize("action", ACTIONS, ids=named)
def test_every_field_of_an_action_is_sorted_into_one_or_the_other(action: Keyed) -> None:
    """A field that is added to an action has to be put on one of the lists above."""
    listed = {
        field
        for each, changed in OTHER_MEANING + SAME_MEANING
        if type(each) is type(action)
        for field in changed
    }
    assert listed | {"scope_id", "key"} == set(action.__struct_fields__)


def test_a_grant_that_never_expires_is_filed_as_before_there_was_an_expiry() -> None:
    assert meaning(CREDIT).hex() == "48aec36ebf69f301"


def test_units_of_the_whole_range_keep_their_last_digit() -> None:
    """10^15 units in billionths are beyond 64 bits."""
    most = 10**24
    for action in (TRACK, SETTLE, RESERVE):
        assert meaning(replace(action, units=most)) != meaning(replace(action, units=most - 1))
