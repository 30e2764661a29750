"""Bytes to the bodies of meter events, single and in bulk."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from meterhouse.ingest.bulk import check_count, check_elements, elements_of
from meterhouse.ingest.decode import guarded
from meterhouse.ingest.usage_body import MeterEventBody, UsageBody
from meterhouse.model.errors import FieldError, PayloadTooLarge, ValidationFailed

MAX_BULK_USAGES: Final = 1_000
T = TypeVar("T")


class BulkUsageBody(Struct):
    """1 to 1000 usage records: all are stored, or none."""

    events: list[UsageBody] | None = None


class BulkMeterBody(Struct):
    """Meter events: all are stored, or none. records: what prose calls events (contract §0.1 row 7)."""

    events: list[MeterEventBody] | None = None
    records: list[MeterEventBody] | None = None


_usage: Final = msgspec.json.Decoder(UsageBody, float_hook=Decimal)
_usages: Final = msgspec.json.Decoder(BulkUsageBody, float_hook=Decimal)
_meter_event: Final = msgspec.json.Decoder(MeterEventBody, float_hook=Decimal)
_meter_events: Final = msgspec.json.Decoder(BulkMeterBody, float_hook=Decimal)


def decode_usage(body: bytes) -> UsageBody:
    """Raises ValidationFailed: not JSON, or a field of the wrong type."""
    return guarded(_usage.decode, body)


def decode_usages(body: bytes, *, explain: bool = True) -> list[UsageBody]:
    """Raises ValidationFailed, also for none and for more than 1000.

    explain: name each event that is not valid JSON, which can take a second.
    """
    try:
        events = _some(_whole(_usages.decode, body, _usage.decode if explain else None).events)
    except PayloadTooLarge:
        raise _too_many_usages() from None
    if len(events) > MAX_BULK_USAGES:
        raise _too_many_usages()
    return events


def _too_many_usages() -> ValidationFailed:
    return ValidationFailed.of("events", f"must have at most {MAX_BULK_USAGES}; send the rest in another")


def decode_meter_event(body: bytes) -> MeterEventBody:
    """Raises ValidationFailed: not JSON, or a field of the wrong type."""
    return guarded(_meter_event.decode, body)


def decode_meter_events(body: bytes, *, explain: bool = True) -> tuple[str, list[MeterEventBody]]:
    """Return the events, after the name of the list that they were sent in. explain: see `decode_usages`.

    Raises ValidationFailed, also for none; PayloadTooLarge for more than a bulk takes.
    """
    found = _whole(_meter_events.decode, body, _meter_event.decode if explain else None)
    if found.events is not None and found.records is not None:
        raise ValidationFailed.of("records", "is another name of events; send one of them")
    name = "records" if found.events is None and found.records is not None else "events"
    events = _some(found.events if found.events is not None else found.records, name)
    check_count(len(events))
    return name, events


def _whole(decode: Callable[[bytes], T], body: bytes, one: Callable[[bytes], object] | None) -> T:
    """Return the decoded bulk. Raises ValidationFailed, which names the events that `one` cannot decode.

    Raises PayloadTooLarge for more events than any bulk takes, before it decodes them.
    """
    check_elements(body)
    try:
        return guarded(decode, body)
    except ValidationFailed as error:
        if one is None or error.errors[0].path:  # it names its field
            raise
        faults = [fault for name in ("events", "records") for fault in _faults(body, name, one)]
        raise (ValidationFailed(faults) if faults else error) from None


def _faults(body: bytes, name: str, decode: Callable[[bytes], object]) -> Iterator[FieldError]:
    for row, text in enumerate(elements_of(body, name) or ()):
        try:
            guarded(decode, text)
        except ValidationFailed as error:
            for fault in error.errors:
                yield FieldError(f"{name}.{row}.{fault.path}".removesuffix("."), fault.message)


def _some(events: list[T] | None, name: str = "events") -> list[T]:
    if not events:
        raise ValidationFailed.of(name, "must have at least one event")
    return events
