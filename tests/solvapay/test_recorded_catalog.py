"""The catalog as the TypeScript SDK was recorded to use it (contract §2.2, §3.3 to §3.7)."""

from uuid import uuid4

import pytest

from tests.flow.answers import error, ok
from tests.solvapay.shop import FREE_UNITS, MONTHLY, Shop, some
from tests.solvapay.typescript import TypeScript


@pytest.fixture
def purchase(shop: Shop, customer: str, product: str) -> str:
    return shop.purchased(product, customer, **MONTHLY)


def test_a_purchase_is_cancelled_and_taken_up_again_with_bodies_of_nothing(
    typescript: TypeScript, purchase: str
) -> None:
    cancelled = ok(typescript.send("POST", f"/v1/sdk/purchases/{purchase}/cancel"))["purchase"]
    assert cancelled["reference"] == purchase
    assert cancelled["status"] == "cancelled" or cancelled["cancelledAt"]
    again = ok(typescript.send("POST", f"/v1/sdk/purchases/{purchase}/reactivate"))["purchase"]
    assert (again["reference"], again.get("cancelledAt")) == (purchase, None)
    refused = typescript.send("POST", f"/v1/sdk/purchases/{purchase}/reactivate")
    assert refused.status_code == 400
    assert any(sentence in refused.text for sentence in ("cannot be reactivated", "not pending cancellation"))


def test_a_cancellation_may_give_its_reason(typescript: TypeScript, purchase: str) -> None:
    body = '{"reason":"Too expensive"}'
    cancelled = ok(typescript.send("POST", f"/v1/sdk/purchases/{purchase}/cancel", body))["purchase"]
    assert cancelled["cancellationReason"] == "Too expensive"


@pytest.mark.parametrize("action", ["cancel", "reactivate"])
def test_an_unknown_purchase_is_404(typescript: TypeScript, action: str) -> None:
    error(typescript.send("POST", f"/v1/sdk/purchases/pur_NOTHING/{action}"), 404, "purchase_not_found")


def test_products_and_plans_are_deleted_with_bodies_of_nothing(
    typescript: TypeScript, shop: Shop, product: str
) -> None:
    plan = f"/v1/sdk/products/{product}/plans/{shop.free_plan(product)}"
    assert ok(typescript.send("DELETE", plan)) == {"success": True}
    error(typescript.send("DELETE", plan), 404, "plan_not_found")
    deleted = ok(typescript.send("DELETE", f"/v1/sdk/products/{product}"))
    assert deleted == {"success": True, "action": "deleted"}
    error(typescript.send("DELETE", f"/v1/sdk/products/{product}"), 404, "product_not_found")


def test_lists_are_under_their_names(typescript: TypeScript, shop: Shop, product: str) -> None:
    plan = shop.free_plan(product)
    products = ok(typescript.send("GET", "/v1/sdk/products"))
    (listed,) = (each for each in products["products"] if each["reference"] == product)
    assert [each["reference"] for each in listed["plans"]] == [plan]
    plans = ok(typescript.send("GET", f"/v1/sdk/products/{product}/plans"))
    assert [each["reference"] for each in plans["plans"]] == [plan]
    assert (plans["total"], plans["limit"], plans["offset"]) == (1, 50, 0)


def test_a_plan_may_say_its_product_in_the_body_too(typescript: TypeScript, product: str) -> None:
    body = (
        f'{{"productRef":"{product}","name":"Pay as you go","type":"usage-based","billingModel":"pre-paid",'
        '"creditsPerUnit":10,"currency":"usd","limits":{},"features":{},"metadata":{}}'
    )
    plan = ok(typescript.send("POST", f"/v1/sdk/products/{product}/plans", body), 201)
    assert (plan["type"], plan["creditsPerUnit"], plan["currency"]) == ("usage-based", 10, "USD")
    assert (plan["requiresPayment"], plan["isActive"], plan["measures"]) == (True, True, "requests")
    changed = typescript.send(
        "PUT", f"/v1/sdk/products/{product}/plans/{plan['reference']}", '{"freeUnits":5}'
    )
    assert ok(changed)["freeUnits"] == 5


def test_a_taken_email_is_linked_by_hand_where_no_user_was_named(typescript: TypeScript, shop: Shop) -> None:
    """Its way out of a conflict: look for the user, look for the e-mail, put the user on that customer."""
    email, user = f"{uuid4().hex}@example.com", f"user_{uuid4().hex[:12]}"
    known = shop.customer(email=email, name="Ada")
    refused = typescript.send("POST", "/v1/sdk/customers", f'{{"email":"{email}","metadata":{{}}}}')
    assert refused.status_code == 409
    assert "email" in refused.text
    error(typescript.send("GET", f"/v1/sdk/customers?externalRef={user}"), 404, "customer_not_found")
    assert ok(typescript.send("GET", f"/v1/sdk/customers?email={email}"))["reference"] == known
    body = f'{{"externalRef":"{user}"}}'
    linked = ok(typescript.send("PATCH", f"/v1/sdk/customers/{known}", body))
    assert (linked["reference"], linked["externalRef"], linked["name"]) == (known, user, "Ada")


def test_a_taken_email_is_linked_at_once_where_a_user_was_named(typescript: TypeScript, shop: Shop) -> None:
    email, user = f"{uuid4().hex}@example.com", f"user_{uuid4().hex[:12]}"
    known = shop.customer(email=email)
    body = f'{{"email":"{email}","metadata":{{}},"externalRef":"{user}"}}'
    assert ok(typescript.send("POST", "/v1/sdk/customers", body), 201)["reference"] == known


def test_a_plan_is_activated_and_its_use_is_in_the_customer(
    typescript: TypeScript, shop: Shop, customer: str, product: str
) -> None:
    plan = shop.plan(product, **MONTHLY)
    body = f'{{"customerRef":"{customer}","productRef":"{product}","planRef":"{plan}"}}'
    activated = ok(typescript.send("POST", "/v1/sdk/activate", body))
    assert activated["status"] == "activated"
    typescript.track(customer, product)
    (purchase,) = ok(typescript.send("GET", f"/v1/sdk/customers/{customer}"))["purchases"]
    assert (purchase["reference"], purchase["planRef"]) == (activated["purchaseRef"], plan)
    assert purchase["planSnapshot"]["limit"] == FREE_UNITS
    assert purchase["planSnapshot"]["meterRef"]
    assert purchase["usage"]["used"] == 1
    assert purchase["usage"]["periodStart"] < purchase["usage"]["periodEnd"]


def test_a_checkout_session_needs_a_customer_and_a_product(typescript: TypeScript, customer: str) -> None:
    refused = typescript.send("POST", "/v1/sdk/checkout-sessions", f'{{"customerRef":"{customer}"}}')
    assert refused.status_code == 400


def test_slashes_too_many_and_a_type_without_a_body_are_no_fault(
    typescript: TypeScript, product: str
) -> None:
    for path in (f"/v1/sdk/products/{product}", f"//v1//sdk/products/{product}"):
        assert ok(typescript.send("GET", path))["reference"] == product
    name = some("Copy")
    clone = typescript.send("POST", f"/v1/sdk/products/{product}/clone", f'{{"name":"{name}"}}')
    assert ok(clone, 201)["name"] == name
