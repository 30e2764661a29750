"""Payable functions as views of Flask: no code of the user's answers 402."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, abort, redirect, request
from flask.testing import FlaskClient
from werkzeug.wrappers import Response as Answer

from meterhouse_sdk import AsyncMeterhouse, CustomerNotFound, Meterhouse, PaymentRequired
from sdk.python.tests.shop import LIMITS, Shop

CUSTOMER = {"X-Customer-Ref": "cus_1"}
VIEWS = ("/plain", "/async", "/async-client", "/stream", "/helper", "/streams", "/hold", "/async-hold")


def signed_in() -> str | None:
    return request.headers.get("X-Customer-Ref")


def website(client: Meterhouse, awaiting: AsyncMeterhouse) -> Flask:  # noqa: C901 - one page after another
    app = Flask(__name__)
    paid = client.payable(product="prd_1", customer_ref=signed_in)

    @app.get("/plain")
    @paid
    def plain() -> str:
        return "plain"

    @app.get("/async")
    @paid
    async def asynchronous() -> str:
        return "async"

    @app.get("/async-client")
    @awaiting.payable(product="prd_1", customer_ref=signed_in)
    async def asynchronous_client() -> str:
        return "async"

    @app.get("/stream")
    @paid
    def stream() -> Iterator[str]:
        yield from ("a", "b")

    @app.get("/helper")
    def helper() -> str:
        return paid(lambda: "helped")()

    @app.get("/streams")
    def streams() -> Response:
        return Response(paid(stream_of_two)(), mimetype="text/event-stream")

    @app.get("/hold")
    def hold() -> str:
        with client.hold(customer_ref=signed_in() or "", product_ref="prd_1", units=2) as hold:
            return str(hold.settle(1).units)

    @app.get("/async-hold")
    async def async_hold() -> str:
        async with awaiting.hold(customer_ref=signed_in() or "", product_ref="prd_1", units=2) as hold:
            return str((await hold.settle(1)).units)

    @app.get("/redirect")
    @paid
    def elsewhere() -> Answer:
        return redirect("/plain")

    @app.get("/missing")
    @paid
    def missing() -> tuple[dict[str, str], int]:
        return {"error": "no such page"}, 404

    @app.get("/gone")
    @paid
    def gone() -> Any:  # Any: Flask's types leave out a status that is a text
        return "no such page", "410 GONE"

    @app.get("/aborts")
    @paid
    def aborts() -> str:
        abort(409)

    return app


def stream_of_two() -> Iterator[str]:
    yield from ("a", "b")


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def site(shop: Shop) -> Iterator[FlaskClient]:
    awaiting = shop.async_client()
    with shop.client() as client, website(client, awaiting).test_client() as site:
        yield site
    asyncio.run(awaiting.aclose())


@pytest.mark.parametrize("path", VIEWS)
def test_a_view_of_a_customer_within_limits_answers_and_counts(
    site: FlaskClient, shop: Shop, path: str
) -> None:
    answer = site.get(path, headers=CUSTOMER)
    assert (answer.status_code, bool(answer.text), shop.used) == (200, True, 1)


@pytest.mark.parametrize("path", VIEWS)
def test_a_view_answers_402_with_the_body_of_the_contract(site: FlaskClient, shop: Shop, path: str) -> None:
    shop.limit = 0
    answer = site.get(path, headers=CUSTOMER)
    assert (answer.status_code, answer.mimetype) == (402, "application/json")
    body = answer.get_json()
    assert (body["error"], body["kind"], body["product"]) == ("Payment required", "payment_required", "prd_1")
    assert (body["checkoutUrl"], body["reason"]) == ("http://pay", "limit_reached")


@pytest.mark.parametrize("path", ["/plain", "/async", "/async-client", "/stream"])
def test_a_view_answers_401_and_503(site: FlaskClient, shop: Shop, path: str) -> None:
    assert site.get(path).status_code == 401
    shop.away = {"limits"}
    answer = site.get(path, headers=CUSTOMER)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def test_a_handler_of_the_application_comes_first(site: FlaskClient, shop: Shop) -> None:
    shop.limit = 0

    def shown(error: PaymentRequired) -> tuple[str, int]:
        return error.reason, 402

    site.application.register_error_handler(PaymentRequired, shown)
    answer = site.get("/plain", headers=CUSTOMER)
    assert (answer.status_code, answer.text) == (402, "limit_reached")


@pytest.mark.parametrize(
    ("path", "status", "outcomes"),
    [
        ("/redirect", 302, []),
        ("/missing", 404, ["fail"]),
        ("/gone", 410, ["fail"]),
        ("/aborts", 409, ["fail"]),
    ],
)
def test_an_answer_that_sells_nothing_counts_nothing(
    site: FlaskClient, shop: Shop, path: str, status: int, outcomes: list[str]
) -> None:
    assert site.get(path, headers=CUSTOMER).status_code == status
    assert shop.outcomes() == outcomes


@pytest.mark.parametrize("path", ["/plain", "/stream"])
def test_options_and_head_count_nothing(site: FlaskClient, shop: Shop, path: str) -> None:
    assert site.options(path).status_code == 200
    assert site.head(path, headers=CUSTOMER).status_code == 200
    assert (shop.used, shop.usages) == (0, {})


def test_a_stream_that_is_closed_early_counts(site: FlaskClient, shop: Shop) -> None:
    answer = site.get("/stream", headers=CUSTOMER, buffered=False)
    assert next(iter(answer.response)) == b"a"
    assert shop.usages == {}
    answer.close()
    assert shop.outcomes() == ["success"]


def test_errors_of_the_clients_other_methods_are_none_of_flask(site: FlaskClient, shop: Shop) -> None:
    """A customer that the code of a view does not find is no 401 for its caller."""

    @site.application.get("/own")
    def own() -> str:
        with pytest.raises(CustomerNotFound) as error:
            shop.client().check_limits(customer_ref="nobody", product_ref="prd_1")
        return str(hasattr(error.value, "get_response"))

    assert site.get("/own").text == "False"


def test_outside_of_a_request_the_error_is_the_sdks_alone() -> None:
    shop = Shop(limit=0)
    with shop.client() as client, pytest.raises(PaymentRequired) as denied:
        client.payable(product="prd_1")(lambda customer_ref: customer_ref)("cus_1")
    assert not hasattr(denied.value, "get_response")
    assert shop.requests[0] == LIMITS
