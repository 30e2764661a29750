"""Events as a test thinks of them, and the records of the log that hold them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from meterhouse.model.event import Columns, Kind, LogRecord, MeterColumns
from meterhouse.model.question import Filter, UsageQuestion
from meterhouse.model.units import NANO
from meterhouse.ports import Warehouse

QUARTER = 15 * 60 * 1_000_000
NOON = 1_793_534_400_000_000  # 2026-11-01T12:00:00Z
SCOPE, OTHER_SCOPE = 1, 2


class Fact(NamedTuple):
    """An event as the plain count sees it. meter: None for a usage event."""

    scope_id: int
    type: str
    customer_ref: str
    product_ref: str | None
    units: Decimal
    timestamp: int | None
    region: str | None
    meter: str | None = None
    outcome: str = "success"
    purchase_ref: str | None = None
    details: str | None = None
    properties: str | None = None

    @property
    def at(self) -> int:
        return NOON if self.timestamp is None else self.timestamp

    def key(self, name: str) -> str | None:
        value = self.region if name == "properties.region" else getattr(self, name)
        if name == "outcome" and self.meter is None:
            return None
        assert value is None or isinstance(value, str)
        return value


def record(facts: Sequence[Fact], position: int = 1) -> LogRecord:
    """A record of the log, received at NOON, whose event numbers follow its position. Facts of one kind."""
    metered = [fact for fact in facts if fact.meter is not None]
    return LogRecord(
        position,
        Kind.METER if metered else Kind.USAGE,
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
            [fact.properties if fact.region is None else f'{{"region":"{fact.region}"}}' for fact in facts],
        ),
        MeterColumns(
            [fact.meter or "" for fact in metered],
            [fact.outcome for fact in metered],
            [fact.purchase_ref for fact in metered],
            [fact.details for fact in metered],
        )
        if metered
        else None,
    )


def effect(position: int) -> LogRecord:
    """A record of an effect without an event."""
    return LogRecord(position, Kind.METER, NOON, 0, (), Columns.empty(), MeterColumns.empty())


def fact(
    units: Decimal | int = 1, at: int | None = None, scope_id: int = SCOPE, customer: str = "cus_1"
) -> Fact:
    return Fact(scope_id, "usage.api_call", customer, None, Decimal(units), at, None)


def metered(meter: str, units: Decimal | int = 1, outcome: str = "success") -> Fact:
    return fact(units)._replace(meter=meter, outcome=outcome)


async def total(warehouse: Warehouse, **filters: object) -> Decimal | None:
    matching = msgspec.structs.replace(Filter(scope_id=SCOPE), **filters)
    rows = await warehouse.usage(UsageQuestion(filter=matching))
    return next((row.value for row in rows if row.group is None), None)
