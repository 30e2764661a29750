"""What one can ask the warehouse, and what it answers. Times are microseconds since 1970, UTC."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from meterhouse.model.event import Kind


class Aggregate(StrEnum):
    """How the units of many events become one number. Percentiles are nearest-rank, exact."""

    SUM = "sum"
    COUNT = "count"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    LATEST = "latest"
    UNIQUE_CUSTOMERS = "unique_customers"
    P50 = "p50"
    P95 = "p95"
    P99 = "p99"


ADDITIVE = frozenset({Aggregate.SUM, Aggregate.COUNT})
"""Empty buckets are 0 for these, and null for the others."""


class Granularity(StrEnum):
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Filter(Struct, frozen=True, kw_only=True):
    """Which events. A field that is empty does not restrict; several values mean any of them.

    start is included, end excluded; None is all of history.
    meter, outcome, purchase_ref: of meter events; no usage event matches. meter: names.
    properties: (name, accepted texts) pairs; see `model.scalar.is_one_of`.
    """

    scope_id: int
    kinds: tuple[Kind, ...] = (Kind.USAGE,)
    start: int | None = None
    end: int | None = None
    type: tuple[str, ...] = ()
    customer_ref: tuple[str, ...] = ()
    product_ref: tuple[str, ...] = ()
    meter: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    purchase_ref: tuple[str, ...] = ()
    properties: tuple[tuple[str, tuple[str, ...]], ...] = ()


class UsageQuestion(Struct, frozen=True, kw_only=True):
    """One number, or many: over all matching events, for each group, for each bucket.

    group_by: names of `Filter`'s texts (`type`, …, `purchase_ref`), or `properties.<name>`.
    buckets: the starts of the buckets, ascending; the last one ends at `ends`. Empty: no points.
    top: how many of the largest groups are told apart; the rest is one group.
    """

    filter: Filter
    aggregate: Aggregate = Aggregate.SUM
    group_by: tuple[str, ...] = ()
    buckets: tuple[int, ...] = ()
    top: int = 50


class Group(Struct, frozen=True):
    """The values of `group_by`, in order; None is an event without that field. `other`: all the rest."""

    values: tuple[str | None, ...]
    other: bool = False


class UsageRow(Struct, frozen=True):
    """One group's number, in one bucket or (None) over all of them. `value` is None where nothing is."""

    group: Group | None
    bucket: int | None
    value: Decimal | None


class EventOrder(StrEnum):
    """Newest first by when it happened, or by when the server took it (for tails)."""

    TIMESTAMP = "timestamp"
    RECEIVED = "received"


class PageMark(Struct, frozen=True):
    """The last event of a page: the next one starts after it. `time` is 0 in order of receipt."""

    time: Annotated[int, Meta(ge=-(2**62), le=2**62)]
    event_number: Annotated[int, Meta(ge=0, le=2**63 - 1)]
