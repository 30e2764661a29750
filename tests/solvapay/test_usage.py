"""Tracking usage with the real client: units are floats, the key is a header (contract §3.1, §4.4)."""

from typing import Any
from uuid import uuid4

import pytest
from solvapay.exceptions import InvalidRequestError

from tests.solvapay.either import Either
from tests.solvapay.shop import FREE_UNITS, Shop


async def track(
    call: Either, customer: str, product: str, units: float = 1, key: str | None = None
) -> dict[str, Any]:
    answer: dict[str, Any] = await call(
        "usage.track", customer_ref=customer, product_ref=product, meter_name="requests", units=units,
        idempotency_key=key,
    )  # fmt: skip
    return answer


async def remaining(call: Either, customer: str, product: str) -> float:
    within: float = (await call("limits.check", customer_ref=customer, product_ref=product)).remaining
    return within


@pytest.fixture
def enrolled(shop: Shop, customer: str, product: str) -> str:
    """A customer with the free plan of the product."""
    shop.activate(customer, product, shop.free_plan(product))
    return customer


@pytest.fixture
def metered(shop: Shop, customer: str, product: str) -> str:
    """A customer with 500 credits whose units cost 100 of them."""
    shop.grant(customer, 500)
    shop.activate(customer, product, shop.metered_plan(product, 100))
    return customer


async def test_what_was_used_is_counted(call: Either, enrolled: str, product: str) -> None:
    answer = await track(call, enrolled, product, 2)
    assert answer["success"] is True
    assert answer["reference"].startswith("usage_")
    assert answer["creditDebit"] == {"debited": False, "reason": "plan_not_credit_based"}
    assert await remaining(call, enrolled, product) == FREE_UNITS - 2


async def test_a_repeat_with_its_key_counts_once(call: Either, enrolled: str, product: str) -> None:
    key = uuid4().hex
    first = await track(call, enrolled, product, key=key)
    again = await track(call, enrolled, product, key=key)
    assert (again["success"], again["reference"]) == (True, first["reference"])
    assert again["creditDebit"] == {"debited": False, "reason": "duplicate"}
    assert await remaining(call, enrolled, product) == FREE_UNITS - 1
    other = await track(call, enrolled, product, key=uuid4().hex)
    assert other["reference"] != first["reference"]


async def test_a_key_with_another_meaning_is_a_conflict(call: Either, enrolled: str, product: str) -> None:
    key = uuid4().hex
    await track(call, enrolled, product, key=key)
    with pytest.raises(InvalidRequestError, match="idempotency_conflict") as refused:
        await track(call, enrolled, product, 2, key)
    assert refused.value.status_code == 409
    assert await remaining(call, enrolled, product) == FREE_UNITS - 1


async def test_units_are_paid_from_credits(call: Either, metered: str, product: str) -> None:
    answer = await track(call, metered, product)
    debit = answer["creditDebit"]
    assert (debit["debited"], debit["amount"], debit["unitsRemaining"]) == (True, 100, 4)
    assert (await call("customers.balance", metered)).credits == 400


async def test_a_repeat_with_its_key_is_paid_once(call: Either, metered: str, product: str) -> None:
    key = uuid4().hex
    await track(call, metered, product, 2, key)
    again = await track(call, metered, product, 2, key)
    assert again["creditDebit"] == {"debited": False, "reason": "duplicate"}
    assert (await call("customers.balance", metered)).credits == 300


async def test_what_lies_beyond_the_limit_is_still_taken(call: Either, enrolled: str, product: str) -> None:
    assert (await track(call, enrolled, product, FREE_UNITS + 1))["success"] is True
    checked = await call("limits.check", customer_ref=enrolled, product_ref=product)
    assert not checked.within_limits
    assert checked.remaining <= 0


async def test_an_unknown_customer_is_no_error_and_no_debit(call: Either, product: str) -> None:
    for nobody in ("cus_NOBODY", "anonymous"):
        answer = await track(call, nobody, product)
        assert answer["success"] is True
        assert answer["creditDebit"] == {"debited": False, "reason": "customer_not_found"}


async def test_without_a_purchase_nothing_is_paid(call: Either, customer: str, product: str) -> None:
    answer = await track(call, customer, product)
    assert answer["creditDebit"] == {"debited": False, "reason": "no_active_purchase"}


async def test_a_meter_nobody_made_does_no_harm(call: Either, enrolled: str, product: str) -> None:
    answer = await call(
        "usage.track", customer_ref=enrolled, product_ref=product, meter_name="pages read", units=1
    )
    assert answer["success"] is True


async def test_nothing_may_be_used(call: Either, enrolled: str, product: str) -> None:
    assert (await track(call, enrolled, product, 0))["success"] is True
    assert await remaining(call, enrolled, product) == FREE_UNITS


@pytest.mark.parametrize("units", [1.5, -1, 100_001])
async def test_units_are_whole_and_bounded(call: Either, enrolled: str, product: str, units: float) -> None:
    with pytest.raises(InvalidRequestError, match="Validation failed") as refused:
        await track(call, enrolled, product, units)
    assert refused.value.status_code == 400
    assert '"units"' in refused.value.body
    assert await remaining(call, enrolled, product) == FREE_UNITS
