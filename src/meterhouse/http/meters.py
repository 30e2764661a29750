"""Meters over HTTP (contract §3.9 and §4.5, without the console's path)."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Raw, Struct

from meterhouse.http.query_string import AnyRequest, parameters_of, quotes
from meterhouse.http.render import iso, number
from meterhouse.model import meter as rules
from meterhouse.model.errors import MeterNotFound
from meterhouse.model.event import Kind
from meterhouse.model.meter import Aggregation, Meter, MeterChange, MeterStatus, NewMeter
from meterhouse.model.once import Once
from meterhouse.model.question import Granularity
from meterhouse.model.tenant import Caller
from meterhouse.ports import Meters
from meterhouse.query.meters import MeterQueries


class MeterAnswer(Struct, kw_only=True, rename="camel"):
    """kind: the events it counts. meterNames: the meters whose events it counts; empty for its own.

    eventTypes: empty for every type. properties: the texts of each name that an event may have.
    isDefault: made with the environment; it cannot be archived.
    """

    reference: str
    name: str
    kind: Kind
    is_default: bool
    display_name: str
    description: str
    aggregation: Aggregation
    unit: str
    meter_names: list[str]
    event_types: list[str]
    properties: dict[str, list[str]]
    status: MeterStatus
    created_at: str
    updated_at: str


class MetersAnswer(Struct):
    meters: tuple[MeterAnswer, ...]


class MeterPoint(Struct):
    """timestamp: the start of the bucket, UTC. value: 0 for an empty one of sum and count, else null."""

    timestamp: datetime
    value: Raw


class MeterUsageAnswer(Struct, kw_only=True, rename={"from_": "from"}):
    """data: one point for each bucket. total: over the same range, aggregated as the meter does.

    from: where the first point begins, unless `from` was given; null without events.
    to: null where none was given.
    """

    meter: MeterAnswer
    from_: datetime | None
    to: datetime | None
    granularity: Granularity
    timezone: str
    data: list[MeterPoint]
    total: Raw


class MeterRoutes:
    def __init__(self, meters: Meters, queries: MeterQueries) -> None:
        self._meters = meters
        self._queries = queries

    async def all(
        self,
        caller: NamedDependency[Caller],
        status: Annotated[MeterStatus | None, QueryParameter()] = None,
        kind: Annotated[Kind | None, QueryParameter()] = None,
    ) -> MetersAnswer:
        """List the meters: the default ones, then the others, by name."""
        return MetersAnswer(
            tuple(
                _answer(meter)
                for meter in await self._meters.all(caller.scope.id)
                if status in (None, meter.status) and kind in (None, meter.kind)
            )
        )

    async def create(
        self, caller: NamedDependency[Caller], key: NamedDependency[str | None], data: JSONBody[NewMeter]
    ) -> MeterAnswer:
        """Create a meter. It counts the events of before, too."""
        rules.check_new(data)
        return _answer(await self._meters.create(caller, data, Once.of("createMeter", key, data)))

    async def get(self, caller: NamedDependency[Caller], reference: FromPath[str]) -> MeterAnswer:
        """Get a meter."""
        meter = await self._meters.get(caller.scope.id, reference)
        if meter is None:
            raise MeterNotFound
        return _answer(meter)

    async def change(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
        data: JSONBody[MeterChange],
    ) -> MeterAnswer:
        """Change how a meter is shown. What it counts never changes; make another for that."""
        rules.check_details(data)
        once = Once.of("updateMeter", key, reference, data)
        return _answer(await self._meters.change(caller, reference, data, once))

    async def archive(
        self, caller: NamedDependency[Caller], key: NamedDependency[str | None], reference: FromPath[str]
    ) -> MeterAnswer:
        """Put a meter away; its history still answers, and a default one stays. Again is a no-op."""
        return _answer(await self._meters.archive(caller, reference, Once.of("archiveMeter", key, reference)))

    async def usage(
        self, caller: NamedDependency[Caller], request: AnyRequest, reference: FromPath[str]
    ) -> MeterUsageAnswer:
        """Get a meter's total and its points over time."""
        parameters = parameters_of(request)
        quote = quotes(parameters)
        found = await self._queries.usage(caller.scope.id, reference, parameters)
        points = found.usage.series[0].points
        return MeterUsageAnswer(
            meter=_answer(found.meter),
            from_=found.usage.from_,
            to=found.usage.to,
            granularity=found.usage.granularity or Granularity.DAY,
            timezone=found.usage.timezone,
            data=[
                MeterPoint(point.start, number(point.value, quote))
                for point in ([] if points is UNSET else points)
            ],
            total=number(found.usage.total, quote),
        )


def _answer(meter: Meter) -> MeterAnswer:
    return MeterAnswer(
        reference=meter.ref,
        name=meter.name,
        kind=meter.kind,
        is_default=meter.is_default,
        display_name=meter.display_name,
        description=meter.description,
        aggregation=meter.aggregation,
        unit=meter.unit,
        meter_names=msgspec.json.decode(meter.meter_names),
        event_types=msgspec.json.decode(meter.event_types),
        properties=msgspec.json.decode(meter.properties),
        status=meter.status,
        created_at=iso(meter.created_at),
        updated_at=iso(meter.updated_at),
    )
