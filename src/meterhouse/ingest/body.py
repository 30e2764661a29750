"""What a client may send for one usage event, and the pure checks that turn it into a row.

Contract: solvapay.md §3.0 (both historical bodies); limits: design §6. Unknown keys are ignored.
"""

from collections.abc import Container
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from meterhouse.ingest.properties import read_properties
from meterhouse.model import units
from meterhouse.model.errors import FieldError
from meterhouse.model.event import EPOCH, Columns, Rejection, to_microseconds
from meterhouse.model.once import key_fault
from meterhouse.model.ref import MAX_CHARACTERS as MAX_REF
from meterhouse.model.units import Amount, JsonObject

MAX_TYPE: Final = 128
MAX_AHEAD: Final = timedelta(hours=24)
_FRACTION_DIGITS: Final = 6


class EventBody(Struct, rename="camel", gc=False):
    """A usage event as it arrives. Everything is optional here, so that one answer names every fault."""

    type: str | None = None
    customer_ref: str | None = None
    customer_id: str | None = None
    product_ref: str | None = None
    product_reference: str | None = None
    units: Amount = UNSET
    timestamp: str | None = None
    idempotency_key: str | None = None
    properties: JsonObject | UnsetType = UNSET


class Rules(Struct):
    """What the checks compare with: the scope's refs and the server's clock."""

    customers: Container[str]
    products: Container[str]
    latest: datetime
    known_types: dict[str, bool]


def read_event(  # noqa: C901, PLR0912 - one branch for each field, in the order of the fields
    body: EventBody, key: str | None, rules: Rules, columns: Columns
) -> Rejection | None:
    """Append the event to `columns`, or return why it is refused and leave them untouched.

    key: the idempotency key from the request's header, where there is one; the body's wins.
    """
    errors: list[FieldError] = []
    type_ = body.type
    if type_ is None or not is_type(type_, rules.known_types):
        errors.append(FieldError("type", _TYPE if type_ else "is required, e.g. usage.api_call"))

    customer_ref = body.customer_ref if body.customer_ref is not None else body.customer_id
    if not customer_ref or len(customer_ref) > MAX_REF:
        errors.append(_ref_error("customerRef", customer_ref))
    elif body.customer_id not in (None, customer_ref):
        errors.append(FieldError("customerId", "differs from customerRef; send one of them"))

    product_ref = body.product_ref if body.product_ref is not None else body.product_reference
    if product_ref is not None:
        if not product_ref or len(product_ref) > MAX_REF:
            errors.append(_ref_error("productRef", product_ref))
        elif body.product_reference not in (None, product_ref):
            errors.append(FieldError("productReference", "differs from productRef; send one"))

    amount = units.split(body.units) if body.units is not UNSET else _REQUIRED
    if isinstance(amount, str):
        errors.append(FieldError("units", amount))

    timestamp: int | str | None = None
    if body.timestamp is not None:
        timestamp = read_timestamp(body.timestamp, rules.latest)
        if isinstance(timestamp, str):
            errors.append(FieldError("timestamp", timestamp))

    if fault := key_fault(body.idempotency_key, key):
        errors.append(FieldError("idempotencyKey", fault))
    key = body.idempotency_key if body.idempotency_key is not None else key

    properties: str | None = None
    if body.properties is not UNSET:
        found = read_properties(bytes(body.properties))
        if isinstance(found, FieldError):
            errors.append(found)
        else:
            properties = found

    if errors:
        return Rejection("validation_failed", tuple(errors))
    if customer_ref not in rules.customers:
        return _unknown("customer", "customerRef", customer_ref)
    if product_ref is not None and product_ref not in rules.products:
        return _unknown("product", "productRef", product_ref)

    assert type_ and customer_ref and not isinstance(amount, str) and not isinstance(timestamp, str)  # noqa: S101, PT018 - each was checked above
    columns.type.append(type_)
    columns.customer_ref.append(customer_ref)
    columns.product_ref.append(product_ref)
    columns.units_whole.append(amount[0])
    columns.units_nano.append(amount[1])
    columns.timestamp.append(timestamp)
    columns.idempotency_key.append(key)
    columns.properties.append(properties)
    return None


def read_timestamp(text: str, latest: datetime) -> int | str:
    """Return microseconds since 1970, or why the time is refused.

    RFC 3339 with an offset, from 1970 to `latest`. Digits beyond microseconds are refused unless
    they are zeros, since they would have to be rounded.
    """
    try:
        time = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return "must be an RFC 3339 time with an offset, e.g. 2026-11-01T00:00:00Z"
    if time.tzinfo is None:
        return "must carry an offset (Z or +01:00); a local time could be any of 26 hours"
    if len(text) > _LONGEST_EXACT and not _is_exact(text):
        return f"must have at most {_FRACTION_DIGITS} fractional digits; more would be rounded"
    if time < EPOCH:
        return "must not be before 1970-01-01T00:00:00Z"
    if time > latest:
        return "must be at most 24 hours ahead of the server's clock"
    return to_microseconds(time)


_LONGEST_EXACT = len("2026-11-01T00:00:00.123456Z")
_REQUIRED = "is required: how much was consumed, 0 or more"
_TYPE = (
    "must be two or more segments separated by dots, without white space or control characters, "
    f"at most {MAX_TYPE} characters, e.g. usage.api_call"
)


def _unknown(what: str, path: str, ref: str | None) -> Rejection:
    sentence = f"{what.capitalize()} with reference {ref} not found"
    return Rejection(f"{what}_not_found", (FieldError(path, sentence),))


def is_type(text: str, known: dict[str, bool]) -> bool:
    """Whether a type is well formed; remembers those that are, for there are few and they recur."""
    if text in known:
        return True
    segments = text.split(".")
    good = (
        len(text) <= MAX_TYPE
        and len(segments) > 1
        and all(segments)
        # isprintable() is false for separators and control characters, true for a plain space.
        and not any(c.isspace() or _is_control(c) for c in text)
    )
    if good:
        if len(known) > 10_000:
            known.clear()
        known[text] = True
    return good


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"


def _is_exact(text: str) -> bool:
    """Whether the fraction's digits after the sixth are zeros."""
    fraction = text.partition(".")[2]
    digits = fraction[: len(fraction) - len(fraction.lstrip("0123456789"))]
    return not digits[_FRACTION_DIGITS:].strip("0")


def _ref_error(path: str, ref: str | None) -> FieldError:
    if not ref:
        return FieldError(path, "is required" if ref is None else "must not be empty")
    return FieldError(path, f"must have at most {MAX_REF} characters")
