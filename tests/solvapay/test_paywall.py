"""The real client's paywall in front of functions and tools (contract §5.2).

It checks limits and, when denied, makes a checkout session by itself; it never tracks usage.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from solvapay import AsyncSolvaPay, SolvaPay
from solvapay.adapters.langchain import monetize_tool
from solvapay.adapters.mcp import payable_tool as mcp_tool
from solvapay.exceptions import NotFoundError
from solvapay.paywall import (
    AsyncPaywall,
    KwargsResolver,
    Paywall,
    PaywallRequired,
    PositionalResolver,
    PydanticBodyResolver,
    payable_tool,
    require,
    require_async,
)
from solvapay.paywall_state import PaywallState, gate

from tests.e2e.server import Server
from tests.solvapay.either import Either
from tests.solvapay.shop import Shop

Guarded = Callable[..., Awaitable[str]]
Tool = Callable[..., Any]  # its answer is that of the function or of the paywall


@pytest.fixture
def enrolled(shop: Shop, customer: str, product: str) -> str:
    """A customer with the product's free plan, of which one unit is left."""
    shop.activate(customer, product, shop.free_plan(product, units=1))
    return customer


@pytest.fixture
def client(server: Server, key: str) -> Iterator[SolvaPay]:
    with SolvaPay(key, base_url=server.url) as client:
        yield client


def guard(call: Either, product: str, plan: str | None = None) -> Guarded:
    """Put the decorator of the client's form before a function."""
    client = call.client
    if isinstance(client, AsyncSolvaPay):

        @require_async(product=product, plan=plan, client=client)
        async def write(*, customer_ref: str) -> str:
            return f"written for {customer_ref}"

        return write

    @require(product=product, plan=plan, client=client)
    def write_at_once(*, customer_ref: str) -> str:
        return f"written for {customer_ref}"

    async def written(**named: str) -> str:
        return write_at_once(**named)

    return written


async def use_up(call: Either, customer: str, product: str) -> None:
    named = {"customer_ref": customer, "product_ref": product, "meter_name": "requests"}
    await call("usage.track", **named, units=1)


async def test_a_function_runs_as_long_as_units_are_left(call: Either, enrolled: str, product: str) -> None:
    write = guard(call, product)
    for _ in range(2):
        assert await write(customer_ref=enrolled) == f"written for {enrolled}"
    await use_up(call, enrolled, product)
    with pytest.raises(PaywallRequired) as stopped:
        await write(customer_ref=enrolled)
    assert stopped.value.checkout_mint_error is None
    assert stopped.value.checkout_url is not None
    assert stopped.value.checkout_url.startswith("http://127.0.0.1:")


async def test_a_paywall_with_a_plan_leads_to_that_plan(
    call: Either, shop: Shop, customer: str, product: str
) -> None:
    plan = shop.plan(product, type="recurring", price=2999)
    with pytest.raises(PaywallRequired) as stopped:
        await guard(call, product, plan)(customer_ref=customer)
    assert stopped.value.checkout_url is not None


async def test_nobody_unknown_gets_in(call: Either, product: str) -> None:
    with pytest.raises(NotFoundError, match="customer_not_found"):
        await guard(call, product)(customer_ref="cus_NOBODY")


class Body(BaseModel):
    customer_ref: str


@pytest.mark.parametrize(
    ("resolver", "arguments", "named"),
    [
        (None, lambda _: (), lambda ref: {"customer_ref": ref}),
        (KwargsResolver("who"), lambda _: (), lambda ref: {"who": ref}),
        (PositionalResolver(1), lambda ref: ("text", ref), lambda _: {}),
        (PydanticBodyResolver(), lambda _: (), lambda ref: {"body": Body(customer_ref=ref)}),
    ],
    ids=["default", "named", "positional", "body"],
)
async def test_a_gate_opens_and_closes_wherever_the_customer_is_named(
    call: Either, enrolled: str, product: str, resolver: Any, arguments: Any, named: Any
) -> None:
    client = call.client
    paywall: Any = AsyncPaywall if isinstance(client, AsyncSolvaPay) else Paywall
    door = paywall(client=client, product=product, customer_ref_resolver=resolver)

    async def enter() -> None:
        waiting = door.gate(*arguments(enrolled), **named(enrolled))
        if waiting is not None:
            await waiting

    await enter()
    await use_up(call, enrolled, product)
    with pytest.raises(PaywallRequired) as stopped:
        await enter()
    assert stopped.value.checkout_url is not None


@pytest.mark.parametrize("decorate", [payable_tool, mcp_tool], ids=["function", "mcp"])
def test_a_tool_answers_where_to_pay(
    client: SolvaPay, customer: str, product: str, shop: Shop, decorate: Callable[..., Callable[[Tool], Tool]]
) -> None:
    @decorate(product=product, client=client)
    def write(*, customer_ref: str) -> str:
        return f"written for {customer_ref}"

    @decorate(product=product, client=client, mode="raise")
    def strict(*, customer_ref: str) -> str:
        return f"written for {customer_ref}"

    denied = write(customer_ref=customer)
    assert denied["paywall_required"] is True
    assert denied["checkout_url"]
    with pytest.raises(PaywallRequired):
        strict(customer_ref=customer)
    shop.free_plan(product)
    assert write(customer_ref=customer) == strict(customer_ref=customer) == f"written for {customer}"


def test_a_langchain_tool_answers_what_to_do(
    client: SolvaPay, customer: str, product: str, shop: Shop
) -> None:
    def write(*, customer_ref: str) -> str:
        return f"written for {customer_ref}"

    tool = monetize_tool(write, product=product, client=client)
    denied = tool(customer_ref=customer)
    assert (denied["paywall_required"], denied["state"]) == (True, "activation_required")
    assert denied["recovery_tool"] == "activate_plan"
    assert denied["checkout_url"]
    shop.free_plan(product)
    assert tool(customer_ref=customer) == f"written for {customer}"


@pytest.mark.filterwarnings("ignore:Flat method deprecated:DeprecationWarning")  # gate() calls them itself
def test_one_call_decides_and_says_what_to_do(
    client: SolvaPay, shop: Shop, customer: str, product: str
) -> None:
    def decided() -> tuple[PaywallState, str | None]:
        decision = gate(client, customer_ref=customer, product_ref=product)
        if decision.state is PaywallState.OK:
            assert decision.message == ""
        else:
            assert decision.checkout_url
            assert f", or open {decision.checkout_url} in a browser." in decision.message
        return decision.state, decision.recovery_tool

    assert decided() == (PaywallState.ACTIVATION_REQUIRED, "activate_plan")
    shop.activate(customer, product, shop.metered_plan(product))
    assert decided() == (PaywallState.TOPUP_REQUIRED, "topup")
    shop.grant(customer, 1_000)
    assert decided() == (PaywallState.OK, None)
    shop.activate(customer, product, shop.free_plan(product, units=1))
    client.usage.track(customer_ref=customer, product_ref=product, meter_name="requests", units=1)
    assert decided() == (PaywallState.UPGRADE_REQUIRED, "upgrade")
