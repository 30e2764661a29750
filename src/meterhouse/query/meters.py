"""Stage 3: what a meter counted. A meter is a question that somebody gave a name."""

from typing import Final

import msgspec
from msgspec import Struct

from meterhouse.model.errors import FieldError, MeterNotFound, ValidationFailed
from meterhouse.model.event import Kind, Outcome
from meterhouse.model.meter import Aggregation, Meter, sources
from meterhouse.model.question import Aggregate, Granularity
from meterhouse.ports import Meters
from meterhouse.query.parameters import Parameters
from meterhouse.query.usage import Usage, UsageQueries

_ASKED: Final = frozenset(
    {"from", "to", "granularity", "timezone", "customerRef", "customerId", "externalRef", "productRef"}
)
_RENDERED: Final = frozenset({"numbers", "environment"})


class MeterUsage(Struct, frozen=True):
    """usage: of one series, whose points are the meter's."""

    meter: Meter
    usage: Usage


class MeterQueries:
    def __init__(self, meters: Meters, usage: UsageQueries) -> None:
        self._meters = meters
        self._usage = usage

    async def usage(self, scope_id: int, ref: str, parameters: Parameters) -> MeterUsage:
        """Answer `GET /v1/meters/{reference}/usage`, by days where no granularity is given.

        customerId: what older clients call customerRef (contract §0.1).
        Raises MeterNotFound, and what `UsageQueries.usage` raises.
        """
        meter = await self._meters.get(scope_id, ref)
        if meter is None:
            raise MeterNotFound
        unknown = sorted(parameters.keys() - _ASKED - _RENDERED)
        if unknown:
            raise ValidationFailed([FieldError(name, "is not a parameter of this route") for name in unknown])
        asked = {name: list(values) for name, values in parameters.items() if name in _ASKED}
        customers = asked.pop("customerRef", []) + asked.pop("customerId", [])
        question: dict[str, list[str]] = {"granularity": [Granularity.DAY]}
        question |= asked | _counted(meter) | {"customerRef": customers}
        return MeterUsage(meter, await self._usage.usage(scope_id, question))


def _counted(meter: Meter) -> dict[str, list[str]]:
    """Return the parameters of `GET /v1/usage` that say what a meter counts."""
    properties = msgspec.json.decode(meter.properties, type=dict[str, list[str]])
    of_meters: dict[str, list[str]] = {}
    if meter.kind is Kind.METER:
        of_meters = {"meterName": list(sources(meter)), "outcome": [Outcome.SUCCESS]}
    return {
        "kind": [meter.kind],
        **of_meters,
        "aggregate": [_aggregate(meter)],
        "type": msgspec.json.decode(meter.event_types, type=list[str]),
        **{f"properties.{name}": texts for name, texts in properties.items()},
    }


def _aggregate(meter: Meter) -> Aggregate:
    """A count of meter events is the sum of their units: `/meter-events` stores each as 1, and `/usages`
    says how many it tells of (contract §0.1)."""
    if meter.aggregation is Aggregation.UNIQUE:
        return Aggregate.UNIQUE_CUSTOMERS
    if meter.aggregation is Aggregation.COUNT and meter.kind is Kind.METER:
        return Aggregate.SUM
    return Aggregate(meter.aggregation.value)
