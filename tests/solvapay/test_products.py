"""Products as the real client sees them (contract §3.4)."""

from uuid import uuid4

import pytest
from solvapay.exceptions import InvalidRequestError, NotFoundError
from solvapay.models import Plan, Product

from tests.solvapay.either import Either
from tests.solvapay.shop import Shop, some


async def create(call: Either, name: str, key: str | None = None) -> Product:
    made: Product = await call(
        "products.create", name=name, type="agent", default_currency="USD", idempotency_key=key
    )
    return made


async def test_a_product_is_what_was_said_of_it(call: Either) -> None:
    name = some("Writer")
    made = await create(call, name)
    assert made.reference.startswith("prd_")
    assert (made.name, made.type, made.status) == (name, "agent", "active")
    assert made.default_currency is not None
    assert made.default_currency.upper() == "USD"
    assert made.created_at is not None
    assert await call("products.get", made.reference) == made
    assert made in await call("products.list")


async def test_a_repeat_with_its_key_makes_one_product(call: Either) -> None:
    name, key = some("Writer"), uuid4().hex
    made = await create(call, name, key)
    assert await create(call, name, key) == made
    with pytest.raises(InvalidRequestError) as refused:
        await create(call, some("Another"), key)
    assert refused.value.status_code == 409


async def test_a_clone_has_the_plans_under_new_references(call: Either, shop: Shop, product: str) -> None:
    shop.free_plan(product)
    shop.metered_plan(product)
    name, key = some("Copy"), uuid4().hex
    clone: Product = await call("products.clone", product, new_name=name, idempotency_key=key)
    assert clone.reference != product
    assert clone.name == name
    assert await call("products.clone", product, new_name=name, idempotency_key=key) == clone
    plans: list[Plan] = await call("plans.list", product)
    copies: list[Plan] = await call("plans.list", clone.reference)
    terms = [(plan.name, plan.type, plan.price) for plan in plans]
    assert [(plan.name, plan.type, plan.price) for plan in copies] == terms
    assert len(terms) == 2
    assert not {plan.reference for plan in plans} & {plan.reference for plan in copies}


async def test_a_deleted_product_is_gone(call: Either, product: str) -> None:
    assert await call("products.delete", product) == {"success": True, "action": "deleted"}
    with pytest.raises(NotFoundError, match="product_not_found"):
        await call("products.get", product)
    with pytest.raises(NotFoundError, match="product_not_found"):
        await call("products.delete", product)
    assert product not in {each.reference for each in await call("products.list")}


async def test_an_unknown_product_is_not_found(call: Either) -> None:
    with pytest.raises(NotFoundError, match="product_not_found"):
        await call("products.get", "prd_NOTHING")
    with pytest.raises(NotFoundError, match="product_not_found"):
        await call("products.clone", "prd_NOTHING", new_name="Copy")


async def test_a_name_must_be_two_characters_and_a_products_own(call: Either) -> None:
    with pytest.raises(InvalidRequestError, match="Validation failed") as refused:
        await create(call, "x")
    assert refused.value.status_code == 400
    name = some("Writer")
    await create(call, name)
    with pytest.raises(InvalidRequestError, match="already exists") as refused:
        await create(call, name)
    assert refused.value.status_code == 409
