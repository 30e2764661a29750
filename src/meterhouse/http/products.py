"""Products over HTTP (solvapay.md §3.4)."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Raw, Struct

from meterhouse.http.customers import DeletionAnswer
from meterhouse.http.plans import PlanAnswer, plan_answer
from meterhouse.http.render import iso
from meterhouse.model import product as rules
from meterhouse.model.errors import ProductNotFound
from meterhouse.model.once import Once
from meterhouse.model.plan import Plan
from meterhouse.model.product import (
    CloneDetails,
    NewProduct,
    Product,
    ProductDetails,
    ProductPage,
    ProductQuestion,
)
from meterhouse.model.tenant import Caller
from meterhouse.ports import Plans, Products

_MAX_PAGE: Final = 100
_MAX_OFFSET: Final = 2**53


class ProductAnswer(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """type: productType, or `api`; one client requires it. balance, totalTransactions: kept for clients.

    plans: but for hidden ones.
    """

    reference: str
    name: str
    type: str
    status: str
    balance: int
    total_transactions: int
    is_mcp_pay: bool
    metadata: Raw
    plans: tuple[PlanAnswer, ...]
    created_at: str
    updated_at: str
    description: str = ""
    product_type: str = ""
    image_url: str = ""
    tax_behavior: str = ""
    default_currency: str = ""
    config: Raw | None = None


class ProductsAnswer(Struct):
    """total: over all pages. limit: the one used, 1 to 100."""

    products: tuple[ProductAnswer, ...]
    total: int
    limit: int
    offset: int


class ProductRoutes:
    def __init__(self, products: Products, plans: Plans) -> None:
        self._products = products
        self._plans = plans

    async def page(
        self,
        caller: NamedDependency[Caller],
        limit: Annotated[int, QueryParameter()] = 50,
        offset: Annotated[int, QueryParameter(ge=0, le=_MAX_OFFSET)] = 0,
        search: Annotated[str | None, QueryParameter(max_length=200)] = None,
        status: Annotated[Literal["active", "inactive", "suspended"] | None, QueryParameter()] = None,
        is_mcp_pay: Annotated[bool | None, QueryParameter(name="isMcpPay")] = None,
    ) -> ProductsAnswer:
        """List products, the newest first; `search` looks in name and description."""
        limit = min(max(limit, 1), _MAX_PAGE)  # the contract clamps
        page = await self._products.page(
            caller.scope.id,
            ProductQuestion(limit=limit, offset=offset, search=search, status=status, is_mcp_pay=is_mcp_pay),
        )
        return await self._listed(caller, page, limit, offset, hidden=False)

    async def whole(
        self,
        caller: NamedDependency[Caller],
        limit: Annotated[int, QueryParameter(ge=1, le=_MAX_PAGE)] = 50,
        offset: Annotated[int, QueryParameter(ge=0, le=_MAX_OFFSET)] = 0,
    ) -> ProductsAnswer:
        """List products, the newest first, with all their plans: hidden ones too."""
        page = await self._products.page(caller.scope.id, ProductQuestion(limit=limit, offset=offset))
        return await self._listed(caller, page, limit, offset, hidden=True)

    async def create(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        data: JSONBody[NewProduct],
    ) -> ProductAnswer:
        """Create a product; its name is its own in the provider's environment."""
        rules.check_new(data)
        once = Once.of("createProduct", key, data)
        return await self._with_plans(caller, await self._products.create(caller, data, once))

    async def get(self, caller: NamedDependency[Caller], reference: FromPath[str]) -> ProductAnswer:
        """Get a product with its plans."""
        product = await self._products.get(caller.scope.id, reference)
        if product is None:
            raise ProductNotFound
        return await self._with_plans(caller, product)

    async def change(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
        data: JSONBody[ProductDetails],
    ) -> ProductAnswer:
        """Change what the body says, leave the rest."""
        rules.check_details(data)
        once = Once.of("updateProduct", key, reference, data)
        return await self._with_plans(caller, await self._products.change(caller, reference, data, once))

    async def delete(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
    ) -> DeletionAnswer:
        """Delete a product; in live hide it, or deactivate it where it was sold."""
        once = Once.of("deleteProduct", key, reference)
        return DeletionAnswer(await self._products.delete(caller, reference, once))

    async def clone(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
        data: JSONBody[CloneDetails | None] = None,
    ) -> ProductAnswer:
        """Copy a product and its plans under new references."""
        name = rules.clone_name(data or CloneDetails())
        once = Once.of("cloneProduct", key, reference, name)
        return await self._with_plans(caller, await self._products.clone(caller, reference, name, once))

    async def _listed(
        self, caller: Caller, page: ProductPage, limit: int, offset: int, *, hidden: bool
    ) -> ProductsAnswer:
        refs = [product.ref for product in page.products]
        plans_of = await self._plans.of_products(caller.scope.id, refs, hidden=hidden)
        products = tuple(_answer(product, plans_of[product.ref]) for product in page.products)
        return ProductsAnswer(products, page.total, limit, offset)

    async def _with_plans(self, caller: Caller, product: Product) -> ProductAnswer:
        """Also where a repeat answers the product as it was, its plans are those of now."""
        return _answer(product, await self._plans.of_product(caller.scope.id, product.ref, hidden=False))


def _answer(product: Product, plans: Sequence[Plan]) -> ProductAnswer:
    return ProductAnswer(
        reference=product.ref,
        name=product.name,
        type=product.product_type or "api",
        status=product.status,
        balance=0,
        total_transactions=0,
        is_mcp_pay=product.is_mcp_pay,
        metadata=Raw(product.metadata),
        plans=tuple(map(plan_answer, plans)),
        created_at=iso(product.created_at),
        updated_at=iso(product.updated_at),
        description=product.description,
        product_type=product.product_type,
        image_url=product.image_url,
        tax_behavior=product.tax_behavior,
        default_currency=product.default_currency,
        config=Raw(product.config),
    )
