"""Bytes to event bodies. One decode for the whole; only when that fails, one for each event, so that
a bad event costs one receipt and not the batch.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from meterhouse.ingest.body import EventBody
from meterhouse.ingest.complaints import field_error
from meterhouse.model.errors import PayloadTooLarge, ValidationFailed
from meterhouse.model.event import Rejection

T = TypeVar("T")


MAX_BULK_EVENTS: Final = 10_000


class BulkBody(Struct):
    """Up to 10 000 events; each is stored or refused on its own."""

    events: list[EventBody]


class _Envelope(Struct):
    events: list[Raw]


_event: Final = msgspec.json.Decoder(EventBody, float_hook=Decimal)
_bulk: Final = msgspec.json.Decoder(BulkBody, float_hook=Decimal)
_envelope: Final = msgspec.json.Decoder(_Envelope)


def decode_event(body: bytes) -> EventBody:
    """Raises ValidationFailed: not JSON, or a field of the wrong type."""
    return guarded(_event.decode, body)


def decode_bulk(body: bytes) -> Sequence[EventBody | Rejection]:
    """Decode `{"events": [...]}`. Raises ValidationFailed: not JSON, or `events` is not a list."""
    try:
        return guarded(_bulk.decode, body).events
    except ValidationFailed:
        return _each_alone(guarded(_envelope.decode, body).events)


def decode_lines(body: bytes) -> Sequence[EventBody | Rejection]:
    """Decode NDJSON, one event a line; blank lines are skipped. A line that is not JSON is one rejection."""
    try:
        return guarded(_event.decode_lines, body)
    except ValidationFailed:
        return _each_alone([line for line in body.splitlines() if line.strip()])


def _each_alone(raws: Sequence[Raw] | Sequence[bytes]) -> Sequence[EventBody | Rejection]:
    check_count(len(raws))  # before the work of telling each why
    return [_alone(raw) for raw in raws]


def check_count(events: int) -> None:
    """Raises PayloadTooLarge for more events than a bulk takes."""
    if events > MAX_BULK_EVENTS:
        raise PayloadTooLarge(f"A bulk takes at most {MAX_BULK_EVENTS} events, not {events}; send less.")


def _alone(raw: Raw | bytes) -> EventBody | Rejection:
    try:
        return guarded(_event.decode, raw)
    except ValidationFailed as error:
        return Rejection(error.code, error.errors)


def guarded(
    decode: Callable[[Raw | bytes], T],
    body: Raw | bytes,
    of: Any = None,  # Any: a type
) -> T:
    """Return what `decode` makes of a body. Raises ValidationFailed for whatever it cannot take.

    of: what it decodes into, where that has enums.
    """
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        raise ValidationFailed((field_error(str(error), of),)) from None
    except msgspec.DecodeError as error:
        if not bytes(body).strip():
            raise ValidationFailed.of("", "a JSON body is required") from None
        raise ValidationFailed.of("", f"The body is not valid JSON: {error}") from None
    except RecursionError:
        raise ValidationFailed.of("", "The body is nested too deeply") from None
    except ArithmeticError:  # Decimal has no room for the exponent
        raise ValidationFailed.of("", "A number in the body has an exponent beyond all bounds") from None
    except UnicodeDecodeError:
        raise ValidationFailed.of("", "The body is not valid UTF-8") from None
