"""Meter events in the warehouse, on every adapter: what is theirs alone, and the records that hold none."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from meterhouse.model.event import Details, Event, Kind, Outcome
from meterhouse.model.question import EventOrder, Filter, Group, UsageQuestion
from meterhouse.ports import Warehouse
from tests.contract.adapters import EmbeddedWarehouse
from tests.contract.facts import SCOPE, effect, fact, metered, record, total

METERED = Filter(scope_id=SCOPE, kinds=(Kind.METER,))


async def events(warehouse: Warehouse, matching: Filter) -> list[Event]:
    return list(await warehouse.events(matching, EventOrder.RECEIVED, None, 100))


async def test_meter_events_are_not_counted_unasked(warehouse: Warehouse) -> None:
    await warehouse.insert([record([fact(1)]), record([metered("requests", 5)], position=2)])
    assert await total(warehouse) == 1
    assert await total(warehouse, kinds=(Kind.METER,)) == 5
    assert await total(warehouse, kinds=(Kind.USAGE, Kind.METER)) == 6


async def test_a_meter_event_comes_back_as_it_was_recorded(warehouse: Warehouse) -> None:
    told = Details(description="a page", duration=Decimal("12.50"), error_message="late")
    details = '{"description":"a page","duration":12.50,"errorMessage":"late"}'
    sent = metered("tokens", 7, "fail")._replace(purchase_ref="pur_1", details=details)
    await warehouse.insert([record([sent, metered("tokens")])])
    bare, seen = await events(warehouse, METERED)
    assert (seen.kind, seen.meter_name, seen.outcome) == (Kind.METER, "tokens", Outcome.FAIL)
    assert seen.purchase_ref == "pur_1"
    assert (
        Details(description=seen.description, duration=seen.duration, error_message=seen.error_message)
        == told
    )
    assert (bare.purchase_ref, bare.description, bare.duration) == (UNSET, UNSET, UNSET)


async def test_usage_events_have_nothing_of_meter_events(warehouse: Warehouse) -> None:
    await warehouse.insert([record([metered("tokens")]), record([fact(1)], position=2)])
    (seen,) = await events(warehouse, Filter(scope_id=SCOPE))
    assert {seen.meter_name, seen.outcome, seen.purchase_ref, seen.description} == {UNSET}
    assert await events(warehouse, Filter(scope_id=SCOPE, meter=("tokens",))) == []


async def test_events_are_found_by_meter_outcome_and_purchase(warehouse: Warehouse) -> None:
    await warehouse.insert(
        [
            record(
                [
                    metered("requests", 1)._replace(purchase_ref="pur_1"),
                    metered("tokens", 10)._replace(purchase_ref="pur_2"),
                    metered("tokens", 100, "paywall")._replace(purchase_ref="pur_1"),
                ]
            )
        ]
    )
    asked: list[tuple[dict[str, Any], int]] = [  # Any: the fields of a filter
        ({"meter": ("tokens",)}, 110),
        ({"meter": ("tokens", "requests"), "outcome": ("success",)}, 11),
        ({"purchase_ref": ("pur_1",)}, 101),
        ({"purchase_ref": ("pur_1",), "outcome": ("paywall",)}, 100),
    ]
    for filters, expected in asked:
        assert await total(warehouse, kinds=(Kind.METER,), **filters) == expected
        matching = msgspec.structs.replace(METERED, **filters)
        assert sum(event.units for event in await events(warehouse, matching)) == expected
    question = UsageQuestion(filter=METERED, group_by=("outcome", "meter"))
    groups = {row.group: row.value for row in await warehouse.usage(question) if row.group is not None}
    assert groups == {
        Group(("paywall", "tokens")): 100,
        Group(("success", "tokens")): 10,
        Group(("success", "requests")): 1,
    }


async def test_records_of_both_kinds_in_one_batch_keep_their_rows_apart(warehouse: Warehouse) -> None:
    await warehouse.insert(
        [
            record([fact(1), fact(2)]),
            record([metered("tokens", 10), metered("requests", 20, "fail")], position=2),
            effect(3),
            record([fact(3)], position=4),
            record([metered("tokens", 30)], position=5),
        ]
    )
    assert await total(warehouse) == 6
    assert await total(warehouse, kinds=(Kind.METER,), meter=("tokens",)) == 40
    assert await total(warehouse, kinds=(Kind.METER,), outcome=("fail",)) == 20


async def test_records_without_events_move_the_position_and_nothing_else(warehouse: Warehouse) -> None:
    await warehouse.insert([effect(1), effect(2)])
    assert await warehouse.position() == 2
    await warehouse.insert([record([metered("tokens", 5)], position=3), effect(4)])
    assert await warehouse.position() == 4
    assert await total(warehouse, kinds=(Kind.METER,)) == 5


async def test_what_waits_for_the_rollup_is_not_lost_to_a_record_without_events(tmp_path: Path) -> None:
    async with EmbeddedWarehouse(tmp_path, fold_events=3) as opened:
        await opened.warehouse.insert([record([metered("tokens"), metered("tokens")])])
    async with EmbeddedWarehouse(tmp_path, fold_events=2) as opened:  # as if it had ended before the fold
        await opened.warehouse.insert([effect(2)])
        assert await total(opened.warehouse, kinds=(Kind.METER,)) == 2
        await opened.warehouse.insert([record([metered("tokens")], position=3), effect(4)])
        assert await total(opened.warehouse, kinds=(Kind.METER,)) == 3
