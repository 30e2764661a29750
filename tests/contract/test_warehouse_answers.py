"""Every question to the warehouse against a plain count in Python."""

import asyncio
import math
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterhouse.model.event import Kind
from meterhouse.model.question import ADDITIVE, Aggregate, Filter, Group, UsageQuestion, UsageRow
from meterhouse.model.units import written
from tests.contract.adapters import EmbeddedWarehouse
from tests.contract.facts import NOON, OTHER_SCOPE, QUARTER, SCOPE, Fact, record

times = st.integers(-8 * QUARTER, 8 * QUARTER).map(lambda offset: NOON + offset) | st.sampled_from(
    [NOON + i * QUARTER for i in range(-4, 5)]
)
facts = st.tuples(
    st.sampled_from([SCOPE, SCOPE, SCOPE, OTHER_SCOPE]),
    st.sampled_from(["usage.api_call", "usage.token", "a.'b\"c"]),
    st.sampled_from(["cus_1", "cus_2", "cus_3"]),
    st.sampled_from(["prd_1", "prd_2", None]),
    st.decimals(0, 1000, places=9) | st.integers(0, 3).map(Decimal),
    times | st.none(),
    st.sampled_from(["eu", "us", None]),
).map(lambda fields: Fact(*fields))
metered = st.builds(
    lambda fact, meter, outcome, purchase: fact._replace(meter=meter, outcome=outcome, purchase_ref=purchase),
    facts,
    st.sampled_from(["requests", "tokens"]),
    st.sampled_from(["success", "success", "paywall", "fail"]),
    st.sampled_from(["pur_1", None]),
)
batches = st.lists(facts, min_size=1, max_size=12) | st.lists(metered, min_size=1, max_size=12)
questions = st.builds(
    lambda of, types, customers, regions, start, end, aggregate, group_by, cuts, top: UsageQuestion(
        filter=msgspec.structs.replace(
            of,
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
    st.sampled_from(
        [
            Filter(scope_id=SCOPE),
            Filter(scope_id=SCOPE, kinds=(Kind.METER,)),
            Filter(scope_id=SCOPE, kinds=(Kind.USAGE, Kind.METER)),
            Filter(scope_id=SCOPE, kinds=(Kind.METER,), meter=("tokens",), outcome=("success",)),
            Filter(scope_id=SCOPE, kinds=(Kind.METER,), outcome=("paywall", "fail"), purchase_ref=("pur_1",)),
        ]
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
            ("meter", "outcome"),
            ("purchase_ref",),
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
        and (Kind.USAGE if fact.meter is None else Kind.METER) in matching.kinds
        and (not matching.meter or fact.meter in matching.meter)
        and (not matching.outcome or fact.outcome in matching.outcome)
        and (not matching.purchase_ref or fact.purchase_ref in matching.purchase_ref)
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
    st.lists(batches, min_size=1, max_size=4),
    st.lists(questions, min_size=10, max_size=10),
    st.sampled_from([1, 5, 1000]),
)
def test_every_answer_is_what_a_plain_count_says(
    tmp_path_factory: pytest.TempPathFactory,
    stored: list[list[Fact]],
    asked: list[UsageQuestion],
    fold_events: int,
) -> None:
    async def check() -> None:
        async with EmbeddedWarehouse(tmp_path_factory.mktemp("warehouse"), fold_events) as opened:
            for position, batch in enumerate(stored, start=1):
                await opened.warehouse.insert([record(batch, position)])
            for question in asked:
                rows = await opened.warehouse.usage(question)
                answer = {
                    (row.group, row.bucket): written(row.value) for row in rows if row.value is not None
                }
                assert len(answer) == len(rows)
                assert answer == plain_answer([fact for batch in stored for fact in batch], question, rows)
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
