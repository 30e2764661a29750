"""Purchases and activation over HTTP (contract §3.6, §3.2)."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Final

import msgspec
from litestar import MediaType
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream
from msgspec import UNSET, Struct, UnsetType

from meterhouse.http.hosted import Addresses
from meterhouse.http.purchase_answer import PurchaseAnswer, purchase_answer
from meterhouse.http.query_string import AnyRequest
from meterhouse.http.refs import CustomerBody, CustomerNames, CustomerRef, ExternalRef, check_refs
from meterhouse.metering.purchases import (
    ActivationOutcome,
    Activations,
    ActivationStatus,
    PurchaseViews,
)
from meterhouse.model.errors import (
    CustomerNotFound,
    ProductNotFound,
    PurchaseNotFound,
    ValidationFailed,
)
from meterhouse.model.hosted import HostedKind
from meterhouse.model.once import Once
from meterhouse.model.purchase import PurchaseQuestion, PurchaseStatus
from meterhouse.model.ref import MAX_CHARACTERS as MAX_REF
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog

_MAX_REASON: Final = 1_000


class PurchasesAnswer(Struct):
    purchases: tuple[PurchaseAnswer, ...]


LISTED: Final = {
    200: ResponseSpec(PurchasesAnswer, description="Purchases, the newest first", generate_examples=False)
}
"""What the lists answer, for /openapi.json: they are written piece by piece."""


class PurchaseChanged(Struct):
    purchase: PurchaseAnswer
    success: bool = True


class CancelBody(Struct):
    """reason: what the customer said, up to 1000 characters."""

    reason: str | None = None


class ActivateBody(CustomerBody, rename="camel"):
    product_ref: str | None = None
    plan_ref: str | None = None


class ActivationAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """See the contract for which fields come with which status."""

    status: ActivationStatus
    purchase_ref: str | UnsetType = UNSET
    credit_balance: int | UnsetType = UNSET
    credits_per_unit: int | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    checkout_url: str | UnsetType = UNSET
    checkout_session_id: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


class PurchaseRoutes:
    def __init__(
        self, catalog: Catalog, views: PurchaseViews, activations: Activations, addresses: Addresses
    ) -> None:
        self._catalog = catalog
        self._views = views
        self._activations = activations
        self._addresses = addresses
        self._names = CustomerNames(catalog.directory)

    async def matching(
        self,
        caller: NamedDependency[Caller],
        status: Annotated[PurchaseStatus | None, QueryParameter()] = None,
        product_ref: Annotated[str | None, QueryParameter(name="productRef", max_length=MAX_REF)] = None,
        customer_ref: CustomerRef = None,
        external_ref: ExternalRef = None,
        include_free: Annotated[bool, QueryParameter(name="includeFree")] = True,  # noqa: FBT002 - of the query
    ) -> Stream:
        """List purchases, ended ones too, the newest first."""
        customer_ref = await self._names.ref(caller, customer_ref, external_ref)
        question = PurchaseQuestion(customer_ref=customer_ref, product_ref=product_ref)
        return await self._list(caller, question, status=status, include_free=include_free)

    async def of_customer(
        self,
        caller: NamedDependency[Caller],
        reference: FromPath[str],
        include_free: Annotated[bool, QueryParameter(name="includeFree")] = True,  # noqa: FBT002 - of the query
    ) -> Stream:
        """List a customer's purchases, ended ones too, the newest first."""
        if await self._catalog.customers.get(caller.scope.id, reference) is None:
            raise CustomerNotFound.named(reference)
        return await self._list(caller, PurchaseQuestion(customer_ref=reference), include_free=include_free)

    async def of_product(self, caller: NamedDependency[Caller], reference: FromPath[str]) -> Stream:
        """List a product's purchases, ended ones too, the newest first."""
        if await self._catalog.products.get(caller.scope.id, reference) is None:
            raise ProductNotFound
        return await self._list(caller, PurchaseQuestion(product_ref=reference))

    async def get(self, caller: NamedDependency[Caller], reference: FromPath[str]) -> PurchaseAnswer:
        """Get a purchase with the plan as it was bought and the usage of the current period."""
        purchase = await self._catalog.purchases.get(caller.scope.id, reference)
        if purchase is None:
            raise PurchaseNotFound
        (view,) = await self._views.of(caller.scope.id, (purchase,))
        return purchase_answer(view)

    async def cancel(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
        data: JSONBody[CancelBody | None] = None,
    ) -> PurchaseChanged:
        """Cancel a purchase; access stays until the current period ends."""
        reason = None if data is None else data.reason
        if reason is not None and len(reason) > _MAX_REASON:
            raise ValidationFailed.of("reason", f"must have at most {_MAX_REASON} characters")
        once = Once.of("cancelPurchase", key, reference, reason)
        purchase = await self._catalog.purchases.cancel(caller, reference, reason, once)
        (view,) = await self._views.of(caller.scope.id, (purchase,))
        return PurchaseChanged(purchase_answer(view))

    async def reactivate(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
    ) -> PurchaseChanged:
        """Undo a cancellation before it takes effect."""
        once = Once.of("reactivatePurchase", key, reference)
        purchase = await self._catalog.purchases.reactivate(caller, reference, once)
        (view,) = await self._views.of(caller.scope.id, (purchase,))
        return PurchaseChanged(purchase_answer(view))

    async def activate(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        request: AnyRequest,
        data: JSONBody[ActivateBody],
    ) -> ActivationAnswer:
        """Give a customer a plan, or answer that it has to be paid or credits have to be bought first."""
        await self._names.resolve(caller, data)
        check_refs(
            {"customerRef": data.customer_ref, "productRef": data.product_ref, "planRef": data.plan_ref}
        )
        outcome = await self._activations.activate(
            caller, data.customer_ref or "", data.product_ref or "", data.plan_ref or "", key
        )
        return self._activation(outcome, request)

    def _activation(self, outcome: ActivationOutcome, request: AnyRequest) -> ActivationAnswer:
        done = ActivationAnswer(status=outcome.status)
        if outcome.message is not None:
            done.message = outcome.message
        if outcome.purchase is not None:
            done.purchase_ref = outcome.purchase.ref
        if outcome.credits is not None and outcome.plan is not None:
            done.credit_balance = outcome.credits
            done.credits_per_unit = outcome.plan.credits_per_unit
            done.currency = outcome.plan.currency
        if outcome.checkout is not None:
            headers = dict(request.scope["headers"])
            done.checkout_session_id = outcome.checkout
            done.checkout_url = self._addresses.of(HostedKind.CHECKOUT, outcome.checkout, headers)
        return done

    async def _list(
        self,
        caller: Caller,
        question: PurchaseQuestion,
        *,
        status: PurchaseStatus | None = None,
        include_free: bool = True,
    ) -> Stream:
        """Answer piece by piece: a million at once took 1.7 GB, and nobody else was answered meanwhile."""
        pages = self._pages(caller.scope.id, question, status, include_free=include_free)
        first = await anext(pages, None)  # what fails here is still answered as an error
        return Stream(_written(first, pages), media_type=MediaType.JSON)

    async def _pages(
        self, scope_id: int, question: PurchaseQuestion, status: PurchaseStatus | None, *, include_free: bool
    ) -> AsyncIterator[Sequence[PurchaseAnswer]]:
        async for page in self._catalog.purchases.matching(scope_id, question):
            yield [
                purchase_answer(view)
                for view in await self._views.of(scope_id, page)
                if status in (None, view.status) and (include_free or view.plan.requires_payment)
            ]


async def _written(
    page: Sequence[PurchaseAnswer] | None, others: AsyncIterator[Sequence[PurchaseAnswer]]
) -> AsyncIterator[bytes]:
    """Yield a PurchasesAnswer as JSON. page: the first one, None where there is none."""
    yield b'{"purchases":['
    separator = b""
    while page is not None:
        if page:
            yield separator + msgspec.json.encode(page)[1:-1]
            separator = b","
        page = await anext(others, None)
    yield b"]}"
