"""Checkout sessions with the real client (contract §3.7)."""

from uuid import uuid4

import httpx
import pytest
from solvapay.exceptions import InvalidRequestError, NotFoundError
from solvapay.models import CheckoutSession

from tests.e2e.server import Server
from tests.solvapay.either import Either
from tests.solvapay.shop import Shop


async def create(call: Either, **named: str) -> CheckoutSession:
    session: CheckoutSession = await call("checkout.create_session", **named)
    return session


async def test_a_session_has_a_page_for_the_customer(
    call: Either, server: Server, customer: str, product: str
) -> None:
    session = await create(call, customer_ref=customer, product_ref=product)
    assert len(session.session_id) == 32
    assert session.checkout_url.startswith(server.url)
    assert session.session_id in session.checkout_url
    async with httpx.AsyncClient(timeout=30) as browser:
        page = await browser.get(session.checkout_url)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")


async def test_each_session_is_another_one_but_for_a_repeat_with_its_key(
    call: Either, shop: Shop, customer: str, product: str
) -> None:
    plan = shop.plan(product, type="recurring", price=2999)
    said = {
        "customer_ref": customer, "product_ref": product, "plan_ref": plan,
        "return_url": "https://example.com/done?a=1", "idempotency_key": uuid4().hex,
    }  # fmt: skip
    session = await create(call, **said)
    assert await create(call, **said) == session
    other = await create(call, **said | {"idempotency_key": uuid4().hex})
    assert other.session_id != session.session_id


async def test_what_does_not_exist_is_not_for_sale(call: Either, customer: str, product: str) -> None:
    refs = {"customer_ref": customer, "product_ref": product}
    for wrong, code in (
        ({"customer_ref": "cus_NOBODY"}, "customer_not_found"),
        ({"product_ref": "prd_NOTHING"}, "product_not_found"),
        ({"plan_ref": "pln_NOTHING"}, "plan_not_found"),
    ):
        with pytest.raises(NotFoundError, match=code):
            await create(call, **refs | wrong)


async def test_a_session_needs_a_customer_and_a_product(call: Either, customer: str, product: str) -> None:
    for refs in (("", product), (customer, "")):
        with pytest.raises(InvalidRequestError) as refused:
            await create(call, customer_ref=refs[0], product_ref=refs[1])
        assert refused.value.status_code == 400
