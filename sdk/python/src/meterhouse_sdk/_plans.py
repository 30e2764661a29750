"""Plans, purchases, credits, and the pages where customers buy. Writes carry a key made once for the call."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from meterhouse_sdk._answers import read
from meterhouse_sdk._plans_answers import (
    Activation,
    Balance,
    ChangedPurchase,
    CheckoutSession,
    CustomerSession,
    Grant,
    Plan,
    PlanPage,
    Purchase,
    Purchases,
    UserInfo,
)
from meterhouse_sdk._products import encoded
from meterhouse_sdk._protocol import Operation, Request, segment
from meterhouse_sdk._publish import new_key
from meterhouse_sdk._questions import written_time

PlanType = Literal["recurring", "usage-based", "hybrid", "one-time"]
BillingCycle = Literal["weekly", "monthly", "quarterly", "yearly", "custom"]
_CUSTOMERS: Final = "/v1/sdk/customers"
_PURCHASES: Final = "/v1/sdk/purchases"


def list_plans(product_ref: str, *, limit: int = 50, offset: int = 0) -> Operation[PlanPage]:
    """Return a product's plans, but for the hidden ones. Raises ProductNotFound."""
    params = (("limit", str(limit)), ("offset", str(offset)))
    return read((yield Request("GET", _plans(product_ref), repeatable=True, params=params)), PlanPage)


def create_plan(  # noqa: PLR0913 - the fields of a plan
    product_ref: str,
    *,
    name: str,
    type: PlanType = "recurring",  # noqa: A002 - the field's name everywhere
    price: int | None = None,
    currency: str | None = None,
    billing_cycle: BillingCycle | None = None,
    billing_model: Literal["pre-paid", "post-paid"] | None = None,
    credits_per_unit: int | None = None,
    free_units: int | None = None,
    limit: int | None = None,
    default: bool | None = None,
    more: Mapping[str, Any] | None = None,  # Any: JSON
    idempotency_key: str | None = None,
) -> Operation[Plan]:
    """Create a plan of a product. Who bought a plan keeps it as it was.

    price: in minor units (cents). limit: units in a period, 0 for any number.
    default: who has no plan gets this one where it is free, and is offered it where it is by usage.
    more: fields that are not named here, as the API calls them, e.g. {"trialDays": 14}.

    Raises ProductNotFound, ValidationFailed: nothing was written.
    """
    body = encoded(
        name=name,
        type=type,
        price=price,
        currency=currency,
        billingCycle=billing_cycle,
        billingModel=billing_model,
        creditsPerUnit=credits_per_unit,
        freeUnits=free_units,
        limit=limit,
        default=default,
        **(more or {}),
    )
    return read((yield _write(_plans(product_ref), body, idempotency_key)), Plan)


def activate_plan(*, customer_ref: str, product_ref: str, plan_ref: str) -> Operation[Activation]:
    """Give a customer a plan, instead of another one of this product; `status` says whether they have it.

    What has to be paid first is "payment_required" or "topup_required", and not an error.
    """
    body = encoded(customerRef=customer_ref, productRef=product_ref, planRef=plan_ref)
    return read((yield _write("/v1/sdk/activate", body)), Activation)


def list_purchases(
    *,
    customer_ref: str | None = None,
    product_ref: str | None = None,
    status: str | None = None,
    include_free: bool = True,
) -> Operation[Sequence[Purchase]]:
    """Return purchases. include_free: also those of free plans."""
    named = (("customerRef", customer_ref), ("productRef", product_ref), ("status", status))
    params = [(name, text) for name, text in named if text is not None]
    params += [] if include_free else [("includeFree", "false")]
    reply = yield Request("GET", _PURCHASES, repeatable=True, params=tuple(params))
    return read(reply, Purchases).purchases


def cancel_purchase(purchase_ref: str, *, reason: str | None = None) -> Operation[Purchase]:
    """End a purchase, a recurring one at the end of its period. Until then it gives access.

    Raises PurchaseNotFound, PurchaseNotCancellable.
    """
    return read(
        (yield _write(f"{_purchase(purchase_ref)}/cancel", encoded(reason=reason))), ChangedPurchase
    ).purchase


def reactivate_purchase(purchase_ref: str) -> Operation[Purchase]:
    """Take a cancellation back before the purchase ends. Raises PurchaseNotFound, PurchaseNotReactivable."""
    return read((yield _write(f"{_purchase(purchase_ref)}/reactivate")), ChangedPurchase).purchase


def get_balance(customer_ref: str) -> Operation[Balance]:
    """Return a customer's credits. Raises CustomerNotFound."""
    return read((yield Request("GET", f"{_customer(customer_ref)}/balance", repeatable=True)), Balance)


def grant_credits(
    customer_ref: str,
    *,
    credits: int,  # noqa: A002 - the field's name everywhere
    reason: str | None = None,
    expires_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Operation[Grant]:
    """Give a customer credits, 1 or more; without a key of yours each call gives more.

    expires_at: an aware time in the future; None for credits that never expire.
    Raises CustomerNotFound, ValidationFailed, IdempotencyConflict: nothing was given. Raises ValueError: the
    time is naive.
    """
    expires = None if expires_at is None else written_time("expires_at", expires_at)
    body = encoded(credits=credits, reason=reason, expiresAt=expires)
    return read((yield _write(f"{_customer(customer_ref)}/credits", body, idempotency_key)), Grant)


def user_info(*, customer_ref: str, product_ref: str) -> Operation[UserInfo]:
    """Return what a customer may be shown of themselves. Raises CustomerNotFound, ProductNotFound."""
    body = encoded(customerRef=customer_ref, productRef=product_ref)
    return read((yield Request("POST", "/v1/sdk/user-info", repeatable=True, body=body)), UserInfo)


def create_checkout_session(
    *,
    customer_ref: str,
    product_ref: str | None = None,
    plan_ref: str | None = None,
    purpose: Literal["credit_topup"] | None = None,
    return_url: str | None = None,
) -> Operation[CheckoutSession]:
    """Open a page where the customer buys a plan of the product, or credits with purpose "credit_topup".

    plan_ref: None lets them choose. return_url: where they go afterwards.
    """
    body = encoded(
        customerRef=customer_ref,
        productRef=product_ref,
        planRef=plan_ref,
        purpose=purpose,
        returnUrl=return_url,
    )
    return read((yield _write("/v1/sdk/checkout-sessions", body)), CheckoutSession)


def create_customer_session(
    *, customer_ref: str, product_ref: str | None = None
) -> Operation[CustomerSession]:
    """Open a page where the customer manages what they have. Raises CustomerNotFound."""
    body = encoded(customerRef=customer_ref, productRef=product_ref)
    return read((yield _write(f"{_CUSTOMERS}/customer-sessions", body)), CustomerSession)


def _write(path: str, body: bytes = b"{}", key: str | None = None) -> Request:
    return Request("POST", path, repeatable=True, body=body, idempotency_key=key or new_key())


def _plans(product_ref: str) -> str:
    return f"/v1/sdk/products/{segment(product_ref)}/plans"


def _purchase(purchase_ref: str) -> str:
    return f"{_PURCHASES}/{segment(purchase_ref)}"


def _customer(customer_ref: str) -> str:
    return f"{_CUSTOMERS}/{segment(customer_ref)}"
