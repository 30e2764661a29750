"""The paywall before an ASGI application, and before routes of FastAPI."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import StreamingResponse

from meterhouse_sdk.asgi import Application, Message, PaywallMiddleware, Receive, Scope, Send
from meterhouse_sdk.fastapi import Paywall
from sdk.python.tests.shop import LIMITS, USAGES, Shop

CUSTOMER = {"X-Customer-Ref": "cus_1"}


async def echo(scope: Scope, _: Receive, send: Send) -> None:
    """Answer with the status that the path asks for, in two parts."""
    path = scope["path"]
    if path == "/raises":
        raise ZeroDivisionError
    await send({"type": "http.response.start", "status": int(path[1:]), "headers": []})
    await send({"type": "http.response.body", "body": b"a", "more_body": True})
    await send({"type": "http.response.body", "body": b"b"})


def reached(app: Any) -> httpx.AsyncClient:  # Any: an ASGI application
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api")


def before(app: Application, shop: Shop, **knobs: Any) -> httpx.AsyncClient:  # Any: the middleware's knobs
    return reached(PaywallMiddleware(app, client=shop.async_client(), product="prd_1", **knobs))


async def test_a_request_is_counted_before_its_last_byte_is_sent() -> None:
    shop = Shop()
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: Message) -> None:
            await send(message)
            seen.append(len(shop.usages))

        await echo(scope, receive, noting)

    async with before(app, shop) as api:
        answer = await api.get("/200", headers=CUSTOMER)
    assert (answer.status_code, answer.text, seen) == (200, "ab", [0, 0, 1])
    assert (shop.requests, shop.outcomes()) == ([LIMITS, USAGES], ["success"])


async def test_answers_of_400_and_above_and_exceptions_count_nothing() -> None:
    shop = Shop()
    async with before(echo, shop) as api:
        assert (await api.get("/404", headers=CUSTOMER)).status_code == 404
        assert (await api.get("/500", headers=CUSTOMER)).status_code == 500
        with pytest.raises(ZeroDivisionError):
            await api.get("/raises", headers=CUSTOMER)
    assert (shop.outcomes(), shop.used) == (["fail"] * 3, 0)


async def test_a_denied_request_is_answered_402_with_the_contracts_body() -> None:
    shop = Shop(limit=0)
    shop.says |= {"product": {"reference": "prd_1", "name": "API"}}
    for client in (shop.async_client(), shop.client()):
        async with reached(PaywallMiddleware(echo, client=client, product="prd_1")) as api:
            answer = await api.get("/200", headers=CUSTOMER)
        assert answer.status_code == 402
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {
            "success": False,
            "error": "Payment required",
            "product": "prd_1",
            "checkoutUrl": "http://pay",
            "message": "You don't have an active plan for this tool. Call the `upgrade` tool to pick a plan, "
            "or open http://pay in a browser.",
            "reason": "limit_reached",
            "detail": "You have reached the limit of your plan. To go on, open http://pay in a browser.",
            "kind": "payment_required",
            "productDetails": {"reference": "prd_1", "name": "API"},
        }
    assert shop.outcomes() == ["paywall", "paywall"]


@pytest.mark.parametrize(
    ("method", "status", "outcomes"),
    [
        ("GET", 200, ["success"]),
        ("GET", 206, ["success"]),
        ("POST", 204, ["success"]),
        ("GET", 302, []),
        ("GET", 304, []),
        ("GET", 307, []),
        ("GET", 401, ["fail"]),
        ("GET", 405, ["fail"]),
        ("GET", 503, ["fail"]),
        ("HEAD", 200, []),
        ("HEAD", 404, ["fail"]),
    ],
)
@pytest.mark.parametrize("lease_units", [None, 5])
async def test_an_answer_counts_by_its_status_and_method(
    method: str, status: int, outcomes: list[str], lease_units: int | None
) -> None:
    shop = Shop()
    client = shop.async_client()
    sold = PaywallMiddleware(echo, client=client, product="prd_1", lease_units=lease_units)
    async with reached(sold) as api:
        assert (await api.request(method, f"/{status}", headers=CUSTOMER)).status_code == status
    await client.aclose()
    assert shop.used == outcomes.count("success")
    assert shop.outcomes() == ([] if lease_units and shop.used else outcomes)
    assert shop.held == {}


async def test_a_preflight_and_a_redirect_to_a_slash_are_free() -> None:
    shop = Shop()
    inner = FastAPI()
    inner.add_api_route("/items/", lambda: [1])
    inner.add_middleware(CORSMiddleware, allow_origins=["*"], allow_headers=["*"])
    asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    async with before(inner, shop) as api:
        assert (await api.options("/items/", headers=asks)).status_code == 200
        assert shop.requests == []  # a preflight has no credentials
        assert (await api.get("/items", headers=CUSTOMER)).status_code == 307
        assert shop.usages == {}
        assert (await api.get("/items/", headers=CUSTOMER)).status_code == 200
    assert shop.outcomes() == ["success"]


async def test_a_head_is_denied_as_a_get_is() -> None:
    async with before(echo, Shop(limit=0)) as api:
        assert (await api.head("/200", headers=CUSTOMER)).status_code == 402


async def test_nobody_is_401_and_a_server_that_does_not_say_503() -> None:
    shop = Shop()
    async with before(echo, shop) as api:
        assert (await api.get("/200")).status_code == 401
        shop.away = {"limits"}
        answer = await api.get("/200", headers=CUSTOMER)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_a_request_that_is_not_sold_passes() -> None:
    shop = Shop(limit=0)
    async with before(echo, shop, applies=lambda scope: scope["path"] != "/204") as api:
        assert (await api.get("/204")).status_code == 204
    assert shop.requests == []


@pytest.mark.parametrize("protocol", ["lifespan", "websocket"])
async def test_another_protocol_passes_freely(protocol: str) -> None:
    shop = Shop(limit=0)
    passed: list[str] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        passed.append(scope["type"])

    async def nothing(_: object = None) -> Any:  # Any: a message
        raise AssertionError

    scope = {"type": protocol, "path": "/", "headers": [(b"x-customer-ref", b"cus_1")]}
    await PaywallMiddleware(app, client=shop.client(), product="prd_1")(scope, nothing, nothing)
    assert (passed, shop.requests) == ([protocol], [])


def shopping(shop: Shop, *, installed: bool = True) -> FastAPI:
    app = FastAPI()
    paywall = Paywall(shop.async_client())
    if installed:
        paywall.install(app)

    def signed_in(request: Request) -> str | None:
        return request.headers.get("authorization")

    paid = paywall.payable(product="prd_1")

    @app.get("/plain", dependencies=[paid])
    async def plain() -> str:
        return "plain"

    @app.get("/own")
    async def own(customer: Annotated[str, paywall.payable(product="prd_1", customer_ref=signed_in)]) -> str:
        return customer

    @app.get("/fails", dependencies=[paid])
    async def fails() -> str:
        raise HTTPException(409)

    @app.get("/stream", dependencies=[paid])
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            yield str(len(shop.usages))

        return StreamingResponse(parts())

    @app.get("/free")
    async def free(request: Annotated[Request, Depends()]) -> str:
        return request.url.path

    return app


async def test_a_route_of_fastapi_is_counted_before_it_answers() -> None:
    shop = Shop()
    async with reached(shopping(shop)) as api:
        assert (await api.get("/plain", headers=CUSTOMER)).json() == "plain"
        assert (await api.get("/own", headers={"Authorization": "u"})).json() == "cus_1"
        assert (await api.get("/stream", headers=CUSTOMER)).text == "3"
        assert (await api.get("/fails", headers=CUSTOMER)).status_code == 409
    assert shop.outcomes() == ["success", "success", "success", "fail"]


async def test_a_route_of_fastapi_answers_402_401_and_503() -> None:
    shop = Shop(limit=0)
    async with reached(shopping(shop)) as api:
        denied = await api.get("/plain", headers=CUSTOMER)
        assert (denied.status_code, denied.json()["kind"]) == (402, "payment_required")
        assert (await api.get("/plain")).status_code == 401
        shop.away = {"limits"}
        answer = await api.get("/plain", headers=CUSTOMER)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_options_and_head_of_a_route_of_fastapi_count_nothing() -> None:
    shop = Shop()
    app = FastAPI()
    paywall = Paywall(shop.async_client())
    paywall.install(app)

    @app.api_route("/", methods=["GET", "HEAD", "OPTIONS"], dependencies=[paywall.payable(product="prd_1")])
    async def route() -> str:
        return "here"

    async with reached(app) as api:
        assert (await api.options("/")).status_code == 200
        assert shop.requests == []
        assert (await api.head("/", headers=CUSTOMER)).status_code == 200
        assert (await api.get("/", headers=CUSTOMER)).status_code == 200
    assert shop.outcomes() == ["success"]


async def test_a_paywall_that_was_not_installed_says_so() -> None:
    async with reached(shopping(Shop(), installed=False)) as api:
        with pytest.raises(RuntimeError, match="install"):
            await api.get("/plain", headers=CUSTOMER)
