"""What `ports.Warehouse` promises, on every adapter."""

import asyncio
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import msgspec
import pytest

from meterhouse.model.errors import WarehouseUnavailable
from meterhouse.model.event import event_number
from meterhouse.model.question import EventOrder, Filter, PageMark
from meterhouse.ports import Warehouse
from meterhouse.stores.embedded.warehouse.store import DuckWarehouse
from tests.contract.adapters import EmbeddedWarehouse, ReopenableWarehouse
from tests.contract.facts import NOON, OTHER_SCOPE, SCOPE, Fact, fact, record, total


async def test_a_batch_inserted_again_adds_nothing(warehouse: Warehouse) -> None:
    await warehouse.insert([record([fact(3)])])
    await warehouse.insert([record([fact(3)]), record([fact(4)], position=2)])
    assert await total(warehouse) == 7
    assert await warehouse.position() == 2


async def test_two_that_insert_the_same_records_at_once_add_them_once(warehouse: Warehouse) -> None:
    records = [record([fact(1)], position) for position in range(1, 20)]
    await asyncio.gather(*(warehouse.insert(records) for _ in range(8)))
    assert await total(warehouse) == 19


async def test_position_and_events_survive_together(opened_warehouse: ReopenableWarehouse) -> None:
    await opened_warehouse.warehouse.insert([record([fact(3)])])
    await opened_warehouse.reopen()
    assert await opened_warehouse.warehouse.position() == 1
    assert await total(opened_warehouse.warehouse) == 3


async def test_records_that_do_not_follow_on_what_is_there_add_nothing(warehouse: Warehouse) -> None:
    await warehouse.insert([record([fact(3)], position=2)])
    assert await warehouse.position() == 0
    await warehouse.insert([record([fact(1)]), record([fact(3)], position=2)])
    assert await total(warehouse) == 4


async def test_nothing_is_seen_of_another_scope(warehouse: Warehouse) -> None:
    await warehouse.insert([record([fact(1), fact(2, scope_id=OTHER_SCOPE)])])
    assert await total(warehouse) == 1
    seen = await warehouse.events(Filter(scope_id=SCOPE), EventOrder.TIMESTAMP, None, 10)
    assert [event.units for event in seen] == [1]
    number = event_number(seen[0].event_id)
    assert number is not None
    assert await warehouse.event(SCOPE, number) == seen[0]
    assert await warehouse.event(OTHER_SCOPE, number) is None
    assert await warehouse.time_span(Filter(scope_id=3)) is None


async def test_sums_are_exact_far_beyond_what_a_float_holds(warehouse: Warehouse) -> None:
    tiny, huge = Decimal("0.000000001"), Decimal("999999999999999.999999999")
    await warehouse.insert(
        [record([fact(huge), fact(huge), fact(tiny), fact(Decimal("0.1")), fact(Decimal("0.2"))])]
    )
    assert await total(warehouse) == 2 * huge + tiny + Decimal("0.3")


async def test_a_late_event_counts_where_it_happened(warehouse: Warehouse) -> None:
    day = 86_400_000_000
    await warehouse.insert([record([fact(1)])])
    await warehouse.insert([record([fact(2, at=NOON - 90 * day)], position=2)])
    assert await total(warehouse, start=NOON - 90 * day, end=NOON - 89 * day) == 2
    assert await total(warehouse, start=NOON, end=NOON + 1) == 1


async def test_pages_neither_repeat_nor_skip_while_late_events_come_in(warehouse: Warehouse) -> None:
    await warehouse.insert([record([fact(i, at=NOON + i % 3) for i in range(10)])])
    everything = Filter(scope_id=SCOPE)
    seen: list[Decimal] = []
    mark: PageMark | None = None
    position = 2
    while page := await warehouse.events(everything, EventOrder.TIMESTAMP, mark, 3):
        seen += [event.units for event in page]
        last = page[-1]
        number = event_number(last.event_id)
        assert number is not None
        mark = PageMark(int(last.timestamp.timestamp()) * 1_000_000 + last.timestamp.microsecond, number)
        if position < 4:
            await warehouse.insert(
                [record([fact(100, at=NOON + 9), fact(200, at=NOON - 9)], position=position)]
            )
        position += 1
    assert sorted(units for units in seen if units < 100) == list(range(10))
    assert seen.count(Decimal(200)) == 2
    assert 100 not in seen


async def test_an_event_comes_back_as_it_was_sent(warehouse: Warehouse) -> None:
    sent = Fact(SCOPE, "文書.作成", "cus_1", "prd_1", Decimal("1.5"), NOON + 1, "eu")
    await warehouse.insert([record([sent])])
    (seen,) = await warehouse.events(Filter(scope_id=SCOPE), EventOrder.RECEIVED, None, 10)
    assert (seen.type, seen.customer_ref, seen.product_ref, seen.units) == sent[1:5]
    assert msgspec.json.decode(seen.properties) == {"region": "eu"}
    assert (seen.timestamp - seen.received_at).microseconds == 1


async def test_the_write_ahead_log_is_taken_into_the_file_as_it_grows(tmp_path: Path) -> None:
    async with EmbeddedWarehouse(tmp_path) as opened:
        warehouse = opened.warehouse
        assert isinstance(warehouse, DuckWarehouse)
        warehouse._cursor().execute("SET GLOBAL wal_autocheckpoint = '100kB'").fetchall()
        for position in range(1, 60):
            await warehouse.insert([record([fact(i, at=NOON + i) for i in range(300)], position)])
            await total(warehouse)
        assert (tmp_path / "warehouse.duckdb.wal").stat().st_size < 400_000


async def test_a_file_that_another_program_has_open_is_waited_for_and_kept(tmp_path: Path) -> None:
    async with EmbeddedWarehouse(tmp_path) as adapter:
        await adapter.warehouse.insert([record([fact(3)])])
    hold = (
        "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    )
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", hold, str(tmp_path / "warehouse.duckdb"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert other.stdin is not None
    assert other.stdout is not None
    await other.stdout.readline()
    async with EmbeddedWarehouse(tmp_path) as adapter:
        with pytest.raises(WarehouseUnavailable):
            await total(adapter.warehouse)
        with pytest.raises(duckdb.Error):
            await adapter.warehouse.insert([record([fact(1)])])
        other.stdin.close()
        await other.wait()
        with pytest.raises(WarehouseUnavailable):  # this one finds it free, and opens it
            await total(adapter.warehouse)
        await adapter.warehouse.insert([record([fact(3)]), record([fact(4)], position=2)])
        assert await total(adapter.warehouse) == 7
    assert not set_aside(tmp_path)


def set_aside(directory: Path) -> list[Path]:
    return list(directory.glob("*unreadable*"))
