"""Limits: asking for them, and holds, which reserve what they leave."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, TypedDict, Unpack

from meterhouse_sdk._answers import read
from meterhouse_sdk._error import FieldError
from meterhouse_sdk._errors import ValidationFailed
from meterhouse_sdk._metering_answers import HoldState, LimitCheck, Released, Settled
from meterhouse_sdk._new_event import customer_faults
from meterhouse_sdk._new_usage import ActionType
from meterhouse_sdk._products import encoded
from meterhouse_sdk._protocol import Operation, Request, segment
from meterhouse_sdk._publish import new_key
from meterhouse_sdk._units import exact_units

_LIMITS: Final = "/v1/sdk/limits"
_HOLDS: Final = "/v1/sdk/holds"


class SettleFields(TypedDict, total=False):
    """What may be said of a settlement beside its units; see `NewUsage`."""

    action_type: ActionType
    description: str | None
    duration: int | Decimal | None
    metadata: Mapping[str, Any] | None  # Any: JSON
    idempotency_key: str | None


def check_limits(
    *,
    customer_ref: str | None = None,
    external_ref: str | None = None,
    product_ref: str,
    meter_name: str | None = None,
    include_checkout_session: bool = False,
) -> Operation[LimitCheck]:
    """Return whether the customer may use the product now. Asking consumes nothing, and holds nothing.

    Others may use up what remains before you do; `reserve` and `hold` cannot be overtaken.
    customer_ref: the customer's ref (`cus_…`). external_ref: your own id for it. One of them is required.
    meter_name: decides nothing, the customer's plan does; the answer's says which meter that limits.
    include_checkout_session: where it is denied, open a page where the customer can pay or activate.

    Raises CustomerNotFound, ProductNotFound.
    """
    body = encoded(
        **_customer(customer_ref, external_ref),
        productRef=product_ref,
        meterName=meter_name,
        includeCheckoutSession=include_checkout_session or None,
    )
    return read((yield _post(_LIMITS, body)), LimitCheck)


def reserving(  # noqa: PLR0913 - the parts of a reservation
    *,
    customer_ref: str | None = None,
    external_ref: str | None = None,
    product_ref: str,
    units: int | Decimal,
    ttl_seconds: int = 60,
    meter_name: str | None = None,
    include_checkout_session: bool = True,
    idempotency_key: str | None = None,
) -> Operation[LimitCheck]:
    """Reserve units if they are free; `hold_ref` of the answer says whether they were."""
    body = encoded(
        **_customer(customer_ref, external_ref),
        productRef=product_ref,
        meterName=meter_name,
        includeCheckoutSession=include_checkout_session or None,
        reserve={
            "units": _exact("units", units),
            "ttlSeconds": ttl_seconds,
            "idempotencyKey": new_key() if idempotency_key is None else idempotency_key,
        },
    )
    return read((yield _post(_LIMITS, body)), LimitCheck)


def settle(hold_ref: str, units: int | Decimal, **fields: Unpack[SettleFields]) -> Operation[Settled]:
    """Book what was really used, to 10^15, more or less than was reserved; the rest is free again.

    Settling again answers as the first time, whatever it says. A hold whose time is over is booked too.

    Raises TypeError for a float as units; ValidationFailed, HoldNotFound, HoldReleased: nothing was
    booked. Raises Unavailable: whether it was booked is unknown; call again.
    """
    body = encoded(
        units=_exact("units", units),
        actionType=fields.get("action_type"),
        description=fields.get("description"),
        duration=fields.get("duration"),
        metadata=fields.get("metadata"),
        idempotencyKey=fields.get("idempotency_key"),
    )
    return read((yield _post(f"{_hold_path(hold_ref)}/settle", body)), Settled)


def release(hold_ref: str) -> Operation[Released]:
    """Give a hold back unused; again is a no-op. Raises HoldNotFound, HoldSettled."""
    return read((yield _post(f"{_hold_path(hold_ref)}/release", b"{}")), Released)


def get_hold(hold_ref: str) -> Operation[HoldState]:
    """Return a hold as it stands. Raises HoldNotFound."""
    return read((yield Request("GET", _hold_path(hold_ref), repeatable=True)), HoldState)


def _customer(customer_ref: str | None, external_ref: str | None) -> dict[str, str | None]:
    """Return the fields that name the customer. Raises ValidationFailed."""
    found = customer_faults(customer_ref, external_ref)
    faults = [FieldError(path, fault) for path, fault in found if fault]
    if faults:
        raise ValidationFailed("Validation failed", errors=faults)
    return {"customerRef": customer_ref, "externalRef": external_ref}


def _post(path: str, body: bytes) -> Request:
    return Request("POST", path, repeatable=True, body=body)  # a question, or the same when it comes again


def _hold_path(hold_ref: str) -> str:
    return f"{_HOLDS}/{segment(hold_ref)}"


def _exact(field: str, units: int | Decimal) -> int | Decimal:
    try:
        return exact_units(units)
    except ValueError as error:
        raise ValidationFailed("Validation failed", errors=[FieldError(field, str(error))]) from None
