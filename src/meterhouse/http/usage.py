"""`GET /v1/usage`, `/v1/events` and `/v1/events/{eventId}`: stage 3 over HTTP."""

import csv
import io
from datetime import datetime
from decimal import Decimal

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import UNSET, Raw, Struct, UnsetType

from meterhouse.http.query_string import AnyRequest, one_of, parameters_of, quotes
from meterhouse.http.render import number
from meterhouse.model.event import Event, Kind, Outcome
from meterhouse.model.question import Aggregate, Granularity
from meterhouse.model.tenant import Caller
from meterhouse.model.units import written
from meterhouse.query.events import EventQueries
from meterhouse.query.usage import Usage, UsageQueries


class EventAnswer(Struct, kw_only=True, rename="camel"):
    """units: a number with all its digits, a string with `numbers=string`. properties: null for none.

    The rest is of meter events, and absent where it was not said."""

    event_id: str
    kind: Kind
    type: str
    customer_ref: str | None
    product_ref: str | None
    units: Raw
    timestamp: datetime
    received_at: datetime
    idempotency_key: str | None
    properties: Raw
    meter_name: str | UnsetType = UNSET
    outcome: Outcome | UnsetType = UNSET
    purchase_ref: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    duration: Raw | UnsetType = UNSET
    error_message: str | UnsetType = UNSET


class EventsAnswer(Struct, rename="camel"):
    """next_cursor: null on the last page."""

    events: list[EventAnswer]
    next_cursor: str | None


class PointAnswer(Struct):
    """start: of the bucket, UTC. value: 0 for an empty one where that makes sense (sum, count), else null."""

    start: datetime
    value: Raw


class SeriesAnswer(Struct):
    """group: the values of groupBy, or {"other": true} for all groups past `top`."""

    group: dict[str, str | bool | None]
    total: Raw
    points: list[PointAnswer] | UnsetType = UNSET


class UsageAnswer(Struct, kw_only=True, rename={"from_": "from", "group_by": "groupBy"}):
    """from, to: null without that bound. points: only with a granularity."""

    from_: datetime | None
    to: datetime | None
    granularity: Granularity | None
    timezone: str
    aggregate: Aggregate
    group_by: list[str]
    total: Raw
    series: list[SeriesAnswer]


class QueryRoutes:
    """Parameters are read from the query string itself: `properties.<name>` may be any name, and one that
    nobody knows is refused. `query_parameters` describes them."""

    def __init__(self, usage: UsageQueries, events: EventQueries) -> None:
        self._usage = usage
        self._events = events

    async def usage(
        self, caller: NamedDependency[Caller], request: AnyRequest
    ) -> Response[UsageAnswer | bytes]:
        """Say how much was consumed: in all, by group, over time."""
        parameters = parameters_of(request)
        quote = quotes(parameters)
        as_csv = one_of(parameters, "format", "json", "csv") == "csv"
        usage = await self._usage.usage(caller.scope.id, parameters)
        if as_csv:
            return Response(_csv(usage), media_type="text/csv")
        return Response(_usage_answer(usage, quote))

    async def page(self, caller: NamedDependency[Caller], request: AnyRequest) -> EventsAnswer:
        """List events, newest first."""
        parameters = parameters_of(request)
        quote = quotes(parameters)
        page = await self._events.page(caller.scope.id, parameters)
        return EventsAnswer([_event_answer(event, quote) for event in page.events], page.next_cursor)

    async def event(
        self, caller: NamedDependency[Caller], request: AnyRequest, event_id: FromPath[str]
    ) -> EventAnswer:
        """Get an event."""
        event = await self._events.event(caller.scope.id, event_id)
        return _event_answer(event, quotes(parameters_of(request)))


def _event_answer(event: Event, quote: bool) -> EventAnswer:  # noqa: FBT001
    fields = msgspec.structs.asdict(event)
    duration = UNSET if event.duration is UNSET else number(event.duration, quote)
    return EventAnswer(**fields | {"units": number(event.units, quote), "duration": duration})


def _usage_answer(usage: Usage, quote: bool) -> UsageAnswer:  # noqa: FBT001
    return UsageAnswer(
        from_=usage.from_,
        to=usage.to,
        granularity=usage.granularity,
        timezone=usage.timezone,
        aggregate=usage.aggregate,
        group_by=usage.group_by,
        total=number(usage.total, quote),
        series=[
            SeriesAnswer(
                series.group,
                number(series.total, quote),
                UNSET
                if series.points is UNSET
                else [PointAnswer(point.start, number(point.value, quote)) for point in series.points],
            )
            for series in usage.series
        ],
    )


def _csv(usage: Usage) -> bytes:
    """A line for each group and bucket: the group's names, `start` with a granularity, `value`.

    The rest of the groups has `other` in its first column. Texts that a spreadsheet would take for a
    formula get an apostrophe in front.
    """
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\r\n")
    timed = usage.granularity is not None
    lines.writerow([*usage.group_by, *(["start"] if timed else []), "value"])
    for series in usage.series:
        if series.group.get("other") is True:
            group = ["other", *([""] * (len(usage.group_by) - 1))]
        else:
            group = [_cell(series.group[name]) for name in usage.group_by]
        if series.points is UNSET:
            lines.writerow([*group, _digits(series.total)])
        else:
            for point in series.points:
                start = point.start.isoformat().replace("+00:00", "Z")
                lines.writerow([*group, start, _digits(point.value)])
    return text.getvalue().encode()


def _digits(value: Decimal | None) -> str:
    return "" if value is None else written(value)


def _cell(value: str | bool | None) -> str:  # noqa: FBT001 - a JSON value
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
