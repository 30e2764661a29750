"""Bytes to event bodies. One decode for the whole; only when that fails, one for each event, so that a bad
event costs one receipt and not the bulk.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from meterhouse.ingest.body import EventBody
from meterhouse.ingest.bulk import (
    check_count,
    check_elements,
    check_lines,
    elements_of,
    has_few_elements,
    lines_of,
)
from meterhouse.ingest.complaints import field_error
from meterhouse.model.errors import ValidationFailed
from meterhouse.model.event import Rejection

T = TypeVar("T")


class BulkBody(Struct):
    """Up to 10 000 events; each is stored or refused on its own."""

    events: list[EventBody]


class _Elements(Struct):
    events: list[Raw]


_event: Final = msgspec.json.Decoder(EventBody, float_hook=Decimal)
_bulk: Final = msgspec.json.Decoder(BulkBody, float_hook=Decimal)
_elements: Final = msgspec.json.Decoder(_Elements)


def decode_event(body: bytes) -> EventBody:
    """Raises ValidationFailed: not JSON, or a field of the wrong type."""
    return guarded(_event.decode, body)


def whole_bulk(body: bytes) -> Sequence[EventBody]:
    """Decode `{"events": [...]}`. Raises ValidationFailed for one bad event; PayloadTooLarge."""
    check_elements(body)
    return guarded(_bulk.decode, body).events


def whole_lines(body: bytes) -> Sequence[EventBody]:
    """Decode NDJSON. Raises ValidationFailed for one bad line; PayloadTooLarge."""
    check_lines(body)
    return guarded(_event.decode_lines, body)


def decode_bulk(body: bytes) -> Sequence[EventBody | Rejection]:
    """Decode `{"events": [...]}`. An event that cannot be decoded is one rejection.

    Raises ValidationFailed: the text around the events is not JSON, or `events` is not a list.
    Raises PayloadTooLarge: more events than a bulk takes.
    """
    try:
        return whole_bulk(body)
    except ValidationFailed as error:
        elements = _elements_of(body)
        if elements is None:
            raise error from None
        return _each_alone(elements)


def _elements_of(body: bytes) -> Sequence[bytes | Raw] | None:
    """Return the texts of the events, None as `bulk.elements_of` does, which reads malformed JSON slowly."""
    if has_few_elements(body):
        with suppress(msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return _elements.decode(body).events
    return elements_of(body, "events")


def decode_lines(body: bytes) -> Sequence[EventBody | Rejection]:
    """Decode NDJSON, one event a line; blank lines are skipped. A line that is not JSON is one rejection.

    Raises PayloadTooLarge: more events than a bulk takes.
    """
    try:
        return whole_lines(body)
    except ValidationFailed:
        return _each_alone(lines_of(body))


def _each_alone(texts: Sequence[bytes | Raw]) -> Sequence[EventBody | Rejection]:
    check_count(len(texts))  # before the work of telling each why
    return [_alone(text) for text in texts]


def _alone(text: bytes | Raw) -> EventBody | Rejection:
    try:
        return guarded(_event.decode, text)
    except ValidationFailed as error:
        return Rejection(error.code, error.errors)


def guarded(
    decode: Callable[[bytes | Raw], T],
    body: bytes | Raw,
    of: Any = None,  # Any: a type
) -> T:
    """Return the decoded body. Raises ValidationFailed where `decode` refuses it.

    of: the type that it decodes into, where that has enums.
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
