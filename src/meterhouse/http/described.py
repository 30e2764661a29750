"""The hot routes as /openapi.json describes them: what they decode and answer, from the same structs.

The functions are never called; they carry a path's answer type and description to the framework's writer.
"""

from collections.abc import Sequence
from types import GenericAlias
from typing import Annotated, Any, Final, get_type_hints

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Meta, Struct

from meterhouse.http.limits import LimitAnswer, LimitBody, ReserveBody
from meterhouse.http.problems import Problem
from meterhouse.ingest.body import EventBody
from meterhouse.ingest.decode import BulkBody
from meterhouse.ingest.faults import MAX_USAGE_UNITS
from meterhouse.ingest.usage_body import MeterEventBody, UsageBody
from meterhouse.ingest.usage_decode import BulkMeterBody, BulkUsageBody
from meterhouse.model.errors import FieldError
from meterhouse.model.ledger import Skipped
from meterhouse.model.units import MAX_UNITS, PLACES

Json = dict[str, Any]  # Any: JSON Schema

REF: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"
_NDJSON: Final = "application/x-ndjson"
_EXACT: Final = Meta(ge=0, le=MAX_UNITS, description=f"Exact, at most {PLACES} decimals.")
_WHOLE: Final = Meta(ge=0, le=MAX_USAGE_UNITS, description="A whole number; 1 where it is left out.")
_SECONDS: Final = Meta(ge=1, le=86_400, description="60 where it is left out.")
_OBJECT: Final = dict[str, Any] | None


class PublishedEvent(Struct, rename="camel", omit_defaults=True):
    """duplicate: the event was stored by an earlier request with this idempotency key."""

    event_id: str
    duplicate: bool = False


class BulkResult(Struct, rename="camel", omit_defaults=True):
    """status: stored, duplicate or rejected. code, errors: why it was rejected."""

    status: str
    event_id: str | None = None
    code: str | None = None
    errors: tuple[FieldError, ...] | None = None


class BulkAnswer(Struct):
    """results: one for each event, in the order of the request."""

    stored: int
    duplicates: int
    rejected: int
    results: list[BulkResult]


async def publish_event() -> PublishedEvent:
    """Publish one usage event; 200 where the idempotency key's event is stored already."""
    raise NotImplementedError  # only described, see http/events.py


async def publish_events() -> BulkAnswer:
    """Publish up to 10 000 usage events, as JSON or as NDJSON with one event a line; plain, gzip or zstd."""
    raise NotImplementedError  # only described, see http/events.py


class CreditDebit(Struct, rename="camel", omit_defaults=True):
    """amount, unitsRemaining: where credits were debited. reason: why none were."""

    debited: bool
    amount: int | None = None
    units_remaining: int | None = None
    reason: Skipped | None = None


class UsageRecorded(Struct, rename="camel", omit_defaults=True):
    """creditDebit: absent where the outcome was no success."""

    success: bool
    reference: str
    credit_debit: CreditDebit | None = None


class BulkUsageResult(Struct, rename="camel", omit_defaults=True):
    """What became of one record."""

    reference: str
    credit_debit: CreditDebit | None = None


class BulkUsageAnswer(Struct):
    """results: one for each record, in the order of the request. inserted: how many are no repeats."""

    success: bool
    inserted: int
    results: list[BulkUsageResult]


class MeterEventRecorded(Struct):
    """The event is recorded."""

    success: bool


class MeterEventsRecorded(Struct):
    """All events are recorded."""

    success: bool
    inserted: int


async def record_usage() -> UsageRecorded:
    """Record one usage: count it on its meter, debit credits. A repeat has the first one's reference."""
    raise NotImplementedError  # only described, see http/usages.py


async def record_usages() -> BulkUsageAnswer:
    """Record up to 1000 usages, all or none."""
    raise NotImplementedError  # only described, see http/usages.py


async def record_meter_event() -> MeterEventRecorded:
    """Record one event for a named meter."""
    raise NotImplementedError  # only described, see http/usages.py


async def record_meter_events() -> MeterEventsRecorded:
    """Record up to 10 000 events for named meters, all or none."""
    raise NotImplementedError  # only described, see http/usages.py


async def check_limits() -> LimitAnswer:
    """Say whether a customer may use more of a product; `reserve` takes units if they are free."""
    raise NotImplementedError  # only described, see http/limits.py


_BODIES: Final = {
    "/v1/sdk/events": ((_JSON, "EventBody"),),
    "/v1/sdk/events/bulk": ((_JSON, "BulkBody"), (_NDJSON, "EventBody")),
    "/v1/sdk/usages": ((_JSON, "UsageBody"),),
    "/v1/sdk/usages/bulk": ((_JSON, "BulkUsageBody"),),
    "/v1/sdk/meter-events": ((_JSON, "MeterEventBody"),),
    "/v1/sdk/meter-events/bulk": ((_JSON, "BulkMeterBody"),),
    "/v1/sdk/limits": ((_JSON, "LimitBody"),),
}


def described() -> Sequence[HTTPRouteHandler]:
    """Return the hot routes, for the framework to describe."""
    problem = {400: ResponseSpec(Problem, generate_examples=False)}
    return [
        post("/v1/sdk/events", operation_id="publishEvent", responses=problem)(publish_event),
        post("/v1/sdk/events/bulk", operation_id="publishEvents", status_code=200)(publish_events),
        post("/v1/sdk/usages", operation_id="recordUsage", status_code=200)(record_usage),
        post("/v1/sdk/usages/bulk", operation_id="recordUsages", status_code=200)(record_usages),
        post("/v1/sdk/meter-events", operation_id="recordMeterEvent", status_code=200)(record_meter_event),
        post("/v1/sdk/meter-events/bulk", operation_id="recordMeterEvents", status_code=200)(
            record_meter_events
        ),
        post("/v1/sdk/limits", operation_id="checkLimits", status_code=200)(check_limits),
    ]


def add_bodies(schema: Json) -> None:
    """Add what the hot routes decode: `units` and free-form objects are checked after decoding."""
    schema["components"]["schemas"].update(_components())
    for path, kinds in _BODIES.items():
        content = {media_type: {"schema": {"$ref": REF.format(name=name)}} for media_type, name in kinds}
        schema["paths"][path]["post"]["requestBody"] = {"required": True, "content": content}


def _components() -> Json:
    event = _typed(EventBody, units=Annotated[float, _EXACT], properties=_OBJECT)
    usage = _typed(
        UsageBody,
        units=Annotated[float, _WHOLE],
        duration=Annotated[float, Meta(ge=0)],
        metadata=_OBJECT,
    )
    meter_event = _typed(MeterEventBody, value=Annotated[float, _EXACT], properties=_OBJECT)
    reserve = _typed(ReserveBody, units=Annotated[float, _EXACT], ttl_seconds=Annotated[int, _SECONDS])
    limit = _typed(LimitBody, reserve=reserve | None)
    bulks = (
        _listed(BulkBody, "events", event),
        _listed(BulkUsageBody, "events", usage),
        _listed(BulkMeterBody, "events", meter_event),
    )
    types = (event, usage, meter_event, limit, *bulks)
    return msgspec.json.schema_components(types, ref_template=REF)[1]


def _typed(body: type[Struct], **types: Any) -> Any:  # Any: types, made at run time
    """Return the struct with the types that its fields are checked for, all of them optional."""
    hints = get_type_hints(body) | types
    fields = [(name, hints[name], None) for name in body.__struct_fields__]
    return msgspec.defstruct(body.__name__, fields, rename="camel", namespace={"__doc__": body.__doc__})


def _listed(bulk: type[Struct], name: str, event: Any) -> Any:  # Any: a type, made at run time
    return msgspec.defstruct(
        bulk.__name__, [(name, GenericAlias(list, (event,)))], namespace={"__doc__": bulk.__doc__}
    )
