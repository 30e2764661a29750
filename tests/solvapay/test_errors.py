"""The errors the real client raises, and how it finds the server (contract §1, §2)."""

import httpx
import pytest
from solvapay import AsyncSolvaPay, SolvaPay
from solvapay.exceptions import (
    APIError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    SolvaPayError,
)

from tests.e2e.server import Server
from tests.solvapay.either import Either
from tests.solvapay.shop import Shop, some


def checked(error: APIError, status: int) -> httpx.Response:
    """Return the answer behind an error, after checking what all errors have."""
    answer = httpx.Response(error.status_code, text=error.body)
    body = answer.json()
    assert error.status_code == body["statusCode"] == status
    assert error.request_id == body["requestId"]
    assert error.request_id is not None
    assert error.request_id.startswith("req_")
    # The client fills these only where `error` is no string; the contract's envelope has a string.
    assert error.error_code is error.error_message is None
    return answer


async def test_a_key_nobody_has_is_an_authentication_error(server: Server) -> None:
    with (
        SolvaPay("sk_sandbox_nobody", base_url=server.url) as client,
        pytest.raises(AuthenticationError) as refused,
    ):
        client.products.list()
    checked(refused.value, 401)
    async with AsyncSolvaPay("sk_sandbox_nobody", base_url=server.url) as asynchronous:
        with pytest.raises(AuthenticationError) as refused:
            await asynchronous.products.alist()
    checked(refused.value, 401)


async def test_what_is_unknown_is_a_not_found_error(call: Either) -> None:
    with pytest.raises(NotFoundError) as refused:
        await call("customers.get", "cus_NOBODY")
    assert checked(refused.value, 404).json()["message"] == "Customer with reference cus_NOBODY not found"


async def test_what_is_wrong_is_an_invalid_request_that_names_the_field(call: Either) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        await call("products.create", name="x", type="api", default_currency="dollars")
    body = checked(refused.value, 400).json()
    assert body["message"] == "Validation failed"
    assert {each["path"] for each in body["errors"]} == {"name", "defaultCurrency"}


async def test_what_is_taken_is_an_invalid_request_too(call: Either) -> None:
    name = some("Writer")
    await call("products.create", name=name, type="api", default_currency="USD")
    with pytest.raises(InvalidRequestError) as refused:
        await call("products.create", name=name, type="api", default_currency="USD")
    checked(refused.value, 409)


async def test_a_key_of_the_other_environment_sees_nothing_of_this_one(
    server: Server, shop: Shop, product: str
) -> None:
    customer = shop.customer()
    with SolvaPay(server.key("live"), base_url=server.url) as live:
        with pytest.raises(NotFoundError):
            live.products.get(product)
        with pytest.raises(NotFoundError):
            live.customers.get(customer)
        assert product not in {each.reference for each in live.products.list()}


async def test_key_and_address_may_come_from_the_environment(
    server: Server, key: str, product: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOLVAPAY_SECRET_KEY", raising=False)
    with pytest.raises(SolvaPayError, match="SOLVAPAY_SECRET_KEY"):
        SolvaPay()
    monkeypatch.setenv("SOLVAPAY_SECRET_KEY", key)
    monkeypatch.setenv("SOLVAPAY_API_BASE_URL", server.url)
    with SolvaPay() as client:
        assert client.products.get(product).reference == product
    async with AsyncSolvaPay() as asynchronous:
        assert (await asynchronous.products.aget(product)).reference == product


async def test_the_address_may_end_in_a_slash_and_no_version_need_be_named(
    server: Server, key: str, product: str
) -> None:
    with SolvaPay(key, base_url=f"{server.url}/", api_version=None) as client:
        assert client.products.get(product).reference == product


def test_the_deprecated_methods_still_do_the_same(
    server: Server, key: str, customer: str, product: str
) -> None:
    with SolvaPay(key, base_url=server.url) as client:
        with pytest.warns(DeprecationWarning, match="customers.get"):
            assert client.get_customer(customer) == client.customers.get(customer)
        with pytest.warns(DeprecationWarning, match="products.get"):
            assert client.get_product(product) == client.products.get(product)
