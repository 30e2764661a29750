"""What `ports.Products` promises, on every adapter."""

from datetime import timedelta

import msgspec
import pytest

from meterhouse.model.customer import Deletion
from meterhouse.model.errors import (
    ProductNameTaken,
    ProductNotFound,
    ReferenceTaken,
)
from meterhouse.model.product import NewProduct, ProductConfig, ProductDetails, ProductQuestion
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog
from tests.contract.catalogs import OpenedCatalog


async def test_a_product_changes_only_what_is_said(catalog: Catalog, caller: Caller) -> None:
    config = ProductConfig(fulfillment_type="digital", validity_period=30.0)
    new = NewProduct(name="API", type="llm", is_mcp_pay=True, config=config, metadata={"n": 1})
    before = await catalog.products.create(caller, new)
    after = await catalog.products.change(
        caller, before.ref, ProductDetails(status="inactive", config=ProductConfig(delivery_method="api"))
    )
    expected = msgspec.structs.replace(
        before,
        status="inactive",
        config='{"deliveryMethod":"api","fulfillmentType":"digital","validityPeriod":30}',
    )
    assert after == expected
    assert await catalog.products.get(caller.scope.id, before.ref) == expected
    assert (after.product_type, after.is_mcp_pay, after.metadata) == ("llm", True, '{"n":1}')


async def test_a_product_has_its_name_for_itself(catalog: Catalog, caller: Caller, live: Caller) -> None:
    await catalog.products.create(caller, NewProduct(name="API"))
    other = await catalog.products.create(caller, NewProduct(name="Other", reference="prd_other"))
    with pytest.raises(ProductNameTaken):
        await catalog.products.create(caller, NewProduct(name="API"))
    with pytest.raises(ProductNameTaken):
        await catalog.products.change(caller, other.ref, ProductDetails(name="API"))
    with pytest.raises(ProductNameTaken):
        await catalog.products.clone(caller, other.ref, "API")
    with pytest.raises(ReferenceTaken):
        await catalog.products.create(caller, NewProduct(name="Third", reference="prd_other"))
    await catalog.products.create(live, NewProduct(name="API"))


async def test_a_clone_is_a_copy_under_a_new_ref_and_name(catalog: Catalog, caller: Caller) -> None:
    original = await catalog.products.create(caller, NewProduct(name="A" * 100, description="Good."))
    clones = [await catalog.products.clone(caller, original.ref, None) for _ in range(2)]
    assert [clone.name for clone in clones] == ["A" * 93 + " (Copy)", "A" * 91 + " (Copy 2)"]
    assert {clone.description for clone in clones} == {"Good."}
    assert len({original.ref, *(clone.ref for clone in clones)}) == 3


async def test_products_are_paged_and_filtered(
    opened: OpenedCatalog, catalog: Catalog, caller: Caller
) -> None:
    for number in range(5):
        opened.clock.advance(timedelta(seconds=1))
        await catalog.products.create(
            caller,
            NewProduct(
                name=f"Product {number}",
                description="special" if number == 3 else None,
                status="inactive" if number == 4 else None,
                is_mcp_pay=number == 2,
            ),
        )

    async def names(question: ProductQuestion) -> tuple[list[str], int]:
        page = await catalog.products.page(caller.scope.id, question)
        return [product.name.removeprefix("Product ") for product in page.products], page.total

    assert await names(ProductQuestion(limit=2, offset=1)) == (["3", "2"], 5)
    assert await names(ProductQuestion(offset=9)) == ([], 5)
    assert await names(ProductQuestion(search="SPECIAL")) == (["3"], 1)
    assert await names(ProductQuestion(search="product 1")) == (["1"], 1)
    assert await names(ProductQuestion(status="inactive")) == (["4"], 1)
    assert await names(ProductQuestion(is_mcp_pay=True)) == (["2"], 1)
    assert await names(ProductQuestion(is_mcp_pay=False, status="active")) == (["3", "1", "0"], 3)


async def test_a_deleted_product_leaves_its_name_free(catalog: Catalog, caller: Caller, live: Caller) -> None:
    for who, outcome in ((caller, Deletion.DELETED), (live, Deletion.SOFT_DELETED)):
        product = await catalog.products.create(who, NewProduct(name="API"))
        assert await catalog.products.delete(who, product.ref) is outcome
        assert await catalog.products.get(who.scope.id, product.ref) is None
        with pytest.raises(ProductNotFound):
            await catalog.products.delete(who, product.ref)
        await catalog.products.create(who, NewProduct(name="API"))
