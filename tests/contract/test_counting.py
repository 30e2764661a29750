"""What meters over meter events count: the warehouse and the rule agree, on every adapter."""

from decimal import Decimal

import pytest

from meterhouse.ingest.properties import read_properties
from meterhouse.model.counting import counts
from meterhouse.model.event import Kind
from meterhouse.model.meter import Aggregation, NewMeter
from meterhouse.model.question import Filter, UsageQuestion
from meterhouse.model.scalar import number_text
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog, Warehouse
from meterhouse.query.meters import MeterQueries
from meterhouse.query.usage import UsageQueries
from tests.contract.catalogs import Clock
from tests.contract.facts import metered, record


@pytest.fixture
def queries(catalog: Catalog, warehouse: Warehouse) -> MeterQueries:
    return MeterQueries(catalog.meters, UsageQueries(warehouse, catalog.directory, Clock()))


async def test_a_count_of_meter_events_is_the_sum_of_what_they_say(
    catalog: Catalog, caller: Caller, warehouse: Warehouse, queries: MeterQueries
) -> None:
    sent = [metered("requests", 3), metered("requests", 4), metered("requests", 50, "fail")]
    await warehouse.insert([record([each._replace(scope_id=caller.scope.id) for each in sent])])
    assert (await queries.usage(caller.scope.id, "mtr_requests", {})).usage.total == 7
    most = await catalog.meters.create(
        caller, NewMeter(name="most", meter_names=["requests"], aggregation=Aggregation.MAX)
    )
    assert (await queries.usage(caller.scope.id, most.ref, {})).usage.total == 4


PROPERTIES = (
    None, '{"p":"eu"}', '{"p":"10"}', '{"p":10}', '{"p":1.5}', '{"p":0.000001}', '{"p":12345678901234567}',
    '{"p":-3}', '{"p":true}', '{"p":null}', '{"p":{"a":1}}', '{"p":["eu"]}', '{"p":"a\\n\\"\u00e9"}',
    '{"p":"","q":"eu"}',
)  # fmt: skip
TEXTS = (
    "eu",
    "10",
    "1.5",
    "0.000001",
    "12345678901234567",
    "-3",
    "true",
    "null",
    'a\n"\u00e9',
    "",
    '{"a":1}',
)


async def test_what_feeds_a_meter_by_its_rule_is_what_the_warehouse_counts(
    catalog: Catalog, caller: Caller, warehouse: Warehouse, queries: MeterQueries
) -> None:
    """Units are powers of two, so that a sum says which events are in it."""
    sent = [
        metered(meter)._replace(scope_id=caller.scope.id, type=type_, region=None, properties=properties)
        for meter in ("requests", "tokens")
        for type_ in ("usage.token", "usage.search")
        for properties in PROPERTIES
    ]
    sent = [each._replace(units=Decimal(1 << i)) for i, each in enumerate(sent[:49])]
    await warehouse.insert([record(sent)])
    news = [
        NewMeter(name=f"m{i}", meter_names=["tokens"], properties={"p": [text]})
        for i, text in enumerate(TEXTS)
    ]
    news += [
        NewMeter(name="both", meter_names=["tokens", "requests"], event_types=["usage.token"]),
        NewMeter(name="two", meter_names=["requests"], properties={"p": ["", "eu"], "q": ["eu"]}),
        NewMeter(name="seen", kind=Kind.USAGE, properties={"p": ["eu"]}),
    ]
    for new in news:
        meter = await catalog.meters.create(caller, new)
        expected = sum(
            each.units
            for each in sent
            if counts(meter, meter_name=each.meter or "", type=each.type, properties=each.properties)
        )
        assert (await queries.usage(caller.scope.id, meter.ref, {})).usage.total == expected, new


NUMBERS = (
    "0.1", "0.10", "1e-7", "1E-7", "0.0000001", "1.5e300", "1.5E+300", "1.50E300", "1e400", "1e-400", "100",
    "1e2", "123456789.123456789", "0.1234567890123456789", "18446744073709551616", "1e30", "1" + "0" * 30,
    "1.00000000000000000000000000000000001", "-3", "-3.0", "0", "-0.0", "0e9",
)  # fmt: skip
STRINGS = ("1e-7", "0.1", "1.5e300", "100")


async def test_a_number_is_counted_and_grouped_alike_however_it_was_written(
    catalog: Catalog, caller: Caller, warehouse: Warehouse, queries: MeterQueries
) -> None:
    raws = [*NUMBERS, *(f'"{each}"' for each in STRINGS)]
    stored = [read_properties(f'{{"a":{{"p":5}},"p":{raw},"q":"x1E-7"}}'.encode()) for raw in raws]
    sent = [
        metered("tokens")._replace(
            scope_id=caller.scope.id, region=None, properties=str(each), units=Decimal(1 << i)
        )
        for i, each in enumerate(stored)
    ]
    await warehouse.insert([record(sent)])
    for i, text in enumerate((*NUMBERS, *STRINGS)):
        new = NewMeter(name=f"m{i}", meter_names=["tokens"], properties={"p": [text]})
        meter = await catalog.meters.create(caller, new)
        equal = [Decimal(raw) == Decimal(text) if raw in NUMBERS else raw == f'"{text}"' for raw in raws]
        expected = sum(each.units for each, is_equal in zip(sent, equal, strict=True) if is_equal)
        by_rule = sum(
            each.units
            for each in sent
            if counts(meter, meter_name="tokens", type=each.type, properties=each.properties)
        )
        assert by_rule == expected, text
        assert (await queries.usage(caller.scope.id, meter.ref, {})).usage.total == expected, text
    rows = await warehouse.usage(
        UsageQuestion(
            filter=Filter(scope_id=caller.scope.id, kinds=(Kind.METER,)), group_by=("properties.p",)
        )
    )
    groups = {row.group.values[0] for row in rows if row.group is not None}
    assert groups == {number_text(raw) for raw in NUMBERS} | {*STRINGS}
