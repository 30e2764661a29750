"""An event to be published, checked where it is made: a fault is found in the line that has it."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypedDict

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

from meterhouse_sdk._error import FieldError
from meterhouse_sdk._errors import ValidationFailed
from meterhouse_sdk._units import exact_units

MAX_TYPE: Final = 128  # characters
MAX_REF: Final = 20
MAX_EXTERNAL_REF: Final = 255
MAX_KEY: Final = 256
MAX_NAMES: Final = 64  # of properties
MAX_NAME: Final = 64
MAX_DEPTH: Final = 4
MAX_PROPERTIES_BYTES: Final = 16 * 1024
_TYPE: Final = re.compile(r"[^.\s\x00-\x1f\x7f-\x9f]+(?:\.[^.\s\x00-\x1f\x7f-\x9f]+)+")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class EventFields(TypedDict, total=False):
    """The fields of one event in `create_events`. `type`, `units`, and one of `customer_ref` and
    `external_ref` are required.
    """

    type: str
    customer_ref: str | None
    external_ref: str | None
    units: int | Decimal
    product_ref: str | None
    timestamp: datetime | None
    idempotency_key: str | None
    properties: Mapping[str, Any] | None  # Any: JSON
    buffered_at: datetime | None


class NewEvent(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One event to publish; frozen, and checked as it is made.

    type: two or more segments separated by dots, e.g. "usage.api_call".
    customer_ref: the customer's ref (`cus_…`). external_ref: your own id for it, 1 to 255 characters. One of
        them is required; both must name the same customer.
    units: how much, 0 to 10^15 with at most 9 decimal places; an int or a Decimal, never a float.
    timestamp: when it happened, an aware datetime; None is buffered_at, or else the time the server
        receives it.
    buffered_at: when it was put aside to be sent later. It is no part of the event's meaning: a repeat with
        another one is the same event.
    idempotency_key: 1 to 256 characters; counts once for ever, however often it is sent.
    properties: what else is known, JSON values: 64 names, 4 levels, 16 kB.

    Raises TypeError: units are a float or no number at all.
    Raises ValidationFailed (a ValueError): a value the server would refuse; `errors` names each field.
    """

    type: str
    customer_ref: str | None = None
    external_ref: str | None = None
    units: int | Decimal
    product_ref: str | None = None
    timestamp: datetime | None = None
    idempotency_key: str | None = None
    properties: Mapping[str, Any] | None = None  # Any: JSON
    buffered_at: datetime | None = None

    def __post_init__(self) -> None:
        faults = [
            FieldError(path, fault)
            for path, fault in (
                ("type", _type_fault(self.type)),
                *customer_faults(self.customer_ref, self.external_ref),
                ("product_ref", self.product_ref is not None and length_fault(self.product_ref, MAX_REF)),
                (
                    "idempotency_key",
                    self.idempotency_key is not None and length_fault(self.idempotency_key, MAX_KEY),
                ),
                ("timestamp", self.timestamp is not None and time_fault(self.timestamp)),
                ("buffered_at", self.buffered_at is not None and time_fault(self.buffered_at)),
                ("properties", self.properties is not None and properties_fault(self.properties)),
            )
            if fault
        ]
        try:
            force_setattr(self, "units", exact_units(self.units))
        except ValueError as error:
            faults.append(FieldError("units", str(error)))
        if faults:
            raise ValidationFailed("Validation failed", errors=faults)
        if self.timestamp is not None:
            force_setattr(self, "timestamp", self.timestamp.astimezone(UTC))
        if self.buffered_at is not None:
            force_setattr(self, "buffered_at", self.buffered_at.astimezone(UTC))


_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_decoder: Final = msgspec.json.Decoder(NewEvent, float_hook=Decimal)


def to_line(event: NewEvent) -> bytes:
    """Return the event as one line of JSON, without the newline: what travels, and what is spooled."""
    return _encoder.encode(event)


def from_line(line: bytes) -> NewEvent | None:
    """Return the event that `to_line` wrote, or None where the line was cut or damaged."""
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _type_fault(text: object) -> str | None:
    if not isinstance(text, str):
        return "must be a str"
    if len(text) <= MAX_TYPE and _TYPE.fullmatch(text):
        return _text_fault(text)
    return (
        "must be two or more segments separated by dots, without white space or control characters, "
        f"at most {MAX_TYPE} characters, e.g. usage.api_call"
    )


def customer_faults(customer_ref: object, external_ref: object) -> Sequence[tuple[str, str | None]]:
    """Return fields with their faults, None for none. Neither of the two given is a fault of customer_ref."""
    if customer_ref is None and external_ref is None:
        return [
            ("customer_ref", "is required: the customer's ref (cus_…); or give external_ref, your own id")
        ]
    fault = None if customer_ref is None else length_fault(customer_ref, MAX_REF)
    return [
        ("customer_ref", fault and f"{fault}; your own id for a customer goes into external_ref"),
        ("external_ref", None if external_ref is None else length_fault(external_ref, MAX_EXTERNAL_REF)),
    ]


def length_fault(text: object, most_characters: int) -> str | None:
    if not isinstance(text, str):
        return "must be a str"
    if not 0 < len(text) <= most_characters:
        return f"must have 1 to {most_characters} characters"
    return _text_fault(text)


def _text_fault(text: str) -> str | None:
    """Half a surrogate pair is a str in Python, but no text in UTF-8."""
    return (
        None if text.isascii() or text.encode("utf-8", "ignore").decode() == text else "must be valid Unicode"
    )


def time_fault(time: object) -> str | None:
    if not isinstance(time, datetime):
        return "must be a datetime"
    if time.utcoffset() is None:
        return "must be aware, e.g. datetime.now(UTC); a naive time could be any of 26 hours"
    return "must not be before 1970-01-01T00:00:00Z" if time < _EPOCH else None


def properties_fault(properties: object) -> str | None:
    if not isinstance(properties, Mapping):
        return "must be a mapping of names to JSON values"
    if len(properties) > MAX_NAMES:
        return f"must have at most {MAX_NAMES} names"
    if fault := _value_fault(properties, 1):
        return fault
    try:
        size_bytes = len(_encoder.encode(properties))
    except (TypeError, ValueError) as error:
        return f"must be JSON: {error}"
    return None if size_bytes <= MAX_PROPERTIES_BYTES else f"must have at most {MAX_PROPERTIES_BYTES} bytes"


def _value_fault(value: object, depth: int) -> str | None:
    """NaN and infinity would travel as null: refused, for nothing is changed in silence."""
    if value is None or isinstance(value, str | int):
        return None
    if isinstance(value, float | Decimal):
        finite = math.isfinite(value) if isinstance(value, float) else value.is_finite()
        return None if finite else "numbers must be finite"
    if not isinstance(value, Mapping | list | tuple):
        return f"must be JSON values, not {type(value).__name__}"
    if depth > MAX_DEPTH:
        return f"must have at most {MAX_DEPTH} levels"
    members = value
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) and 0 < len(name) <= MAX_NAME for name in value):
            return f"names must be str of 1 to {MAX_NAME} characters"
        members = list(value.values())
    return next((fault for member in members if (fault := _value_fault(member, depth + 1))), None)
