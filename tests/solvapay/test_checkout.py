"""Checkout sessions with the real client (contract §3.7)."""

import pytest
from solvapay.exceptions import InvalidRequestError, NotFoundError
from solvapay.models import CheckoutSession

from tests.solvapay.either import Either


async def create(call: Either, **named: str) -> CheckoutSession:
    session: CheckoutSession = await call("checkout.create_session", **named)
    return session


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
