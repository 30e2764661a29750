"""What `track_usage` and `record_meter_event` publish, checked where it is made."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal, TypedDict

from msgspec import Struct
from msgspec.structs import force_setattr

from meterhouse_sdk._error import FieldError
from meterhouse_sdk._errors import ValidationFailed
from meterhouse_sdk._new_event import (
    MAX_KEY,
    MAX_REF,
    customer_faults,
    length_fault,
    properties_fault,
    time_fault,
)
from meterhouse_sdk._products import encoded
from meterhouse_sdk._units import exact_units

ActionType = Literal["transaction", "api_call", "hour", "email", "storage", "custom"]
Outcome = Literal["success", "paywall", "fail"]
MAX_METER_NAME: Final = 100


class UsageFields(TypedDict, total=False):
    """The fields of one usage in `track_usage_bulk`. One of `customer_ref` and `external_ref` is required."""

    customer_ref: str | None
    external_ref: str | None
    units: int | Decimal
    product_ref: str | None
    meter_name: str | None
    action_type: ActionType
    outcome: Outcome
    purchase_ref: str | None
    description: str | None
    duration: int | Decimal | None
    metadata: Mapping[str, Any] | None  # Any: JSON
    timestamp: datetime | None
    idempotency_key: str | None


class NewUsage(Struct, frozen=True, kw_only=True, rename="camel"):
    """One usage to track; frozen, and checked as it is made.

    customer_ref: the customer's ref (`cus_…`). external_ref: your own id for it, 1 to 255 characters. One of
        them is required; both must name the same customer.
    units: an int or a Decimal; whole, and at most 100 000: settle a hold for more.
    product_ref: without it the usage is seen, and counts for no limit.
    meter_name: None: the one that the customer's plan limits; only what is on that one counts.
    outcome: only "success" consumes; "fail" and "paywall" are seen.
    duration: how long it took, in milliseconds.
    timestamp: when it happened, an aware datetime; None is the time the server receives it.
    metadata: what else is known, JSON values: 64 names, 4 levels, 16 kB.

    Raises TypeError: units are a float or no number at all.
    Raises ValidationFailed (a ValueError): a value the server would refuse; `errors` names each field.
    """

    customer_ref: str | None = None
    external_ref: str | None = None
    units: int | Decimal = 1
    product_ref: str | None = None
    meter_name: str | None = None
    action_type: ActionType = "api_call"
    outcome: Outcome = "success"
    purchase_ref: str | None = None
    description: str | None = None
    duration: int | Decimal | None = None
    metadata: Mapping[str, Any] | None = None  # Any: JSON
    timestamp: datetime | None = None
    idempotency_key: str | None = None

    def __post_init__(self) -> None:
        faults = _faults(self, {"metadata": self.metadata}, {"purchase_ref": self.purchase_ref})
        _take(self, "units", self.units, faults)


class MeterEventFields(TypedDict, total=False):
    """The fields of one event in `record_meter_events`. `meter_name`, and one of `customer_ref` and
    `external_ref` are required.
    """

    meter_name: str
    customer_ref: str | None
    external_ref: str | None
    value: int | Decimal
    product_ref: str | None
    properties: Mapping[str, Any] | None  # Any: JSON
    timestamp: datetime | None
    idempotency_key: str | None


class NewMeterEvent(Struct, frozen=True, kw_only=True, rename="camel"):
    """One event for a named meter; frozen, and checked as it is made.

    value: how much, 0 to 10^15 with at most 9 decimal places; a meter that counts counts 1 whatever it is.
    customer_ref, external_ref, product_ref, timestamp, properties: as in `NewUsage`, where properties are
        called metadata.

    Raises TypeError: the value is a float or no number at all.
    Raises ValidationFailed (a ValueError): a value the server would refuse; `errors` names each field.
    """

    meter_name: str
    customer_ref: str | None = None
    external_ref: str | None = None
    value: int | Decimal = 1
    product_ref: str | None = None
    properties: Mapping[str, Any] | None = None  # Any: JSON
    timestamp: datetime | None = None
    idempotency_key: str | None = None

    def __post_init__(self) -> None:
        faults = _faults(self, {"properties": self.properties}, {})
        _take(self, "value", self.value, faults)


def to_body(published: NewUsage | NewMeterEvent) -> bytes:
    """Return the body that publishes this; what is None is left to the server."""
    names = zip(published.__struct_fields__, published.__struct_encode_fields__, strict=True)
    return encoded(**{wire: getattr(published, name) for name, wire in names})


def _faults(
    said: NewUsage | NewMeterEvent,
    json: Mapping[str, Mapping[str, Any] | None],  # Any: JSON
    refs: Mapping[str, str | None],
) -> list[FieldError]:
    optional = {"product_ref": said.product_ref, **refs}
    checks = [
        *customer_faults(said.customer_ref, said.external_ref),
        *((path, ref is not None and length_fault(ref, MAX_REF)) for path, ref in optional.items()),
        ("meter_name", said.meter_name is not None and length_fault(said.meter_name, MAX_METER_NAME)),
        ("timestamp", said.timestamp is not None and time_fault(said.timestamp)),
        *((path, value is not None and properties_fault(value)) for path, value in json.items()),
        (
            "idempotency_key",
            said.idempotency_key is not None and length_fault(said.idempotency_key, MAX_KEY),
        ),
    ]
    return [FieldError(path, fault) for path, fault in checks if fault]


def _take(
    said: NewUsage | NewMeterEvent, field: str, amount: int | Decimal, faults: list[FieldError]
) -> None:
    """Put the amount and the time into the form in which they are sent; raise what is wrong."""
    try:
        force_setattr(said, field, exact_units(amount))
    except ValueError as error:
        faults.append(FieldError(field, str(error)))
    if faults:
        raise ValidationFailed("Validation failed", errors=faults)
    if said.timestamp is not None:
        force_setattr(said, "timestamp", said.timestamp.astimezone(UTC))
