"""Stage 3: how much was consumed. Reads the question, asks the warehouse, and puts the answer in order:
every bucket present, the largest groups first, everything else together."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from meterhouse.model.errors import QueryTooLarge
from meterhouse.model.event import Kind, from_microseconds, to_microseconds
from meterhouse.model.question import ADDITIVE, Aggregate, Granularity, Group, UsageQuestion, UsageRow
from meterhouse.ports import Warehouse
from meterhouse.query.bounds import MAX_ALL_POINTS, MAX_POINTS, in_time
from meterhouse.query.buckets import bucket_starts
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
    """The answer of `GET /v1/usage` (design §6)."""

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

    def __init__(self, warehouse: Warehouse, now: Callable[[], datetime]) -> None:
        self._warehouse = warehouse
        self._now = now

    async def usage(self, scope_id: int, parameters: Parameters) -> Usage:
        """Answer `GET /v1/usage`.

        Raises ValidationFailed naming each wrong parameter; QueryTooLarge for more than 10 000 points in
        a series or 200 000 in all, 10 seconds, or 20 million rows of a percentile; WarehouseUnavailable.
        """
        asked = _Asked(scope_id, parameters)
        question = asked.question(await self._span(asked))
        rows = await in_time(self._warehouse.usage(question))
        return asked.answer(question, rows)

    async def _span(self, asked: "_Asked") -> tuple[int, int] | None:
        """Return the range that buckets have to cover; None when they are not asked for, or nothing is."""
        start, end = asked.filter.start, asked.filter.end
        if asked.granularity is None:
            return None
        if start is None or end is None:
            found = await in_time(self._warehouse.time_span(asked.filter))
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

    def question(self, span: tuple[int, int] | None) -> UsageQuestion:
        return UsageQuestion(
            filter=self.filter,
            aggregate=self.aggregate,
            group_by=tuple(_COLUMNS.get(name, name) for name in self.group_by),
            buckets=self._buckets(*span) if span is not None else (),
            top=self.top,
        )

    def _buckets(self, start: int, end: int) -> tuple[int, ...]:
        assert self.granularity is not None  # noqa: S101 - else there is no span
        found = bucket_starts(start, end, self.granularity, self.zone)
        starts = tuple(islice(found, MAX_POINTS + 1))
        if len(starts) > MAX_POINTS:
            raise QueryTooLarge(
                f"The range has more than {MAX_POINTS} buckets of a {self.granularity}; "
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
        if len(groups) * len(question.buckets) > MAX_ALL_POINTS:
            raise QueryTooLarge(
                f"{len(groups)} series of {len(question.buckets)} points are more than {MAX_ALL_POINTS} "
                "points; ask for a smaller top, a shorter range or a coarser granularity."
            )
        return Usage(
            from_=_time(self.filter.start),
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
