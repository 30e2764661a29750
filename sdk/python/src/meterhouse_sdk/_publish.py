"""Publishing usage events, one or many. Every event travels with an idempotency key made once."""

import gzip
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from meterhouse_sdk._answers import BulkResult, CreatedEvent, EventResult, read
from meterhouse_sdk._error import FieldError, MeterhouseError
from meterhouse_sdk._errors import UnexpectedAnswer, ValidationFailed
from meterhouse_sdk._new_event import EventFields, NewEvent, to_line
from meterhouse_sdk._protocol import NDJSON, Operation, Request

MAX_BULK_EVENTS: Final = 10_000
MAX_BULK_BYTES: Final = 10 * 1024 * 1024  # before compression
_GZIP_FROM_BYTES: Final = 16 * 1024
_GZIP_LEVEL: Final = 1  # events repeat themselves: the first level gets most of it


def new_key() -> str:
    """Return a new idempotency key: 128 random bits."""
    return secrets.token_urlsafe(16)


def create_event(  # noqa: PLR0913 - the fields of an event
    *,
    type: str,  # noqa: A002 - the field's name everywhere
    customer_ref: str | None = None,
    external_ref: str | None = None,
    units: int | Decimal,
    product_ref: str | None = None,
    timestamp: datetime | None = None,
    idempotency_key: str | None = None,
    properties: Mapping[str, Any] | None = None,  # Any: JSON
) -> Operation[CreatedEvent]:
    """Publish one usage event; when this returns it is stored for good.

    See `NewEvent` for what the fields may hold. Without an idempotency key one is made for the call, so
    that its retries count once; calling again is a new event. To call again for the same event, give a
    key of your own, or pass the error's `events` to `create_events`.

    Raises TypeError for a float as units; ValidationFailed, CustomerNotFound, ProductNotFound,
    IdempotencyConflict, AuthenticationError: not stored.
    Raises Unavailable, after all retries: whether it was stored is unknown.
    """
    event = NewEvent(
        type=type,
        customer_ref=customer_ref,
        external_ref=external_ref,
        units=units,
        product_ref=product_ref,
        timestamp=timestamp,
        idempotency_key=new_key() if idempotency_key is None else idempotency_key,
        properties=properties,
    )
    try:
        reply = yield Request("POST", "/v1/sdk/events", repeatable=True, body=to_line(event))
        return read(reply, CreatedEvent)
    except MeterhouseError as error:
        error.events = (event,)
        raise


def create_events(events: Iterable[NewEvent | EventFields]) -> Operation[BulkResult]:
    """Publish many usage events, in as few requests as 10 000 events and 10 MB each allow.

    An event is stored, a duplicate or rejected, each on its own: look at `rejected` of the result.
    Events without an idempotency key get one for the call, as in `create_event`.

    Raises TypeError, ValidationFailed (path `events.3.units`): an event is malformed, none was sent.
    Raises MeterhouseError otherwise: some may be stored. `error.events` are all events of the call with
    their keys; passing them again gives every result, and none counts twice.
    """
    keyed = tuple(_keyed(_event(given, row)) for row, given in enumerate(events))
    results: list[EventResult] = []
    try:
        for lines in split([to_line(event) for event in keyed]):
            results += yield from publish_lines(lines)
    except MeterhouseError as error:
        error.events = keyed
        raise
    statuses = [result.status for result in results]
    return BulkResult(
        stored=statuses.count("stored"),
        duplicates=statuses.count("duplicate"),
        rejected=statuses.count("rejected"),
        results=tuple(results),
    )


def publish_lines(lines: Sequence[bytes]) -> Operation[tuple[EventResult, ...]]:
    """Publish events as `to_line` wrote them, each with a key, in one request; one result for each."""
    body = b"\n".join(lines)
    encoding = None
    if len(body) >= _GZIP_FROM_BYTES:
        body, encoding = gzip.compress(body, _GZIP_LEVEL, mtime=0), "gzip"
    reply = yield Request(
        "POST",
        "/v1/sdk/events/bulk",
        repeatable=True,
        body=body,
        content_type=NDJSON,
        content_encoding=encoding,
    )
    results = read(reply, BulkResult).results
    if len(results) != len(lines):
        raise UnexpectedAnswer(f"{len(lines)} events were sent, {len(results)} results came back")
    return results


def split(lines: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    """Yield the lines in order, in parts that fit into one request each."""
    start = size_bytes = 0
    for row, line in enumerate(lines):
        size_bytes += len(line) + 1
        if row > start and (size_bytes > MAX_BULK_BYTES or row - start == MAX_BULK_EVENTS):
            yield lines[start:row]
            start, size_bytes = row, len(line) + 1
    if start < len(lines):
        yield lines[start:]


def _event(given: NewEvent | EventFields, row: int) -> NewEvent:
    if isinstance(given, NewEvent):
        return given
    try:
        return NewEvent(**given)
    except ValidationFailed as error:
        faults = [FieldError(f"events.{row}.{fault.path}", fault.message) for fault in error.errors]
        raise ValidationFailed(error.message, errors=faults) from None
    except TypeError as error:
        raise TypeError(f"events.{row}: {error}") from None


def _keyed(event: NewEvent) -> NewEvent:
    if event.idempotency_key is not None:
        return event
    return msgspec.structs.replace(event, idempotency_key=new_key())
