"""Every form of the paywall answers who may not go on with the contract's 402 body (§5.3), whole."""

import json
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from meterhouse_sdk import AsyncMeterhouse, Meterhouse, PaymentRequired
from meterhouse_sdk.asgi import Application, PaywallMiddleware, Receive, Scope, Send
from meterhouse_sdk.fastapi import Paywall
from tests.e2e.server import Server

Terms = dict[str, Any]  # Any: arguments of payable
Body = dict[str, Any]  # Any: JSON
Either = Meterhouse | AsyncMeterhouse
Form = Callable[[Terms, str], Awaitable[Body]]
Denied = tuple[str, str, Body]  # the product's ref, the customer's, and what is expected


async def function(client: Meterhouse, terms: Terms, customer: str) -> Body:
    @client.payable(**terms)
    def work(customer_ref: str) -> str:
        raise AssertionError(customer_ref)

    with pytest.raises(PaymentRequired) as denied:
        work(customer)
    return denied.value.to_body()


async def generator(client: Meterhouse, terms: Terms, customer: str) -> Body:
    @client.payable(**terms)
    def parts(customer_ref: str) -> Iterator[str]:
        yield customer_ref

    with pytest.raises(PaymentRequired) as denied:
        next(parts(customer))
    return denied.value.to_body()


async def coroutine(client: Either, terms: Terms, customer: str) -> Body:
    @client.payable(**terms)
    async def work(customer_ref: str) -> str:
        raise AssertionError(customer_ref)

    with pytest.raises(PaymentRequired) as denied:
        await work(customer)
    return denied.value.to_body()


async def async_generator(client: Either, terms: Terms, customer: str) -> Body:
    @client.payable(**terms)
    async def parts(customer_ref: str) -> AsyncIterator[str]:
        yield customer_ref

    with pytest.raises(PaymentRequired) as denied:
        await anext(parts(customer))
    return denied.value.to_body()


async def middleware(client: Either, terms: Terms, customer: str) -> Body:
    async def app(_: Scope, __: Receive, ___: Send) -> None:
        raise AssertionError

    return await answered(PaywallMiddleware(app, client=client, **terms), customer)


async def dependency(client: Either, terms: Terms, customer: str) -> Body:
    app, paywall = FastAPI(), Paywall(client)
    paywall.install(app)

    @app.get("/", dependencies=[paywall.payable(**terms)])
    def work() -> None:
        raise AssertionError

    return await answered(app, customer)


async def answered(app: Application | FastAPI, customer: str) -> Body:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as api:
        answer = await api.get("/", headers={"X-Customer-Ref": customer})
    assert (answer.status_code, answer.headers["content-type"]) == (402, "application/json")
    body: Body = answer.json()
    return body


def without_a_plan(_: Meterhouse, __: str, ___: str) -> None:
    """Nothing is sold yet."""


def at_the_limit(client: Meterhouse, product: str, customer: str) -> None:
    client.create_plan(product, name="Free", free_units=1, limit=1, default=True)
    client.payable(product=product)(lambda customer_ref: customer_ref)(customer)


def without_credits(client: Meterhouse, product: str, customer: str) -> None:
    plan = client.create_plan(product, name="By use", type="usage-based", credits_per_unit=10)
    client.activate_plan(customer_ref=customer, product_ref=product, plan_ref=plan.reference)


def with_too_few_credits(client: Meterhouse, product: str, customer: str) -> None:
    without_credits(client, product, customer)
    client.grant_credits(customer, credits=7)


def before_activation(client: Meterhouse, product: str, _: str) -> None:
    client.create_plan(product, name="By use", type="usage-based", credits_per_unit=10, default=True)
    client.create_plan(product, name="Pro", price=900, billing_cycle="monthly", limit=5, free_units=2)


BALANCE = {"creditBalance": 0, "creditsPerUnit": 10, "currency": "USD", "remainingUnits": 0}
UPGRADE = {
    "success": False,
    "error": "Payment required",
    "kind": "payment_required",
    "product": "prd_…",
    "checkoutUrl": "<checkout>",
    "message": "You don't have an active plan for this tool. Call the `upgrade` tool to pick a plan, "
    "or open <checkout> in a browser.",
    "reason": "no_plan",
    "detail": "You don't have an active plan for this tool. Call the `upgrade` tool to pick a plan, "
    "or open <checkout> in a browser.",
    "productDetails": {"reference": "prd_…", "name": "Product"},
}
TO_GO_ON = "To go on, open <checkout> in a browser."
AT_THE_LIMIT = UPGRADE | {
    "reason": "limit_reached",
    "detail": f"You have reached the limit of your plan. {TO_GO_ON}",
}
TOO_FEW = UPGRADE | {
    "reason": "too_few_credits",
    "detail": f"You have too few credits left. {TO_GO_ON}",
    "balance": BALANCE | {"creditBalance": 7},
}
TOPUP = {
    "success": False,
    "error": "Payment required",
    "kind": "payment_required",
    "product": "prd_…",
    "checkoutUrl": "<checkout>",
    "message": "You're out of credits. Call the `topup` tool to add more, or open <checkout> in a browser.",
    "reason": "out_of_credits",
    "detail": "You're out of credits. Call the `topup` tool to add more, or open <checkout> in a browser.",
    "balance": BALANCE,
    "productDetails": {"reference": "prd_…", "name": "Product"},
}
ACTIVATION = {
    "success": False,
    "error": "Activation required",
    "kind": "activation_required",
    "product": "prd_…",
    "checkoutUrl": "<customer>",
    "confirmationUrl": "<customer>",
    "message": "Your plan needs activation before you can use this tool. Call the `activate_plan` tool to "
    "activate it, or open <customer> in a browser.",
    "reason": "activation_required",
    "detail": "Your plan needs activation before you can use this tool. Call the `activate_plan` tool to "
    "activate it, or open <customer> in a browser.",
    "balance": BALANCE,
    "productDetails": {"reference": "prd_…", "name": "Product"},
    "plans": [
        {
            "reference": "pln_…",
            "name": "By use",
            "type": "usage-based",
            "price": 0,
            "currency": "USD",
            "requiresPayment": True,
            "pricingOptions": [{"currency": "USD", "price": 0, "default": True}],
            "freeUnits": 0,
            "creditsPerUnit": 10,
            "billingModel": "pre-paid",
        },
        {
            "reference": "pln_…",
            "name": "Pro",
            "type": "recurring",
            "price": 900,
            "currency": "USD",
            "requiresPayment": True,
            "pricingOptions": [{"currency": "USD", "price": 900, "default": True}],
            "freeUnits": 2,
            "billingCycle": "monthly",
        },
    ],
}


def written(body: Body) -> str:
    """A body in which `0` is not `False`, and what differs from run to run is masked."""
    text = json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False)
    text = re.sub(r"http://127\.0\.0\.1:\d+/(checkout|customer)\?id=[0-9a-f]{32}", r"<\1>", text)
    text = re.sub(r"Product [0-9a-f]{32}", "Product", text)
    return re.sub(r"(prd|pln)_[0-9A-Z]{8}", r"\1_…", text)


@pytest.fixture
async def awaiting(server: Server, key: str) -> AsyncIterator[AsyncMeterhouse]:
    async with AsyncMeterhouse(key, server.url) as awaiting:
        yield awaiting


@pytest.fixture(params=[function, generator, coroutine, async_generator, middleware, dependency])
def blocking(request: pytest.FixtureRequest, client: Meterhouse) -> Form:
    return partial(request.param, client)


@pytest.fixture(params=[coroutine, async_generator, middleware, dependency])
def asynchronous(request: pytest.FixtureRequest, awaiting: AsyncMeterhouse) -> Form:
    return partial(request.param, awaiting)


@pytest.fixture(
    scope="module",  # who is denied stays so
    params=[
        (without_a_plan, UPGRADE),
        (at_the_limit, AT_THE_LIMIT),
        (without_credits, TOPUP),
        (with_too_few_credits, TOO_FEW),
        (before_activation, ACTIVATION),
    ],
    ids=lambda row: row[0].__name__,
)
def denied(request: pytest.FixtureRequest, server: Server, key: str) -> Denied:
    deny, expected = request.param
    with Meterhouse(key, server.url) as client:
        product = client.create_product(name=f"Product {uuid.uuid4().hex}").reference
        customer = client.ensure_customer(uuid.uuid4().hex).reference
        deny(client, product, customer)
    return product, customer, expected


async def test_every_form_of_the_blocking_client_gives_the_same_answer(
    blocking: Form, denied: Denied
) -> None:
    await assert_denied(blocking, denied)


async def test_every_form_of_the_async_client_gives_the_same_answer(
    asynchronous: Form, denied: Denied
) -> None:
    await assert_denied(asynchronous, denied)


async def assert_denied(form: Form, denied: Denied) -> None:
    product, customer, expected = denied
    for lease_units in (None, 4):
        body = await form({"product": product, "lease_units": lease_units}, customer)
        assert written(body) == written(expected)
