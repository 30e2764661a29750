"""The body of one meter event, and the pure checks that turn it into an action.

Contract: solvapay.md §3.1 (`/usages`, `/meter-events`) and §7; unknown keys are ignored.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, NamedTuple, Protocol

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from meterhouse.ingest.fields import MAX_USAGE_UNITS, Fields
from meterhouse.model import text, units
from meterhouse.model.errors import FieldError, ValidationFailed
from meterhouse.model.event import Outcome
from meterhouse.model.ledger import Track
from meterhouse.model.meter import Aggregation, Meter, MeterStatus
from meterhouse.model.units import NANO, Amount, JsonObject, billionths

ACTION_TYPES: Final = ("transaction", "api_call", "hour", "email", "storage", "custom")
DEFAULT_METER: Final = "requests"
_MAX_TEXT: Final = 1_000
_MAX_DURATION_MS: Final = 10**15
_MAX_DURATION_PLACES: Final = 100
_WHOLE: Final = {"type": ["integer", "null"], "minimum": 0, "maximum": MAX_USAGE_UNITS, "default": 1}
_DURATION: Final = {"type": ["number", "null"], "minimum": 0}
_INVALID_METER: Final = "Invalid meter name or meter is archived"


class UsageBody(Struct, rename="camel", gc=False):
    """One usage record. Everything is optional here, so that one answer names every fault."""

    customer_ref: str | None = None
    customer_id: str | None = None
    external_ref: str | None = None
    product_ref: str | None = None
    product_reference: str | None = None
    purchase_ref: str | None = None
    purchase_reference: str | None = None
    action_type: str | None = None
    meter_name: str | None = None
    units: Annotated[Any, Meta(extra_json_schema=_WHOLE)] = UNSET  # Any: see `Amount`
    outcome: str | None = None
    timestamp: str | None = None
    buffered_at: str | None = None
    idempotency_key: str | None = None
    description: str | None = None
    error_message: str | None = None
    duration: Annotated[Any, Meta(extra_json_schema=_DURATION)] = UNSET  # Any: see `Amount`
    metadata: JsonObject | UnsetType = UNSET


class MeterEventBody(Struct, rename="camel", gc=False):
    """One event for a named meter.

    Not in the contract: purchaseRef, idempotencyKey, externalRef, bufferedAt.
    """

    customer_ref: str | None = None
    customer_id: str | None = None
    external_ref: str | None = None
    product_ref: str | None = None
    product_reference: str | None = None
    purchase_ref: str | None = None
    meter_name: str | None = None
    value: Amount = UNSET
    timestamp: str | None = None
    buffered_at: str | None = None
    idempotency_key: str | None = None
    properties: JsonObject | UnsetType = UNSET


class Known(NamedTuple):
    """The facts that the checks compare with. meters: the existing ones of the names in the bodies.

    externals: the customer's ref of each external ref that the bodies name and that exists.
    latest: the newest time a record may have. earliest_us: the oldest, microseconds since 1970.
    """

    scope_id: int
    meters: Mapping[str, Meter]
    externals: Mapping[str, str]
    latest: datetime
    earliest_us: int


def read_usage(body: UsageBody, header_key: str | None, known: Known) -> Track | list[FieldError]:
    """Return the action that `POST /v1/sdk/usages` asks for, or every fault of the body.

    An unknown customer is no fault (contract §0.1 row 13). A meter that is not there is `requests`; an
    archived one is a fault.
    """
    fields = Fields(known.externals)
    customer_ref = fields.customer(body)
    action = body.action_type or "api_call"
    if action not in ACTION_TYPES:
        fields.fault("actionType", f"must be one of {', '.join(ACTION_TYPES)}")
    outcome = _outcome(body.outcome)
    if outcome is None:
        fields.fault("outcome", f"must be one of {', '.join(Outcome)}")
    meter = known.meters.get(body.meter_name) if body.meter_name else None
    if meter is not None and not _takes_events(meter):
        fields.fault("meterName", _INVALID_METER)
    track = Track(
        scope_id=known.scope_id,
        type=f"usage.{action}",
        customer_ref=customer_ref,
        product_ref=fields.product(body),
        purchase_ref=fields.ref(
            "purchaseRef", body.purchase_ref, "purchaseReference", body.purchase_reference
        ),
        meter=_meter_of(body, meter),
        units=fields.whole_units(body.units),
        outcome=outcome or Outcome.SUCCESS,
        timestamp=_time(body, known, fields),
        key=fields.key(body.idempotency_key, header_key),
        properties=fields.properties("metadata", body.metadata),
        details=_details(body.description, body.error_message, body.duration, fields),
    )
    return fields.faults or track


def read_meter_event(body: MeterEventBody, header_key: str | None, known: Known) -> Track | list[FieldError]:
    """Return the action that `POST /v1/sdk/meter-events` asks for, or every fault of the body.

    Without a meterName it is for `requests`. A count meter counts 1 whatever the value, which is kept as a
    detail.
    """
    fields = Fields(known.externals)
    customer_ref = fields.customer(body)
    name = body.meter_name if body.meter_name is not None else DEFAULT_METER
    meter = known.meters.get(name)
    if meter is None or not _takes_events(meter):
        fields.fault("meterName", _INVALID_METER)
    value = billionths(fields.units("value", body.value, default=NANO))
    counts_one = meter is not None and meter.aggregation is Aggregation.COUNT
    details = None
    if counts_one and value != NANO:
        details = text.canonical({"value": units.join(*units.pair(value))})
    track = Track(
        scope_id=known.scope_id,
        type=f"meter.{name}",
        customer_ref=customer_ref,
        product_ref=fields.product(body),
        purchase_ref=fields.ref("purchaseRef", body.purchase_ref, "purchaseReference", None),
        meter=name,
        units=NANO if counts_one else value,
        outcome=Outcome.SUCCESS,
        timestamp=_time(body, known, fields),
        key=fields.key(body.idempotency_key, header_key),
        properties=fields.properties("properties", body.properties),
        details=details,
    )
    return fields.faults or track


class SettleSaid(Protocol):
    """The body that settles a hold."""

    @property
    def units(self) -> object: ...
    @property
    def action_type(self) -> str | None: ...
    @property
    def idempotency_key(self) -> str | None: ...
    @property
    def description(self) -> str | None: ...
    @property
    def duration(self) -> object: ...
    @property
    def metadata(self) -> Raw | UnsetType: ...


class Settled(NamedTuple):
    """The values that a settle books. units: billionths. properties, details: canonical JSON text."""

    units: int
    type: str
    key: str | None
    properties: str | None
    details: str | None


def read_settlement(body: SettleSaid, header_key: str | None) -> Settled:
    """Return the values to book. Raises ValidationFailed, naming every fault."""
    fields = Fields({})
    action = body.action_type or "api_call"
    if action not in ACTION_TYPES:
        fields.fault("actionType", f"must be one of {', '.join(ACTION_TYPES)}")
    settled = Settled(
        units=billionths(fields.units("units", body.units)),
        type=f"usage.{action}",
        key=fields.key(body.idempotency_key, header_key),
        properties=fields.properties("metadata", body.metadata),
        details=_details(body.description, None, body.duration, fields),
    )
    if fields.faults:
        raise ValidationFailed(fields.faults)
    return settled


def _time(body: UsageBody | MeterEventBody, known: Known, fields: Fields) -> int | None:
    """Return when the event happened, None for the time of receipt; `timestamp` wins over `bufferedAt`."""
    given = fields.time("timestamp", body.timestamp, known.latest, known.earliest_us)
    buffered = fields.time("bufferedAt", body.buffered_at, known.latest, known.earliest_us)
    return buffered if given is None else given


def _takes_events(meter: Meter) -> bool:
    return meter.status is MeterStatus.ACTIVE and meter.is_recorded_on


def _meter_of(body: UsageBody, meter: Meter | None) -> str | None:
    """Return the meter to record on; None: the one of the customer's plan."""
    if body.meter_name is None:
        return None
    return DEFAULT_METER if meter is None else meter.name


def _outcome(given: str | None) -> Outcome | None:
    if given is None:
        return Outcome.SUCCESS
    return Outcome(given) if given in set(Outcome) else None


def _details(
    description: str | None, error_message: str | None, duration: object, fields: Fields
) -> str | None:
    """Return the event's further fields as canonical JSON, None without any."""
    said: dict[str, object] = {}
    for path, value in (("description", description), ("errorMessage", error_message)):
        if value is not None:
            said[path] = value
            if len(value) > _MAX_TEXT:
                fields.fault(path, f"must have at most {_MAX_TEXT} characters")
    if duration is not UNSET and duration is not None:
        if not _is_duration(duration):
            fields.fault(
                "duration", "must be a number of milliseconds, 0 to 10^15, to 100 decimal places at most"
            )
        else:
            said["duration"] = duration
    return text.canonical(said) if said else None


def _is_duration(given: object) -> bool:
    """A number that can be written out digit by digit, as answers do."""
    if type(given) not in (int, Decimal) or not 0 <= given <= _MAX_DURATION_MS:  # type: ignore[operator]
        return False
    return not given or Decimal(given).adjusted() >= -_MAX_DURATION_PLACES  # type: ignore[arg-type]
