"""Stage 3: sums over events. Reads the question, asks the warehouse, and orders the answer: every bucket is
present, the largest groups come first, and one group holds the rest."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from meterhouse.model.errors import QueryTooLarge
from meterhouse.model.event import Kind, from_microseconds, to_microseconds
from meterhouse.model.question import ADDITIVE, Aggregate, Granularity, Group, UsageQuestion, UsageRow
from meterhouse.ports import Directory, Warehouse
from meterhouse.query.bounds import MAX_ALL_POINTS, MAX_POINTS
from meterhouse.query.buckets import bucket_starts, newest_buckets
from meterhouse.query.customers import with_customer_refs
from meterhouse.query.parameters import ADD_KIND, FILTERS, METER_FILTERS, Parameters, Reader, is_property

MAX_TOP: Final = 1_000
MAX_GROUP_BY: Final = 3
_COLUMNS: Final = {
    "customerRef": "customer_ref",
    "productRef": "product_ref",
    "meterName": "meter",
    "purchaseRef": "purchase_ref",
}


class Point(Struct, frozen=True):
    """One bucket. `value` is 0 for an empty one where that makes sense (sum, count), else None."""

    start: datetime
    value: Decimal | None


class Series(Struct, frozen=True):
    """One group over time. `group` is `{}` without groupBy and `{"other": true}` for the rest."""

    group: dict[str, str | bool | None]
    total: Decimal | None
    points: list[Point] | UnsetType = UNSET


class Usage(Struct, frozen=True, rename={"from_": "from", "group_by": "groupBy"}):
    """The answer of `GET /v1/usage` (design §6).

    from_: None without a lower bound. With a granularity it is where the first bucket begins, unless given.
    """

    from_: datetime | None
    to: datetime | None
    granularity: Granularity | None
    timezone: str
    aggregate: Aggregate
    group_by: list[str]
    total: Decimal | None
    series: list[Series]


class UsageQueries:
    """now: the server's clock; the end of a question that names none."""

    def __init__(self, warehouse: Warehouse, directory: Directory, now: Callable[[], datetime]) -> None:
        self._warehouse = warehouse
        self._directory = directory
        self._now = now

    async def usage(self, scope_id: int, parameters: Parameters) -> Usage:
        """Answer `GET /v1/usage`.

        With a granularity and without `from` the answer is about the newest buckets that fit the bounds of
        10 000 points in a series and 200 000 in all.
        Raises ValidationFailed naming each wrong parameter; QueryTooLarge for a range that was asked for and
        exceeds these bounds, after 10 seconds, or for 20 million rows of a percentile; WarehouseUnavailable.
        """
        asked = _Asked(scope_id, await with_customer_refs(self._directory, scope_id, parameters))
        span = await self._span(asked)
        most = MAX_POINTS
        while True:
            question = asked.question(span, most)
            rows = await self._warehouse.usage(question)
            groups = len({row.group for row in rows if row.bucket is None and row.group is not None})
            if groups * len(question.buckets) <= MAX_ALL_POINTS:
                return asked.answer(question, rows)
            if asked.filter.start is not None:
                raise QueryTooLarge(
                    f"{groups} series of {len(question.buckets)} points are more than {MAX_ALL_POINTS} "
                    "points; ask for a smaller top, a shorter range or a coarser granularity."
                )
            most = MAX_ALL_POINTS // groups  # a shorter range has no more groups

    async def _span(self, asked: "_Asked") -> tuple[int, int] | None:
        """Return the range that buckets have to cover; None when they are not asked for, or nothing is."""
        start, end = asked.filter.start, asked.filter.end
        if asked.granularity is None:
            return None
        if start is None or end is None:
            found = await self._warehouse.time_span(asked.filter)
            if found is None:
                return None
            start = found[0] if start is None else start
            end = max(found[1] + 1, to_microseconds(self._now())) if end is None else end
        return start, end


class _Asked:
    """The parameters of one question, and how its answer names things."""

    def __init__(self, scope_id: int, parameters: Parameters) -> None:
        reader = Reader(parameters)
        self.zone = reader.zone()
        self.granularity = reader.optional_choice("granularity", Granularity)
        self.aggregate = reader.choice("aggregate", Aggregate, Aggregate.SUM)
        self.group_by = [name for text in reader.texts("groupBy") for name in text.split(",")]
        self.top = reader.whole("top", default=50, highest=MAX_TOP)
        self.filter = reader.filter(scope_id, self.zone)
        for name in self.group_by:
            if name not in FILTERS and not is_property(name):
                reader.fault("groupBy", f"must be {', '.join(FILTERS)} or properties.<name>, not {name!r}")
            elif name in METER_FILTERS and Kind.METER not in self.filter.kinds:
                reader.fault("groupBy", f"{name} {ADD_KIND}")
        if len(set(self.group_by)) < len(self.group_by) or len(self.group_by) > MAX_GROUP_BY:
            reader.fault("groupBy", f"takes at most {MAX_GROUP_BY} different names")
        reader.finish(also_known=("numbers", "format", "environment"))

    def question(self, span: tuple[int, int] | None, most: int) -> UsageQuestion:
        """Return the question for the warehouse. span: see `UsageQueries._span`.

        most: buckets. Without `from` it is about the newest ones, and total and points cover the same range.
        Raises QueryTooLarge where a range that was asked for has more.
        """
        buckets = self._buckets(*span, most) if span is not None else ()
        matching = self.filter
        if buckets and matching.start is None:
            matching = replace(matching, start=buckets[0])
        return UsageQuestion(
            filter=matching,
            aggregate=self.aggregate,
            group_by=tuple(_COLUMNS.get(name, name) for name in self.group_by),
            buckets=buckets,
            top=self.top,
        )

    def _buckets(self, start: int, end: int, most: int) -> tuple[int, ...]:
        assert self.granularity is not None  # noqa: S101 - else there is no span
        if self.filter.start is None:
            return newest_buckets(start, end, self.granularity, self.zone, most)
        starts = tuple(islice(bucket_starts(start, end, self.granularity, self.zone), most + 1))
        if len(starts) > most:
            raise QueryTooLarge(
                f"The range has more than {most} buckets of a {self.granularity}; "
                "ask for a shorter range or a coarser granularity."
            )
        return starts

    def answer(self, question: UsageQuestion, rows: Sequence[UsageRow]) -> Usage:
        empty = Decimal(0) if self.aggregate in ADDITIVE else None
        totals = {row.group: row.value for row in rows if row.bucket is None}
        points: dict[Group, dict[int, Decimal | None]] = {}
        for row in rows:
            if row.group is not None and row.bucket is not None:
                points.setdefault(row.group, {})[row.bucket] = row.value
        groups = [group for group in totals if group is not None]
        if not self.group_by and not groups:
            groups = [Group(())]
        return Usage(
            from_=_time(question.filter.start),
            to=_time(self.filter.end),
            granularity=self.granularity,
            timezone=self.zone.key,
            aggregate=self.aggregate,
            group_by=self.group_by,
            total=totals.get(None, empty),
            series=[
                Series(
                    self._name(group),
                    totals.get(group, empty),
                    UNSET
                    if self.granularity is None
                    else [
                        Point(from_microseconds(start), points.get(group, {}).get(start, empty))
                        for start in question.buckets
                    ],
                )
                for group in groups
            ],
        )

    def _name(self, group: Group) -> dict[str, str | bool | None]:
        if group.other:
            return {"other": True}
        return dict(zip(self.group_by, group.values, strict=True))


def _time(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_microseconds(microseconds)
