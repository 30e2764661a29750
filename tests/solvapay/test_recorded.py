"""What the TypeScript SDK was recorded to send, sent again byte for byte (contract §1, §3, §5.1)."""

import time
from uuid import uuid4

import pytest

from tests.flow.answers import error, ok
from tests.solvapay.shop import FREE_UNITS, Shop
from tests.solvapay.typescript import TypeScript


def ensure(typescript: TypeScript, user: str) -> str:
    """Send steps 1 and 2: look the user up, and make the customer who is not there."""
    error(typescript.send("GET", f"/v1/sdk/customers?externalRef={user}"), 404, "customer_not_found")
    email = f"{user}-{int(time.time() * 1000)}@auto-created.local"
    body = f'{{"email":"{email}","metadata":{{}},"externalRef":"{user}"}}'
    made = ok(typescript.send("POST", "/v1/sdk/customers", body), 201)
    assert ok(typescript.send("GET", f"/v1/sdk/customers?externalRef={user}"))["email"] == email
    reference: str = made["reference"]
    return reference


def test_a_first_call_that_is_allowed(typescript: TypeScript, shop: Shop, product: str) -> None:
    plan = shop.free_plan(product)
    customer = ensure(typescript, f"user_{uuid4().hex[:12]}")
    assert customer.startswith("cus_")
    limits = ok(typescript.limits(customer, product))
    assert (limits["withinLimits"], limits["remaining"], limits["plan"]) == (True, FREE_UNITS, plan)
    assert limits["meterName"] == "requests"
    assert "checkoutUrl" not in limits
    used = typescript.track(customer, product)
    assert used["reference"].startswith("usage_")
    assert ok(typescript.limits(customer, product))["remaining"] == FREE_UNITS - 1


def test_calls_answered_from_the_sdks_cache_are_counted_all_the_same(
    typescript: TypeScript, shop: Shop, customer: str, product: str
) -> None:
    shop.free_plan(product)
    ok(typescript.limits(customer, product))
    references = {typescript.track(customer, product)["reference"] for _ in range(FREE_UNITS + 1)}
    assert len(references) == FREE_UNITS + 1
    denied = ok(typescript.limits(customer, product))
    assert denied["withinLimits"] is False
    assert denied["remaining"] <= 0


def test_a_gated_call_is_recorded_before_it_is_refused_and_consumes_nothing(
    typescript: TypeScript, shop: Shop, customer: str, product: str
) -> None:
    denied = ok(typescript.limits(customer, product))
    assert denied["withinLimits"] is False
    assert denied.get("checkoutUrl") or denied.get("confirmationUrl")
    typescript.track(customer, product, "paywall")
    shop.free_plan(product)
    assert ok(typescript.limits(customer, product))["remaining"] == FREE_UNITS
    typescript.track(customer, product, "paywall")
    assert ok(typescript.limits(customer, product))["remaining"] == FREE_UNITS


def test_a_handler_that_throws_consumes_nothing(
    typescript: TypeScript, shop: Shop, customer: str, product: str
) -> None:
    shop.grant(customer, 500)
    shop.activate(customer, product, shop.metered_plan(product, 100))
    answer = typescript.track(customer, product, "fail")
    assert answer.get("creditDebit", {}).get("debited", False) is False
    limits = ok(typescript.limits(customer, product))
    assert (limits["remaining"], limits["creditBalance"]) == (5, 500)


def test_a_gate_tells_more_of_what_it_did(
    typescript: TypeScript, shop: Shop, customer: str, product: str
) -> None:
    shop.free_plan(product)
    ok(typescript.limits(customer, product))
    typescript.track(customer, product, requestId="gate_1782864000000_k3j9x1", inputTokens=812)
    assert ok(typescript.limits(customer, product))["remaining"] == FREE_UNITS - 1


def test_nobody_is_sent_as_anonymous(typescript: TypeScript, product: str) -> None:
    error(typescript.limits("anonymous", product), 404, "customer_not_found")
    debit = typescript.track("anonymous", product, "fail").get("creditDebit")
    assert debit in (None, {"debited": False, "reason": "customer_not_found"})
    answer = typescript.track("anonymous", product)
    assert answer["creditDebit"] == {"debited": False, "reason": "customer_not_found"}


def test_out_of_credits_is_no_call_for_activation(
    typescript: TypeScript, shop: Shop, customer: str, product: str
) -> None:
    plan = shop.metered_plan(product, 10)
    shop.activate(customer, product, plan)
    denied = ok(typescript.limits(customer, product))
    assert not denied.get("activationRequired")
    assert "plans" not in denied
    assert (denied["withinLimits"], denied["remaining"], denied["plan"]) == (False, 0, plan)
    assert denied["balance"]["creditBalance"] == denied["creditBalance"] == 0
    assert denied["checkoutSessionId"] in denied["checkoutUrl"]
    assert denied["product"]["reference"] == product


def test_a_product_read_by_usage_docs_of_old_counts_one_unit(
    typescript: TypeScript, shop: Shop, customer: str, product: str
) -> None:
    """`{usageType, amount}` is in one page of its docs and in no schema."""
    shop.free_plan(product)
    ok(typescript.limits(customer, product))
    body = f'{{"customerRef":"{customer}","productRef":"{product}","usageType":"requests","amount":2}}'
    ok(typescript.send("POST", "/v1/sdk/usages", body))
    assert ok(typescript.limits(customer, product))["remaining"] == FREE_UNITS - 1
    ok(typescript.send("POST", "/v1/sdk/usages", f'{{"customerRef":"{customer}"}}'))
    assert ok(typescript.limits(customer, product))["remaining"] == FREE_UNITS - 1


def test_credits_are_granted_once_for_a_key(typescript: TypeScript, customer: str) -> None:
    key, body = uuid4().hex, '{"credits":500,"reason":"signup_bonus"}'
    path = f"/v1/sdk/customers/{customer}/credits"
    granted = ok(typescript.send("POST", path, body, key))
    assert granted == {
        "success": True, "customerRef": customer, "credits": 500, "balance": 500, "reason": "signup_bonus",
    }  # fmt: skip
    assert ok(typescript.send("POST", path, body, key)) == granted
    assert ok(typescript.send("GET", f"/v1/sdk/customers/{customer}/balance"))["credits"] == 500


@pytest.mark.parametrize("who", ["customerRef", "customerId"])
def test_an_event_has_either_name_for_its_customer(
    typescript: TypeScript, customer: str, product: str, who: str
) -> None:
    if who == "customerRef":
        body = f'{{"type":"usage.api_call","customerRef":"{customer}","productRef":"{product}","units":1}}'
    else:
        body = f'{{"type":"usage.api_call","productRef":"{product}","units":1,"customerId":"{customer}"}}'
    assert ok(typescript.send("POST", "/v1/sdk/events", body), 201)["eventId"].startswith("evt_")
