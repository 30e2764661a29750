"""The seller's own ids for customers, beside the server's refs: one is never taken for the other."""

import json
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Header

from meterhouse_sdk import CustomerNotFound, NewEvent, NewMeterEvent, NewUsage, ValidationFailed
from meterhouse_sdk.asgi import PaywallMiddleware, Receive, Scope, Send
from meterhouse_sdk.fastapi import Paywall
from sdk.python.tests.shop import CUSTOMERS, LIMITS, USAGES, Shop
from sdk.python.tests.stand_in import StandIn, add, blocking, opened

LONG = "samlp|corporate-connection|" + "a" * 228  # 255 characters
STRIPE = "cus_NffrFeUfNV2Hib"  # an id of another billing system, which looks like a ref
EVENT = {"type": "usage.a", "units": 1}
FIND = CUSTOMERS.replace("POST", "GET")
Call = Callable[..., object]
Client = Any  # Meterhouse; Any: the fields of a call are put together here
CALLS: dict[str, Callable[[Client], Call]] = {
    "create_event": lambda client: partial(client.create_event, type="usage.a", units=1),
    "create_events": lambda client: lambda **who: client.create_events([EVENT | who]),
    "track_usage": lambda client: client.track_usage,
    "track_usage_bulk": lambda client: lambda **who: client.track_usage_bulk([who]),
    "record_meter_event": lambda client: partial(client.record_meter_event, meter_name="m"),
    "record_meter_events": lambda client: (
        lambda **who: client.record_meter_events([{"meter_name": "m"} | who])
    ),
    "check_limits": lambda client: partial(client.check_limits, product_ref="prd_1"),
    "reserve": lambda client: partial(client.reserve, product_ref="prd_1", units=1),
    "hold": lambda client: lambda **who: client.hold(product_ref="prd_1", units=1, **who).__enter__(),
}
CALLED = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def named(body: bytes) -> dict[str, str]:
    """How a body names its customer: that of its first event, where it has events."""
    said = json.loads(body)
    said = said.get("events", [said])[0]
    return {name: said[name] for name in ("customerRef", "externalRef") if name in said}


def sent(call: Callable[[Client], Call], **who: str) -> list[dict[str, str]]:
    """Make a call whose answer nobody reads; return how its requests name the customer."""
    bodies: list[bytes] = []

    def server(request: httpx.Request) -> httpx.Response:
        bodies.append(request.read())
        return httpx.Response(400, json={"code": "validation_failed", "message": "no answer"})

    with pytest.raises(ValidationFailed, match="no answer"):
        call(blocking(server)[0])(**who)
    return [named(body) for body in bodies]


@CALLED
def test_an_own_id_travels_as_it_is(call: Callable[[Client], Call]) -> None:
    for own in (LONG, STRIPE, "7", "Ünïcode 🐸"):
        assert sent(call, external_ref=own) == [{"externalRef": own}]


@CALLED
def test_both_names_travel_and_the_server_compares_them(call: Callable[[Client], Call]) -> None:
    both = {"customerRef": "cus_1", "externalRef": "u"}
    assert sent(call, customer_ref="cus_1", external_ref="u") == [both]
    assert sent(call, customer_ref="cus_1") == [{"customerRef": "cus_1"}]


@CALLED
@pytest.mark.parametrize(
    ("who", "field", "reason"),
    [
        ({}, "customer_ref", "is required: .* or give external_ref"),
        ({"external_ref": ""}, "external_ref", "1 to 255 characters"),
        ({"external_ref": "a" * 256}, "external_ref", "1 to 255 characters"),
        ({"external_ref": 7}, "external_ref", "must be a str"),
        ({"customer_ref": "a" * 21}, "customer_ref", "1 to 20 characters; your own id .* external_ref"),
    ],
)
def test_an_error_says_which_of_the_two_was_expected(
    call: Callable[[Client], Call], who: dict[str, Any], field: str, reason: str
) -> None:  # Any: some are wrong
    client, _ = blocking(lambda _: httpx.Response(500))
    with pytest.raises(ValidationFailed, match=reason) as refused:
        call(client)(**who)
    assert [fault.path.rpartition(".")[2] for fault in refused.value.errors] == [field]


def test_what_is_published_has_the_field() -> None:
    assert NewEvent(type="usage.a", external_ref="u", units=1).external_ref == "u"
    assert NewUsage(external_ref="u").external_ref == "u"
    assert NewMeterEvent(meter_name="m", external_ref="u").external_ref == "u"


def test_a_buffer_sends_it() -> None:
    stand_in = StandIn()
    with opened(stand_in) as buffer:
        add(buffer, customer_ref=None, external_ref=LONG)
        buffer.flush()
    (event,) = stand_in.events.values()
    assert (event["externalRef"], "customerRef" in event) == (LONG, False)


def test_questions_filter_by_it() -> None:
    asked: list[list[tuple[str, str]]] = []

    def server(request: httpx.Request) -> httpx.Response:
        asked.append([pair for pair in request.url.params.multi_items() if pair[0].endswith("Ref")])
        return httpx.Response(200, json={"aggregate": "sum", "total": 0, "series": [], "events": []})

    client, _ = blocking(server)
    client.usage(external_ref=["u", "v"])
    list(client.events(external_ref="u", customer_ref="cus_1"))
    assert asked[0] == [("externalRef", "u"), ("externalRef", "v")]
    assert asked[1] == [("customerRef", "cus_1"), ("externalRef", "u")]


def test_a_payable_function_never_takes_an_own_id_for_a_ref() -> None:
    shop = Shop()

    @shop.client().payable(product="prd_1", external_ref="user")
    def work(user: str) -> str:
        return user

    assert work(STRIPE) == STRIPE
    assert shop.requests == [FIND, CUSTOMERS, LIMITS, USAGES]
    assert shop.customers == {STRIPE: "cus_1"}
    assert shop.bodies[2]["customerRef"] == "cus_1"


@pytest.mark.parametrize("lease_units", [None, 5])
def test_a_name_that_may_be_either_is_tried_as_a_ref_first(lease_units: int | None) -> None:
    shop = Shop()
    shop.customers[STRIPE] = "cus_7"
    shop.unknown = {STRIPE}
    with shop.client() as client:

        @client.payable(product="prd_1", lease_units=lease_units)
        def work(customer_ref: str) -> str:
            return customer_ref

        work(STRIPE)
        work(STRIPE)
        asked = [
            body["customerRef"] for body in shop.bodies if "productRef" in body and "outcome" not in body
        ]
        assert asked[:2] == [STRIPE, "cus_7"]
        assert STRIPE not in asked[1:]
        shop.unknown.add("cus_nobody")
        with pytest.raises(CustomerNotFound):
            work("cus_nobody")
    assert (shop.used, shop.customers) == (2, {STRIPE: "cus_7"})


async def test_the_middleware_and_the_dependency_take_it() -> None:
    shop = Shop()
    client = shop.async_client()

    async def inner(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a"})

    sold = PaywallMiddleware(inner, client=client, product="prd_1", external_ref=lambda _: STRIPE)
    app, paywall = FastAPI(), Paywall(client)
    paywall.install(app)

    def user(x_user: Annotated[str | None, Header()] = None) -> str | None:
        return x_user

    @app.get("/")
    async def route(customer: Annotated[str, paywall.payable(product="prd_1", external_ref=user)]) -> str:
        return customer

    for each in (sold, app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(each), base_url="http://api") as api:
            assert (await api.get("/", headers={"X-User": STRIPE})).status_code == 200
    assert shop.requests == [FIND, CUSTOMERS, LIMITS, USAGES, LIMITS, USAGES]
    await client.aclose()


def test_one_paywall_takes_one_of_the_two() -> None:
    client = Shop().client()
    both: dict[str, Any] = {
        "product": "prd_1",
        "customer_ref": lambda *_: "a",
        "external_ref": lambda *_: "b",
    }
    with pytest.raises(TypeError, match="one of customer_ref and external_ref"):
        client.payable(**both)
    with pytest.raises(TypeError, match="one of customer_ref and external_ref"):
        PaywallMiddleware(FastAPI(), client=client, **both)
    with pytest.raises(TypeError, match="one of customer_ref and external_ref"):
        Paywall(client).payable(**both)
    with pytest.raises(TypeError, match="no parameter 'user'; name another one with external_ref="):
        client.payable(product="prd_1", external_ref="user")(lambda customer_ref: customer_ref)
