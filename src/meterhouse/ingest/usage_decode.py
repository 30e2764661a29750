"""Bytes to the bodies of meter events, single and in bulk."""

from decimal import Decimal
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from meterhouse.ingest.decode import check_count, guarded
from meterhouse.ingest.usage_body import MeterEventBody, UsageBody
from meterhouse.model.errors import ValidationFailed

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


def decode_usages(body: bytes) -> list[UsageBody]:
    """Raises ValidationFailed, also for none and for more than 1000."""
    events = _some(guarded(_usages.decode, body).events)
    if len(events) > MAX_BULK_USAGES:
        raise ValidationFailed.of("events", f"must have at most {MAX_BULK_USAGES}; send the rest in another")
    return events


def decode_meter_event(body: bytes) -> MeterEventBody:
    """Raises ValidationFailed: not JSON, or a field of the wrong type."""
    return guarded(_meter_event.decode, body)


def decode_meter_events(body: bytes) -> tuple[str, list[MeterEventBody]]:
    """Return the events, after the name of the list that they were sent in.

    Raises ValidationFailed, also for none; PayloadTooLarge for more than a bulk takes.
    """
    found = guarded(_meter_events.decode, body)
    if found.events is not None and found.records is not None:
        raise ValidationFailed.of("records", "is another name of events; send one of them")
    name = "records" if found.events is None and found.records is not None else "events"
    events = _some(found.events if found.events is not None else found.records, name)
    check_count(len(events))
    return name, events


def _some(events: list[T] | None, name: str = "events") -> list[T]:
    if not events:
        raise ValidationFailed.of(name, "must have at least one event")
    return events
