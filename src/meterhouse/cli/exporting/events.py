"""An event as it is exported: as `GET /v1/events` answers it, wherever it came from."""

from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from meterhouse.model.event import Event
from meterhouse.model.units import written
from meterhouse_sdk import Event as AnsweredEvent

_encode: Final = msgspec.json.Encoder(order="sorted", decimal_format="number").encode
_NONE: Final = "null"
T = TypeVar("T")


class Exported(Struct, frozen=True, rename="camel"):
    """properties: canonical JSON text of an object, or None. duration: milliseconds, every digit.

    From meter_name on: of meter events, None where it was not said.
    """

    event_id: str
    kind: str
    type: str
    customer_ref: str | None
    product_ref: str | None
    units: Decimal
    timestamp: datetime
    received_at: datetime
    idempotency_key: str | None
    properties: str | None
    meter_name: str | None = None
    outcome: str | None = None
    purchase_ref: str | None = None
    description: str | None = None
    duration: str | None = None
    error_message: str | None = None


def stored(event: Event) -> Exported:
    """Make it of an event that was read from the stores."""
    text = bytes(event.properties).decode()
    return _exported(event, None if text == _NONE else text)


def answered(event: AnsweredEvent) -> Exported:
    """Make it of an event that the server answered."""
    return _exported(event, None if event.properties is None else _encode(event.properties).decode())


def _exported(event: Event | AnsweredEvent, properties: str | None) -> Exported:
    return Exported(
        event_id=event.event_id,
        kind=str(event.kind),
        type=event.type,
        customer_ref=event.customer_ref,
        product_ref=event.product_ref,
        units=event.units,
        timestamp=event.timestamp,
        received_at=event.received_at,
        idempotency_key=event.idempotency_key,
        properties=properties,
        meter_name=_said(event.meter_name),
        outcome=_said(event.outcome),
        purchase_ref=_said(event.purchase_ref),
        description=_said(event.description),
        duration=None if (duration := _said(event.duration)) is None else written(duration),
        error_message=_said(event.error_message),
    )


def _said(value: T | UnsetType | None) -> T | None:
    return None if value is UNSET else value
