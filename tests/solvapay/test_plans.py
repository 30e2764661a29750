"""Plans as the real client sees them (contract §3.5)."""

from uuid import uuid4

import pytest
from solvapay.exceptions import InvalidRequestError, NotFoundError
from solvapay.models import Plan

from tests.solvapay.either import Either
from tests.solvapay.shop import Shop


async def create(call: Either, product: str, key: str | None = None) -> Plan:
    made: Plan = await call(
        "plans.create", product, name="Pro", type="recurring", price=2999.0, currency="USD",
        interval="month", idempotency_key=key,
    )  # fmt: skip
    return made


async def test_a_plan_is_what_was_said_of_it(call: Either, product: str) -> None:
    made = await create(call, product)
    assert made.reference.startswith("pln_")
    assert (made.name, made.type, made.price, made.currency) == ("Pro", "recurring", 2999, "USD")
    assert made.status == "active"
    assert await call("plans.list", product) == [made]


async def test_what_the_client_calls_interval_is_the_billing_cycle(
    call: Either, shop: Shop, product: str
) -> None:
    made = await create(call, product)
    plan = shop.read(f"/v1/sdk/products/{product}/plans/{made.reference}")
    assert plan["billingCycle"] == "monthly"
    assert isinstance(plan["price"], int)
    await call("plans.update", product, made.reference, interval="year")
    assert shop.read(f"/v1/sdk/products/{product}/plans/{made.reference}")["billingCycle"] == "yearly"


async def test_a_plan_needs_a_name_and_a_type_only(call: Either, product: str) -> None:
    made: Plan = await call("plans.create", product, name="Free", type="recurring")
    assert (made.name, made.type, made.price) == ("Free", "recurring", 0)


@pytest.mark.parametrize("kind", ["recurring", "usage-based", "hybrid", "one-time"])
async def test_there_are_four_types_of_plan(call: Either, product: str, kind: str) -> None:
    made: Plan = await call("plans.create", product, name="Some plan", type=kind, price=100)
    assert made.type == kind


async def test_a_type_nobody_knows_is_recurring(call: Either, product: str) -> None:
    made: Plan = await call("plans.create", product, name="Some plan", type="perpetual")
    assert made.type == "recurring"


async def test_a_repeat_with_its_key_makes_one_plan(call: Either, product: str) -> None:
    key = uuid4().hex
    made = await create(call, product, key)
    assert await create(call, product, key) == made
    assert await call("plans.list", product) == [made]


async def test_an_update_changes_what_it_says_and_leaves_the_rest(call: Either, product: str) -> None:
    made = await create(call, product)
    dearer: Plan = await call("plans.update", product, made.reference, price=3999.0)
    assert dearer == made.model_copy(update={"price": 3999})
    renamed: Plan = await call("plans.update", product, made.reference, name="Max")
    assert renamed == dearer.model_copy(update={"name": "Max"})
    assert await call("plans.list", product) == [renamed]


async def test_a_deleted_plan_is_gone(call: Either, product: str) -> None:
    made = await create(call, product)
    assert await call("plans.delete", product, made.reference) == {"success": True}
    assert await call("plans.list", product) == []
    with pytest.raises(NotFoundError, match="plan_not_found"):
        await call("plans.delete", product, made.reference)
    with pytest.raises(NotFoundError, match="plan_not_found"):
        await call("plans.update", product, made.reference, name="Max")


async def test_a_plan_is_found_under_its_own_product_alone(call: Either, shop: Shop, product: str) -> None:
    plan = shop.free_plan(product)
    other = shop.product()
    with pytest.raises(NotFoundError, match="plan_not_found"):
        await call("plans.update", other, plan, name="Max")
    with pytest.raises(NotFoundError, match="plan_not_found"):
        await call("plans.delete", other, plan)
    with pytest.raises(NotFoundError, match="product_not_found"):
        await call("plans.list", "prd_NOTHING")
    with pytest.raises(NotFoundError, match="product_not_found"):
        await create(call, "prd_NOTHING")


@pytest.mark.parametrize("price", [-1, 10_000_001])
async def test_a_price_is_bounded(call: Either, product: str, price: int) -> None:
    with pytest.raises(InvalidRequestError, match="Validation failed") as refused:
        await call("plans.create", product, name="Pro", type="recurring", price=price)
    assert refused.value.status_code == 400
