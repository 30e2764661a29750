"""An event as it is exported: as `GET /v1/events` answers it, wherever it came from."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from meterhouse.model.event import Event
from meterhouse_sdk import Event as AnsweredEvent

_encode: Final = msgspec.json.Encoder(order="sorted", decimal_format="number").encode
_NONE: Final = "null"


class Exported(Struct, frozen=True, rename="camel"):
    """properties: canonical JSON text of an object, or None."""

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
    )
