"""What `ports.Warehouse` promises, on every adapter; its answers against a plain count in Python."""

import asyncio
import math
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import NamedTuple

import duckdb
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterhouse.model.errors import WarehouseUnavailable
from meterhouse.model.event import Columns, Kind, LogRecord, event_number
from meterhouse.model.question import (
    ADDITIVE,
    Aggregate,
    EventOrder,
    Filter,
    Group,
    PageMark,
    UsageQuestion,
    UsageRow,
)
from meterhouse.model.units import NANO, written
from meterhouse.ports import Warehouse
from meterhouse.stores.embedded.warehouse.store import DuckWarehouse
from tests.contract.adapters import EmbeddedWarehouse, ReopenableWarehouse

QUARTER = 15 * 60 * 1_000_000
NOON = 1_793_534_400_000_000  # 2026-11-01T12:00:00Z
SCOPE, OTHER_SCOPE = 1, 2


class Fact(NamedTuple):
    """An event as the plain count sees it."""

    scope_id: int
    type: str
    customer_ref: str
    product_ref: str | None
    units: Decimal
    timestamp: int | None
    region: str | None

    @property
    def at(self) -> int:
        return NOON if self.timestamp is None else self.timestamp

    def key(self, name: str) -> str | None:
        value = self.region if name == "properties.region" else getattr(self, name)
        assert value is None or isinstance(value, str)
        return value


def record(facts: Sequence[Fact], position: int = 1) -> LogRecord:
    """A record of the log, received at NOON, whose event numbers follow its position."""
    return LogRecord(
        position,
        Kind.USAGE,
        NOON,
        position * 10_000,
        tuple((fact.scope_id, 1) for fact in facts),
        Columns(
            [fact.type for fact in facts],
            [fact.customer_ref for fact in facts],
            [fact.product_ref for fact in facts],
            [int(fact.units) for fact in facts],
            [int(fact.units % 1 * NANO) for fact in facts],
            [fact.timestamp for fact in facts],
            [None for _ in facts],
            [None if fact.region is None else f'{{"region":"{fact.region}"}}' for fact in facts],
        ),
    )


def fact(
    units: Decimal | int = 1, at: int | None = None, scope_id: int = SCOPE, customer: str = "cus_1"
) -> Fact:
    return Fact(scope_id, "usage.api_call", customer, None, Decimal(units), at, None)


@pytest.fixture(params=[EmbeddedWarehouse])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ReopenableWarehouse]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(request.param(tmp_path))


@pytest.fixture
def warehouse(opened: ReopenableWarehouse) -> Warehouse:
    return opened.warehouse


async def total(warehouse: Warehouse, **filters: object) -> Decimal | None:
    matching = msgspec.structs.replace(Filter(scope_id=SCOPE), **filters)
    rows = await warehouse.usage(UsageQuestion(filter=matching))
    return next((row.value for row in rows if row.group is None), None)


async def test_a_batch_inserted_again_adds_nothing(warehouse: Warehouse) -> None:
    await warehouse.insert([record([fact(3)])])
    await warehouse.insert([record([fact(3)]), record([fact(4)], position=2)])
    assert await total(warehouse) == 7
    assert await warehouse.position() == 2


async def test_two_that_insert_the_same_records_at_once_add_them_once(warehouse: Warehouse) -> None:
    records = [record([fact(1)], position) for position in range(1, 20)]
    await asyncio.gather(*(warehouse.insert(records) for _ in range(8)))
    assert await total(warehouse) == 19


async def test_position_and_events_survive_together(opened: ReopenableWarehouse) -> None:
    await opened.warehouse.insert([record([fact(3)])])
    await opened.reopen()
    assert await opened.warehouse.position() == 1
    assert await total(opened.warehouse) == 3


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


async def test_meter_events_are_not_counted_unasked(warehouse: Warehouse) -> None:
    meter = msgspec.structs.replace(record([fact(5)], position=2), kind=Kind.METER)
    await warehouse.insert([record([fact(1)]), meter])
    assert await total(warehouse) == 1
    assert await total(warehouse, kinds=(Kind.METER,)) == 5
    assert await total(warehouse, kinds=(Kind.USAGE, Kind.METER)) == 6


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


# --- every question against a plain count -------------------------------------------------------------

times = st.integers(-8 * QUARTER, 8 * QUARTER).map(lambda offset: NOON + offset) | st.sampled_from(
    [NOON + i * QUARTER for i in range(-4, 5)]
)
facts = st.builds(
    Fact,
    st.sampled_from([SCOPE, SCOPE, SCOPE, OTHER_SCOPE]),
    st.sampled_from(["usage.api_call", "usage.token", "a.'b\"c"]),
    st.sampled_from(["cus_1", "cus_2", "cus_3"]),
    st.sampled_from(["prd_1", "prd_2", None]),
    st.decimals(0, 1000, places=9) | st.integers(0, 3).map(Decimal),
    times | st.none(),
    st.sampled_from(["eu", "us", None]),
)
questions = st.builds(
    lambda types, customers, regions, start, end, aggregate, group_by, cuts, top: UsageQuestion(
        filter=Filter(
            scope_id=SCOPE,
            start=start,
            end=end,
            type=types,
            customer_ref=customers,
            properties=(("region", regions),) if regions else (),
        ),
        aggregate=aggregate,
        group_by=group_by,
        buckets=(NOON - 9 * QUARTER, *sorted(cuts)) if cuts else (),
        top=top,
    ),
    st.sampled_from([(), ("usage.token",), ("usage.token", "a.'b\"c")]),
    st.sampled_from([(), (), ("cus_1",), ("cus_1", "cus_2")]),
    st.sampled_from([(), (), ("eu",)]),
    times | st.none(),
    times | st.none(),
    st.sampled_from(Aggregate),
    st.sampled_from(
        [
            (),
            (),
            ("type",),
            ("product_ref",),
            ("customer_ref",),
            ("type", "product_ref"),
            ("properties.region",),
        ]
    ),
    st.sets(st.integers(-7, 7).map(lambda i: NOON + i * QUARTER), max_size=6) | st.sets(times, max_size=4),
    st.integers(1, 4),
)

_NEAREST: dict[Aggregate, Decimal] = {
    Aggregate.P50: Decimal("0.50"),
    Aggregate.P95: Decimal("0.95"),
    Aggregate.P99: Decimal("0.99"),
}


def plain_value(aggregate: Aggregate, found: Sequence[tuple[int, Fact]]) -> Decimal:
    units = sorted(fact.units for _, fact in found)
    by_name: dict[Aggregate, Callable[[], Decimal]] = {
        Aggregate.SUM: lambda: sum(units, Decimal(0)),
        Aggregate.COUNT: lambda: Decimal(len(units)),
        Aggregate.AVG: lambda: (
            Context(prec=60)
            .divide(sum(units, Decimal(0)), Decimal(len(units)))
            .quantize(Decimal("1e-9"), ROUND_HALF_EVEN)
        ),
        Aggregate.MIN: lambda: units[0],
        Aggregate.MAX: lambda: units[-1],
        Aggregate.LATEST: lambda: max(found, key=lambda each: (each[1].at, each[0]))[1].units,
        Aggregate.UNIQUE_CUSTOMERS: lambda: Decimal(len({fact.customer_ref for _, fact in found})),
    }
    if aggregate in _NEAREST:
        return units[math.ceil(_NEAREST[aggregate] * len(units)) - 1]
    return by_name[aggregate]()


def matches(fact: Fact, matching: Filter) -> bool:
    return (
        fact.scope_id == matching.scope_id
        and (matching.start is None or fact.at >= matching.start)
        and (matching.end is None or fact.at < matching.end)
        and (not matching.type or fact.type in matching.type)
        and (not matching.customer_ref or fact.customer_ref in matching.customer_ref)
        and (not matching.properties or fact.region in matching.properties[0][1])
    )


def plain_answer(
    stored: Sequence[Fact], question: UsageQuestion, rows: Sequence[UsageRow]
) -> dict[tuple[object, int | None], str]:
    """Count what each row of the answer should say; which groups are told apart is taken from `rows`."""
    found = [(i, fact) for i, fact in enumerate(stored) if matches(fact, question.filter)]
    told_apart = {row.group.values for row in rows if row.group is not None and not row.group.other}
    slots: dict[tuple[object, int | None], list[tuple[int, Fact]]] = {}
    for i, each in found:
        values = tuple(each.key(name) for name in question.group_by)
        group = Group(values) if values in told_apart else Group((None,) * len(values), other=True)
        bucket = max((start for start in question.buckets if start <= each.at), default=None)
        for slot in {(None, None), (group, None), (group, bucket)}:
            slots.setdefault(slot, []).append((i, each))
    return {slot: written(plain_value(question.aggregate, facts)) for slot, facts in slots.items()}


@settings(max_examples=60)
@given(
    st.lists(st.lists(facts, min_size=1, max_size=12), min_size=1, max_size=4),
    st.lists(questions, min_size=10, max_size=10),
    st.sampled_from([1, 5, 1000]),
)
def test_every_answer_is_what_a_plain_count_says(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[Fact]],
    asked: list[UsageQuestion],
    fold_events: int,
) -> None:
    stored = [fact for batch in batches for fact in batch]

    async def check() -> None:
        async with EmbeddedWarehouse(tmp_path_factory.mktemp("warehouse"), fold_events) as opened:
            for position, batch in enumerate(batches, start=1):
                await opened.warehouse.insert([record(batch, position)])
            for question in asked:
                rows = await opened.warehouse.usage(question)
                answer = {
                    (row.group, row.bucket): written(row.value) for row in rows if row.value is not None
                }
                assert len(answer) == len(rows)
                assert answer == plain_answer(stored, question, rows)
                _assert_the_largest_come_first(question, rows)

    asyncio.run(check())


def _assert_the_largest_come_first(question: UsageQuestion, rows: Sequence[UsageRow]) -> None:
    totals = [(row.group, row.value) for row in rows if row.bucket is None and row.group is not None]
    values = [value for group, value in totals if not group.other and value is not None]
    assert values == sorted(values, reverse=True)
    if len(totals) > len(values):  # there is a rest, and it comes last
        assert len(values) == question.top
        assert totals[-1][0] == Group((None,) * len(question.group_by), other=True)
    if question.aggregate in ADDITIVE and rows:
        assert sum(value for _, value in totals if value is not None) == rows[0].value


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
