"""The body of one usage event, and the pure checks that turn it into a row.

Contract: solvapay.md §3.0 (both historical bodies); limits: design §6. Unknown keys are ignored.
"""

from collections.abc import Container, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from meterhouse.ingest.fields import Fields
from meterhouse.model.errors import CustomerNotFound, FieldError
from meterhouse.model.event import Columns, Rejection
from meterhouse.model.ref import is_unknown_external
from meterhouse.model.units import NANO, Amount, JsonObject

MAX_AHEAD: Final = timedelta(hours=24)


class EventBody(Struct, rename="camel", gc=False):
    """A usage event as it arrives. Every field is optional here, so that one answer names every fault.

    bufferedAt: the SDK's own time of an event that waited; no part of the event's meaning (design §6.1).
    actionType: of clients that send no type. The type is then `usage.<actionType>`, and units default to 1.
    """

    type: str | None = None
    customer_ref: str | None = None
    customer_id: str | None = None
    external_ref: str | None = None
    product_ref: str | None = None
    product_reference: str | None = None
    units: Amount = UNSET
    timestamp: str | None = None
    buffered_at: str | None = None
    idempotency_key: str | None = None
    properties: JsonObject | UnsetType = UNSET
    action_type: str | None = None


class Rules(Struct):
    """The facts that the checks compare with: the scope's refs and the server's clock.

    externals: the customer's ref of each external ref that the bodies name and that exists.
    latest: the newest time an event may have. known_types: see `Fields.type`.
    """

    customers: Container[str]
    products: Container[str]
    latest: datetime
    known_types: dict[str, bool]
    externals: Mapping[str, str] = {}


def read_event(  # noqa: C901 - one branch for each field
    body: EventBody, key: str | None, rules: Rules, columns: Columns
) -> Rejection | None:
    """Append the event to `columns`, or return why it is refused and leave them untouched.

    key: the idempotency key from the request's header, where there is one; the body's wins.
    """
    fields = Fields(rules.externals)
    type_, customer_ref, product_ref = body.type or "", body.customer_ref or "", body.product_ref
    timestamp = buffered_at = properties = None
    # Checks that known names and absent fields pass are left out: they take a third of an event's time.
    if type_ not in rules.known_types:
        type_ = fields.type(body.type, body.action_type, rules.known_types)
    if customer_ref not in rules.customers or body.customer_id is not None or body.external_ref is not None:
        customer_ref = fields.customer(body)
    if body.product_reference is not None or (product_ref is not None and product_ref not in rules.products):
        product_ref = fields.product(body)
    default_units = NANO if body.type is None and body.action_type is not None else None
    whole, nano = fields.units("units", body.units, default_units)
    if body.timestamp is not None:
        timestamp = fields.time("timestamp", body.timestamp, rules.latest)
    if body.buffered_at is not None:
        buffered_at = fields.time("bufferedAt", body.buffered_at, rules.latest)
    if body.idempotency_key is not None or key is not None:
        key = fields.key(body.idempotency_key, key)
    if body.properties is not UNSET:
        properties = fields.properties("properties", body.properties)
    if fields.faults:
        return Rejection("validation_failed", tuple(fields.faults))
    if customer_ref not in rules.customers:
        path = "externalRef" if is_unknown_external(customer_ref) else "customerRef"
        return Rejection(
            "customer_not_found", (FieldError(path, CustomerNotFound.sentence_of(customer_ref)),)
        )
    if product_ref is not None and product_ref not in rules.products:
        sentence = f"Product with reference {product_ref} not found"
        return Rejection("product_not_found", (FieldError("productRef", sentence),))
    if timestamp is None and buffered_at is not None:
        columns.set_buffered(buffered_at)
    columns.type.append(type_)
    columns.customer_ref.append(customer_ref)
    columns.product_ref.append(product_ref)
    columns.units_whole.append(whole)
    columns.units_nano.append(nano)
    columns.timestamp.append(timestamp)
    columns.idempotency_key.append(key)
    columns.properties.append(properties)
    return None
