"""Purchases as the real client sees them: activated, cancelled, taken up again (contract §3.2, §3.6)."""

from uuid import uuid4

import pytest
from solvapay.exceptions import InvalidRequestError, NotFoundError
from solvapay.models import Purchase

from tests.solvapay.either import Either
from tests.solvapay.shop import MONTHLY, Shop


@pytest.fixture
def purchase(shop: Shop, customer: str, product: str) -> str:
    return shop.purchased(product, customer, **MONTHLY)


async def purchases_of(call: Either, customer: str) -> list[Purchase]:
    bought: list[Purchase] = (await call("customers.get", customer)).purchases
    return bought


async def test_what_is_activated_is_the_customers(
    call: Either, shop: Shop, customer: str, product: str
) -> None:
    plan = shop.plan(product, **MONTHLY)
    activated = shop.activate(customer, product, plan)
    assert activated["status"] == "activated"
    (bought,) = await purchases_of(call, customer)
    assert bought.reference == activated["purchaseRef"]
    assert (bought.product_ref, bought.plan_ref, bought.status) == (product, plan, "active")
    assert (bought.amount, bought.currency, bought.cancelled_at) == (0, "USD", None)
    assert bought.product_name is not None
    assert bought.start_date.endswith("Z")
    again = shop.activate(customer, product, plan)
    assert again["status"] == "already_active"
    assert await purchases_of(call, customer) == [bought]


async def test_another_plan_takes_the_place_of_the_first(
    call: Either, shop: Shop, customer: str, product: str, purchase: str
) -> None:
    plan = shop.free_plan(product, units=10)
    assert shop.activate(customer, product, plan)["status"] == "activated"
    (bought,) = await purchases_of(call, customer)
    assert bought.reference != purchase
    assert bought.plan_ref == plan
    checked = await call("limits.check", customer_ref=customer, product_ref=product)
    assert (checked.plan, checked.remaining) == (plan, 10)


async def test_a_priced_plan_wants_paying_first(
    call: Either, shop: Shop, customer: str, product: str
) -> None:
    answer = shop.activate(customer, product, shop.plan(product, type="recurring", price=2999))
    assert answer["status"] == "payment_required"
    assert answer["checkoutSessionId"] in answer["checkoutUrl"]
    assert await purchases_of(call, customer) == []


async def test_a_plan_changed_later_changes_nothing_that_was_bought(
    call: Either, shop: Shop, product: str, purchase: str
) -> None:
    before = shop.read(f"/v1/sdk/purchases/{purchase}")["planSnapshot"]
    await call("plans.update", product, before["reference"], name="Dearer", price=100)
    assert shop.read(f"/v1/sdk/purchases/{purchase}")["planSnapshot"] == before
    await call("plans.delete", product, before["reference"])
    assert shop.read(f"/v1/sdk/purchases/{purchase}")["planSnapshot"] == before


async def test_what_is_cancelled_lasts_until_its_period_ends(
    call: Either, customer: str, product: str, purchase: str
) -> None:
    answer = await call("purchases.cancel", purchase, reason="Too expensive")
    assert answer["success"] is True
    cancelled = answer["purchase"]
    assert (cancelled["reference"], cancelled["status"]) == (purchase, "active")
    assert cancelled["cancelledAt"]
    assert cancelled["autoRenew"] is False
    assert cancelled["cancellationReason"] == "Too expensive"
    (bought,) = await purchases_of(call, customer)
    assert (bought.status, bought.cancelled_at) == ("active", cancelled["cancelledAt"])
    assert (await call("limits.check", customer_ref=customer, product_ref=product)).within_limits


async def test_what_is_taken_up_again_goes_on(call: Either, customer: str, purchase: str) -> None:
    await call("purchases.cancel", purchase)
    answer = await call("purchases.reactivate", purchase)
    assert answer["success"] is True
    assert (answer["purchase"]["reference"], answer["purchase"]["status"]) == (purchase, "active")
    assert not answer["purchase"].get("cancelledAt")
    assert answer["purchase"]["autoRenew"] is True
    (bought,) = await purchases_of(call, customer)
    assert bought.cancelled_at is None


async def test_only_what_was_cancelled_can_be_taken_up_again(call: Either, purchase: str) -> None:
    with pytest.raises(
        InvalidRequestError, match=r"cannot be reactivated|not pending cancellation"
    ) as refused:
        await call("purchases.reactivate", purchase)
    assert refused.value.status_code == 400


async def test_a_repeat_with_its_key_answers_the_same(call: Either, purchase: str) -> None:
    key = uuid4().hex
    for operation in ("cancel", "reactivate"):
        first = await call(f"purchases.{operation}", purchase, idempotency_key=key)
        assert await call(f"purchases.{operation}", purchase, idempotency_key=key) == first


async def test_an_unknown_purchase_is_not_found(call: Either) -> None:
    with pytest.raises(NotFoundError, match="purchase_not_found"):
        await call("purchases.cancel", "pur_NOTHING")
    with pytest.raises(NotFoundError, match="purchase_not_found"):
        await call("purchases.reactivate", "pur_NOTHING")
