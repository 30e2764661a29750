"""What counts against limits: usages and meter events. Each travels with an idempotency key made once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw

from meterhouse_sdk._answers import read
from meterhouse_sdk._error import FieldError, MeterhouseError
from meterhouse_sdk._errors import UnexpectedAnswer, ValidationFailed
from meterhouse_sdk._metering_answers import RecordedEvents, TrackedUsage, TrackedUsages
from meterhouse_sdk._new_usage import (
    ActionType,
    MeterEventFields,
    NewMeterEvent,
    NewUsage,
    Outcome,
    UsageFields,
    to_body,
)
from meterhouse_sdk._products import encoded
from meterhouse_sdk._protocol import Operation, Reply, Request
from meterhouse_sdk._publish import new_key

MAX_BULK_USAGES: Final = 1_000
_USAGES: Final = "/v1/sdk/usages"
_METER_EVENTS: Final = "/v1/sdk/meter-events"
N = TypeVar("N", NewUsage, NewMeterEvent)


def track_usage(  # noqa: PLR0913 - the fields of a usage
    *,
    customer_ref: str | None = None,
    external_ref: str | None = None,
    units: int | Decimal = 1,
    product_ref: str | None = None,
    meter_name: str | None = None,
    action_type: ActionType = "api_call",
    outcome: Outcome = "success",
    purchase_ref: str | None = None,
    description: str | None = None,
    duration: int | Decimal | None = None,
    metadata: Mapping[str, Any] | None = None,  # Any: JSON
    timestamp: datetime | None = None,
    idempotency_key: str | None = None,
) -> Operation[TrackedUsage]:
    """Count what a customer used, against its limit and its credits; it is booked when this returns.

    See `NewUsage` for what the fields may hold. An unknown customer is no error: see `credit_debit`.
    Without an idempotency key one is made for the call, so that its retries count once; calling again is
    a new usage. To call again for the same one, give a key, or pass the error's `usages` to
    `track_usage_bulk`.

    Raises TypeError for a float as units; ValidationFailed, IdempotencyConflict: nothing was recorded.
    Raises Unavailable, after all retries: whether it was recorded is unknown.
    """
    usage = NewUsage(
        customer_ref=customer_ref,
        external_ref=external_ref,
        units=units,
        product_ref=product_ref,
        meter_name=meter_name,
        action_type=action_type,
        outcome=outcome,
        purchase_ref=purchase_ref,
        description=description,
        duration=duration,
        metadata=metadata,
        timestamp=timestamp,
        idempotency_key=new_key() if idempotency_key is None else idempotency_key,
    )
    return (yield from track(usage))


def track(usage: NewUsage) -> Operation[TrackedUsage]:
    """Track a usage that has its key."""
    try:
        return read((yield _post(_USAGES, to_body(usage))), TrackedUsage)
    except MeterhouseError as error:
        error.usages = (usage,)
        raise


def track_usage_bulk(usages: Iterable[NewUsage | UsageFields]) -> Operation[TrackedUsages]:
    """Count many usages, in as few requests as 1 000 usages each allow.

    The usages of one request are recorded all or none, so that a bulk of up to 1 000 is too. Usages
    without an idempotency key get one for the call, as in `track_usage`.

    Raises TypeError, ValidationFailed (path `events.3.units`): one is malformed; up to 1 000 usages:
    none was recorded.
    Raises MeterhouseError otherwise: some may be recorded. `error.usages` are all of the call with their
    keys; passing them again gives every result, and none counts twice.
    """
    keyed = tuple(_keyed(NewUsage, given, row) for row, given in enumerate(usages))
    results: list[TrackedUsage] = []
    inserted = 0
    try:
        for start in range(0, len(keyed), MAX_BULK_USAGES):
            part = keyed[start : start + MAX_BULK_USAGES]
            answer = read((yield from _bulk(_USAGES, part, start)), TrackedUsages)
            if len(answer.results) != len(part):
                raise UnexpectedAnswer(
                    f"{len(part)} usages were sent, {len(answer.results)} results came back"
                )
            results += answer.results
            inserted += answer.inserted
    except MeterhouseError as error:
        error.usages = keyed
        raise
    return TrackedUsages(inserted=inserted, results=tuple(results))


def record_meter_event(  # noqa: PLR0913 - the fields of a meter event
    *,
    meter_name: str,
    customer_ref: str | None = None,
    external_ref: str | None = None,
    value: int | Decimal = 1,
    product_ref: str | None = None,
    properties: Mapping[str, Any] | None = None,  # Any: JSON
    timestamp: datetime | None = None,
    idempotency_key: str | None = None,
) -> Operation[None]:
    """Record one event of a named meter; it is booked when this returns. See `NewMeterEvent`.

    Keys as in `track_usage`.

    Raises TypeError for a float as value; ValidationFailed, MeterArchived, CustomerNotFound,
    IdempotencyConflict: nothing was recorded. Raises Unavailable: whether it was recorded is unknown.
    """
    event = NewMeterEvent(
        meter_name=meter_name,
        customer_ref=customer_ref,
        external_ref=external_ref,
        value=value,
        product_ref=product_ref,
        properties=properties,
        timestamp=timestamp,
        idempotency_key=new_key() if idempotency_key is None else idempotency_key,
    )
    try:
        yield _post(_METER_EVENTS, to_body(event))
    except MeterhouseError as error:
        error.meter_events = (event,)
        raise


def record_meter_events(events: Iterable[NewMeterEvent | MeterEventFields]) -> Operation[RecordedEvents]:
    """Record many events of meters, in as few requests as 1 000 events each allow.

    All or none for each request, keys and errors as in `track_usage_bulk`; the events of the call are
    the error's `meter_events`.
    """
    keyed = tuple(_keyed(NewMeterEvent, given, row) for row, given in enumerate(events))
    inserted = 0
    try:
        for start in range(0, len(keyed), MAX_BULK_USAGES):
            part = keyed[start : start + MAX_BULK_USAGES]
            inserted += read((yield from _bulk(_METER_EVENTS, part, start)), RecordedEvents).inserted
    except MeterhouseError as error:
        error.meter_events = keyed
        raise
    return RecordedEvents(inserted=inserted)


def _post(path: str, body: bytes) -> Request:
    return Request("POST", path, repeatable=True, body=body)  # the body has the keys


def _bulk(path: str, part: Sequence[N], start: int) -> Operation[Reply]:
    """Send one part. Rows of its faults are those of the call, of which it begins at `start`."""
    try:
        return (yield _post(f"{path}/bulk", encoded(events=[Raw(to_body(each)) for each in part])))
    except ValidationFailed as error:
        error.errors = tuple(
            FieldError(_moved(fault.path, start), fault.message) if start else fault for fault in error.errors
        )
        raise


def _moved(path: str, start: int) -> str:
    head, _, tail = path.partition(".")
    row, dot, field = tail.partition(".")
    return f"{head}.{int(row) + start}{dot}{field}" if head == "events" and row.isdecimal() else path


def _keyed(kind: Callable[..., N], given: N | UsageFields | MeterEventFields, row: int) -> N:
    """Return one of a bulk with its key. Faults name its row."""
    if isinstance(given, NewUsage | NewMeterEvent):
        made = given
    else:
        try:
            made = kind(**given)
        except ValidationFailed as error:
            faults = [FieldError(f"events.{row}.{fault.path}", fault.message) for fault in error.errors]
            raise ValidationFailed(error.message, errors=faults) from None
        except TypeError as error:
            raise TypeError(f"events.{row}: {error}") from None
    if made.idempotency_key is not None:
        return made
    return msgspec.structs.replace(made, idempotency_key=new_key())
