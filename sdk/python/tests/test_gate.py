"""Customers without access, and the answer to them: every row of the table, to the byte."""

from decimal import Decimal
from typing import Any

import pytest

from meterhouse_sdk import LimitBalance, LimitCheck, LimitPlan, PaymentRequired, ProductBrief
from meterhouse_sdk._gate import gate_of

OUT = LimitBalance(credit_balance=0, credits_per_unit=10, currency="USD", remaining_units=0)
SOME = LimitBalance(credit_balance=5, credits_per_unit=10, currency="USD", remaining_units=0)
FREE = LimitPlan(reference="pln_free", type="recurring", price=0, requires_payment=False)
BY_USE = LimitPlan(reference="pln_1", type="usage-based", requires_payment=True)
HYBRID = LimitPlan(reference="pln_2", type="hybrid", requires_payment=True)
MONTHLY = LimitPlan(reference="pln_3", type="recurring", requires_payment=True)
ACTIVATE = (
    "Your plan needs activation before you can use this tool. Call the `activate_plan` tool to activate it"
)
TOP_UP = "You're out of credits. Call the `topup` tool to add more"
UPGRADE = "You don't have an active plan for this tool. Call the `upgrade` tool to pick a plan"
PAY, ACT = "payment_required", "activation_required"


def denied(**said: Any) -> LimitCheck:  # Any: fields of a check
    fields: dict[str, Any] = {"within_limits": False, "remaining": Decimal(0)}  # Any: fields of a check
    return LimitCheck(**(fields | said))


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        ({"activation_required": True}, ACT, ACTIVATE),
        ({"activation_required": True, "balance": OUT, "plans": (MONTHLY,)}, ACT, ACTIVATE),
        ({"balance": OUT}, PAY, TOP_UP),
        ({"balance": SOME, "credit_balance": 0}, PAY, UPGRADE),
        ({"balance": OUT, "plans": ()}, PAY, TOP_UP),
        ({"balance": OUT, "plans": (FREE,)}, PAY, TOP_UP),
        ({"balance": OUT, "plans": (FREE, BY_USE, HYBRID)}, ACT, TOP_UP),
        ({"balance": OUT, "plans": (BY_USE, MONTHLY)}, PAY, TOP_UP),
        ({"plan": "pln_1", "plans": (BY_USE,), "credit_balance": 0}, ACT, TOP_UP),
        ({"plan": "pln_1", "plans": (BY_USE,)}, ACT, TOP_UP),
        ({"plan": "pln_1", "plans": (BY_USE,), "remaining": Decimal(1)}, PAY, UPGRADE),
        ({"plan": "pln_1", "plans": (BY_USE,), "credit_balance": 7}, PAY, UPGRADE),
        ({"plan": "pln_2", "plans": (HYBRID,), "credit_balance": 0}, PAY, UPGRADE),
        ({"plan": "pln_gone", "plans": (BY_USE,)}, PAY, UPGRADE),
        ({"credit_balance": 0}, PAY, UPGRADE),
        ({"plan": "pln_3"}, PAY, UPGRADE),
        ({}, PAY, UPGRADE),
    ],
)
def test_every_row_of_the_table(said: dict[str, Any], kind: str, message: str) -> None:
    without = gate_of(denied(**said), "prd_1")
    assert (without.kind, without.message) == (kind, f"{message}.")
    assert without.checkout_url == ""
    reached = gate_of(denied(**said, checkout_url="http://pay?id=1"), "prd_1")
    assert (reached.kind, reached.message) == (kind, f"{message}, or open http://pay?id=1 in a browser.")
    assert reached.checkout_url == "http://pay?id=1"


def test_activation_leads_to_the_confirmation_first() -> None:
    urls = {"confirmation_url": "http://confirm", "checkout_url": "http://pay"}
    assert gate_of(denied(activation_required=True, **urls), "prd_1").checkout_url == "http://confirm"
    assert gate_of(denied(**urls), "prd_1").checkout_url == "http://pay"


def test_the_body_of_a_payment_is_the_hosted_services() -> None:
    product = ProductBrief(reference="prd_1", name="API")
    found = denied(plan="pln_1", balance=OUT, product=product, checkout_url="http://pay", plans=(MONTHLY,))
    assert gate_of(found, "prd_1").to_body() == {
        "success": False,
        "error": "Payment required",
        "product": "prd_1",
        "checkoutUrl": "http://pay",
        "message": f"{TOP_UP}, or open http://pay in a browser.",
        "kind": "payment_required",
        "reason": "out_of_credits",
        "detail": f"{TOP_UP}, or open http://pay in a browser.",
        "balance": {"creditBalance": 0, "creditsPerUnit": 10, "currency": "USD", "remainingUnits": 0},
        "productDetails": {"reference": "prd_1", "name": "API"},
    }


def test_the_body_of_an_activation_is_the_hosted_services() -> None:
    found = denied(activation_required=True, plans=(BY_USE, FREE), confirmation_url="http://confirm")
    assert gate_of(found, "prd_1").to_body() == {
        "success": False,
        "error": "Activation required",
        "product": "prd_1",
        "checkoutUrl": "http://confirm",
        "message": f"{ACTIVATE}, or open http://confirm in a browser.",
        "kind": "activation_required",
        "reason": "activation_required",
        "detail": f"{ACTIVATE}, or open http://confirm in a browser.",
        "plans": [
            {"reference": "pln_1", "type": "usage-based", "requiresPayment": True},
            {"reference": "pln_free", "type": "recurring", "price": 0, "requiresPayment": False},
        ],
        "confirmationUrl": "http://confirm",
    }


UNITS = LimitBalance(credit_balance=900, credits_per_unit=10, currency="USD", remaining_units=90)
REACHED = "You have reached the limit of your plan."
LESS = "Your plan has 2.5 units left, and more are needed."
FEW = "You have too few credits left."


@pytest.mark.parametrize(
    ("said", "reason", "detail"),
    [
        ({"plan": "pln_3"}, "limit_reached", REACHED),
        ({"plan": "pln_3", "remaining": Decimal("2.5")}, "limit_reached", LESS),
        ({"plan": "pln_1", "plans": (BY_USE,), "balance": UNITS}, "limit_reached", REACHED),
        ({"plan": "pln_1", "plans": (BY_USE,), "balance": SOME}, "too_few_credits", FEW),
        ({"plan": "pln_1", "credit_balance": 7, "credits_per_unit": 10}, "too_few_credits", FEW),
        ({"plan": "pln_1", "credit_balance": 70, "credits_per_unit": 10}, "limit_reached", REACHED),
    ],
)
def test_a_customer_with_a_plan_is_told_why_it_is_not_enough(
    said: dict[str, Any], reason: str, detail: str
) -> None:  # Any: fields of a check
    """The sentence of the hosted service stays, for its clients; the true one stands beside it."""
    body = gate_of(denied(**said), "prd_1").to_body()
    assert (body["message"], body["reason"], body["detail"]) == (f"{UPGRADE}.", reason, detail)
    error = PaymentRequired(gate_of(denied(**said, checkout_url="http://pay"), "prd_1"))
    assert (error.reason, error.kind) == (reason, PAY)
    assert error.message == f"{detail} To go on, open http://pay in a browser."


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({}, "no_plan"),
        ({"balance": OUT}, "out_of_credits"),
        ({"activation_required": True}, "activation_required"),
    ],
)
def test_the_reason_agrees_with_a_true_sentence(said: dict[str, Any], reason: str) -> None:
    body = gate_of(denied(**said), "prd_1").to_body()
    assert (body["reason"], body["detail"]) == (reason, body["message"])


def test_the_error_says_it_all() -> None:
    error = PaymentRequired(gate_of(denied(checkout_url="http://pay"), "prd_1"))
    assert (error.status, error.code, error.kind) == (402, "payment_required", "payment_required")
    assert error.message == f"{UPGRADE}, or open http://pay in a browser."
    assert error.checkout_url == "http://pay"
    assert error.to_body()["kind"] == "payment_required"
    assert PaymentRequired(gate_of(denied(), "prd_1")).checkout_url is None
