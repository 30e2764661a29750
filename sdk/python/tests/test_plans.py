"""Plans, purchases and credits: what is asked, and the contract's answers read."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from meterhouse_sdk import (
    ExpiringCredits,
    Meterhouse,
    PlanNotFound,
    PurchaseNotCancellable,
    PurchaseNotFound,
    PurchaseNotReactivable,
)
from sdk.python.tests.stand_in import blocking, problem

PLAN = {
    "type": "usage-based",
    "reference": "pln_1",
    "name": "Pay as you go",
    "price": 0,
    "currency": "USD",
    "pricingOptions": [{"currency": "USD", "price": 0, "default": True}],
    "freeUnits": 0,
    "billingModel": "pre-paid",
    "creditsPerUnit": 10,
    "limits": {},
    "features": {},
    "requiresPayment": True,
    "hidden": False,
    "isActive": True,
    "status": "active",
    "createdAt": "2026-07-01T00:00:00.000Z",
}
PURCHASE = {
    "reference": "pur_1",
    "customerRef": "cus_1",
    "customerEmail": "a@b.se",
    "productRef": "prd_1",
    "planSnapshot": {
        "reference": "pln_1",
        "price": 2999,
        "currency": "USD",
        "planType": "recurring",
        "features": None,
        "limit": 5000,
    },
    "status": "active",
    "amount": 2999,
    "currency": "USD",
    "exchangeRate": 1,
    "startDate": "2026-07-01T00:00:00.000Z",
    "usage": {"used": 150, "overageUnits": 0, "overageCost": 0, "periodEnd": "2026-07-31T00:00:00.000Z"},
    "isRecurring": True,
    "autoRenew": False,
    "createdAt": "2026-07-01T00:00:00.000Z",
    "cancelledAt": "2026-07-10T00:00:00.000Z",
}
BALANCE = {
    "customerRef": "cus_1",
    "credits": 420000,
    "displayCurrency": "USD",
    "creditsPerMinorUnit": 100,
    "displayExchangeRate": 1,
    "display": {
        "amountMajor": 42,
        "currency": "USD",
        "formatted": "$42.00",
        "exchangeRate": 1,
        "rateSource": "parity",
    },
}
INFO = {
    "status": "Active subscription: API (25% usage consumed)",
    "verifyUrl": "http://h/customer?id=1",
    "user": {"reference": "cus_1", "name": None, "email": "a@b.se", "externalRef": "u"},
    "purchase": {
        "reference": "pur_1",
        "status": "active",
        "productName": "API",
        "planType": "recurring",
        "startDate": "2026-07-01T00:00:00.000Z",
        "endDate": None,
        "usage": {"total": 1000, "used": 250, "remaining": 750, "meterRef": "mtr_1", "percentUsed": 25},
        "plan": {
            "reference": "pln_1",
            "price": 2999,
            "currency": "USD",
            "type": "recurring",
            "features": None,
        },
    },
}
ACTIVATED = {"status": "activated", "purchaseRef": "pur_1", "creditBalance": 0, "creditsPerUnit": 10}
Call = Callable[[Meterhouse], object]


def asked(answer: object, call: Call) -> tuple[object, httpx.Request]:
    seen: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=answer)

    return call(blocking(server)[0]), seen[0]


def sent(answer: object, call: Call) -> tuple[str, dict[str, Any]]:  # Any: JSON
    request = asked(answer, call)[1]
    assert request.headers["idempotency-key"]
    return f"{request.method} {request.url.path}", json.loads(request.content)


def test_plans_are_listed_and_made() -> None:
    page = {"plans": [PLAN], "total": 1, "limit": 50, "offset": 0}
    client, _ = blocking(lambda _: httpx.Response(200, json=page))
    (plan,) = client.list_plans("prd_1").plans
    assert (plan.reference, plan.type, plan.credits_per_unit) == ("pln_1", "usage-based", 10)
    made = sent(
        PLAN,
        lambda client: client.create_plan("prd_1", name="Pro", price=2999, limit=5, more={"trialDays": 14}),
    )
    assert made[0] == "POST /v1/sdk/products/prd_1/plans"
    assert made[1] == {"name": "Pro", "type": "recurring", "price": 2999, "limit": 5, "trialDays": 14}


def test_a_plan_is_activated() -> None:
    def call(client: Meterhouse) -> object:
        return client.activate_plan(customer_ref="cus_1", product_ref="prd_1", plan_ref="pln_1")

    body = {"customerRef": "cus_1", "productRef": "prd_1", "planRef": "pln_1"}
    assert sent(ACTIVATED, call) == ("POST /v1/sdk/activate", body)
    found = blocking(lambda _: httpx.Response(200, json=ACTIVATED))[0].activate_plan(
        customer_ref="cus_1", product_ref="prd_1", plan_ref="pln_1"
    )
    assert (found.status, found.purchase_ref, found.checkout_url) == ("activated", "pur_1", None)


def test_purchases_are_listed_cancelled_and_reactivated() -> None:
    def listing(client: Meterhouse) -> object:
        return client.list_purchases(customer_ref="cus_1", status="active", include_free=False)

    request = asked({"purchases": [PURCHASE]}, listing)[1]
    assert dict(request.url.params) == {"customerRef": "cus_1", "status": "active", "includeFree": "false"}
    client, _ = blocking(lambda _: httpx.Response(200, json={"purchases": [PURCHASE]}))
    (purchase,) = client.list_purchases()
    assert purchase.plan_snapshot is not None
    assert purchase.usage is not None
    assert purchase.plan_snapshot.limit == 5000
    assert purchase.usage.used == 150
    assert purchase.cancelled_at is not None
    changed = {"success": True, "purchase": PURCHASE}
    assert sent(changed, lambda client: client.cancel_purchase("pur_1", reason="dear")) == (
        "POST /v1/sdk/purchases/pur_1/cancel",
        {"reason": "dear"},
    )
    assert sent(changed, lambda client: client.reactivate_purchase("pur_1")) == (
        "POST /v1/sdk/purchases/pur_1/reactivate",
        {},
    )


def test_credits_are_read_and_granted() -> None:
    balance = blocking(lambda _: httpx.Response(200, json=BALANCE))[0].get_balance("cus_1")
    assert balance.credits == 420000
    assert balance.display is not None
    assert balance.display.formatted == "$42.00"
    grant = {"success": True, "customerRef": "cus_1", "credits": 500, "balance": 700}
    path, body = sent(grant, lambda client: client.grant_credits("cus_1", credits=500, reason="hello"))
    assert (path, body) == ("POST /v1/sdk/customers/cus_1/credits", {"credits": 500, "reason": "hello"})
    request = asked(grant, lambda client: client.grant_credits("cus_1", credits=5, idempotency_key="k"))[1]
    assert request.headers["idempotency-key"] == "k"


def test_credits_that_expire_are_granted_and_read() -> None:
    until = datetime(2027, 3, 1, tzinfo=UTC)
    expiring = BALANCE | {"expiring": [{"credits": 500, "expiresAt": "2027-03-01T00:00:00.000Z"}]}
    client = blocking(lambda _: httpx.Response(200, json=expiring))[0]
    assert client.get_balance("cus_1").expiring == (ExpiringCredits(credits=500, expires_at=until),)
    answer = {"customerRef": "cus_1", "credits": 5, "balance": 5, "expiresAt": "2027-03-01T00:00:00.000Z"}
    _, body = sent(answer, lambda client: client.grant_credits("cus_1", credits=5, expires_at=until))
    assert body == {"credits": 5, "expiresAt": "2027-03-01T00:00:00+00:00"}
    client = blocking(lambda _: httpx.Response(200, json=answer))[0]
    assert client.grant_credits("cus_1", credits=5, expires_at=until).expires_at == until
    with pytest.raises(ValueError, match="expires_at must be aware"):
        client.grant_credits("cus_1", credits=5, expires_at=until.replace(tzinfo=None))


def test_what_a_customer_may_be_shown_is_read() -> None:
    client, _ = blocking(lambda _: httpx.Response(200, json=INFO))
    info = client.user_info(customer_ref="cus_1", product_ref="prd_1")
    assert info.purchase is not None
    assert info.purchase.usage is not None
    assert info.purchase.usage.remaining == 750
    client, _ = blocking(lambda _: httpx.Response(200, json={"status": "No active purchase"}))
    assert client.user_info(customer_ref="cus_1", product_ref="prd_1").purchase is None


def test_pages_are_opened() -> None:
    assert sent(
        {"sessionId": "s", "checkoutUrl": "http://pay"},
        lambda client: client.create_checkout_session(customer_ref="cus_1", purpose="credit_topup"),
    ) == ("POST /v1/sdk/checkout-sessions", {"customerRef": "cus_1", "purpose": "credit_topup"})
    assert sent(
        {"sessionId": "s", "customerUrl": "http://manage"},
        lambda client: client.create_customer_session(customer_ref="cus_1"),
    ) == ("POST /v1/sdk/customers/customer-sessions", {"customerRef": "cus_1"})


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "plan_not_found", PlanNotFound),
        (404, "purchase_not_found", PurchaseNotFound),
        (400, "purchase_not_cancellable", PurchaseNotCancellable),
        (400, "purchase_not_reactivable", PurchaseNotReactivable),
    ],
)
def test_refusals_have_names(status: int, code: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        blocking(lambda _: problem(status, code))[0].cancel_purchase("pur_1")
