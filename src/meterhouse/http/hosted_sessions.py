"""Customer sessions, checkout sessions and user info over HTTP (contract §3.3, §3.7)."""

import hmac
from functools import partial
from typing import Final, Literal

import msgspec
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from meterhouse.http import cookies
from meterhouse.http.customers import CustomerAnswer, customer_answer
from meterhouse.http.hosted import Addresses
from meterhouse.http.query_string import AnyRequest
from meterhouse.http.refs import CustomerBody, CustomerNames, check_refs
from meterhouse.http.render import iso
from meterhouse.http.user_info import UserAnswer, UserInfoAnswer, sentence, user_purchase
from meterhouse.metering.purchases import PurchaseViews
from meterhouse.model import text
from meterhouse.model.customer import Customer
from meterhouse.model.errors import (
    CustomerNotFound,
    FieldError,
    PlanNotFound,
    ProductNotFound,
    SessionNotFound,
    ValidationFailed,
)
from meterhouse.model.hosted import HostedKind, HostedStatus, NewHosted, Purpose
from meterhouse.model.once import Once
from meterhouse.model.product import Product
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog

_ID_CHARACTERS: Final = 32


class CustomerSessionBody(CustomerBody, rename="camel"):
    """productRef: the product that the page is about; left out, all that the customer has."""

    product_ref: str | None = None


class CustomerSessionAnswer(Struct, rename="camel"):
    """customerUrl: good for 15 minutes, for whoever has it."""

    session_id: str
    customer_url: str


class CustomerSessionState(Struct, rename="camel", kw_only=True):
    session_id: str
    status: HostedStatus
    customer_url: str
    customer: CustomerAnswer
    created_at: str
    updated_at: str
    expires_at: str


class CheckoutSessionBody(CustomerBody, rename="camel"):
    """planRef: left out, the customer chooses. purpose credit_topup needs no product.

    returnUrl: where the customer goes afterwards. cancelUrl: where the page leads back to, without buying;
    left out, to returnUrl. Both are http or https addresses.
    """

    product_ref: str | None = None
    plan_ref: str | None = None
    purpose: Literal["credit_topup"] | None = None
    return_url: str | None = None
    cancel_url: str | None = None


class CheckoutSessionAnswer(Struct, rename="camel"):
    """checkoutUrl: good for 15 minutes and one purchase."""

    session_id: str
    checkout_url: str


class UserInfoBody(CustomerBody, rename="camel"):
    product_ref: str | None = None


class HostedRoutes:
    """Opens the hosted pages of a customer, and answers its user info."""

    def __init__(self, catalog: Catalog, views: PurchaseViews, addresses: Addresses) -> None:
        self._catalog = catalog
        self._views = views
        self._addresses = addresses
        self._names = CustomerNames(catalog.directory)

    async def open_customer(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        request: AnyRequest,
        data: JSONBody[CustomerSessionBody],
    ) -> CustomerSessionAnswer:
        """Make a link to the customer's own page."""
        await self._names.resolve(caller, data)
        check_refs({"customerRef": data.customer_ref}, {"productRef": data.product_ref})
        customer = await self._customer(caller, data.customer_ref or "")
        if data.product_ref is not None:
            await self._product(caller, data.product_ref)
        new = NewHosted(kind=HostedKind.CUSTOMER, customer_ref=customer.ref, product_ref=data.product_ref)
        session_id, url = await self._open(caller, new, request, key)
        return CustomerSessionAnswer(session_id, url)

    async def customer_session(
        self, caller: NamedDependency[Caller], request: AnyRequest, session_id: FromPath[str]
    ) -> CustomerSessionState:
        """Get a customer session with its customer."""
        session = await self._catalog.hosted.find(session_id)
        if session is None or (session.scope_id, session.kind) != (caller.scope.id, HostedKind.CUSTOMER):
            raise SessionNotFound(f"Customer session not found: {session_id[:64]}")
        customer = await self._customer(caller, session.customer_ref)
        return CustomerSessionState(
            session_id=session_id,
            status=session.status_at(self._catalog.hosted.now()),
            customer_url=self._addresses.of(session.kind, session_id, dict(request.scope["headers"])),
            customer=customer_answer(customer, await self._views.active_of(caller.scope.id, customer.ref)),
            created_at=iso(session.created_at),
            updated_at=iso(session.updated_at),
            expires_at=iso(session.expires_at),
        )

    async def open_checkout(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        request: AnyRequest,
        data: JSONBody[CheckoutSessionBody],
    ) -> CheckoutSessionAnswer:
        """Make a link to a page where the customer buys a plan, or credits."""
        await self._names.resolve(caller, data)
        required = {"customerRef": data.customer_ref}
        if data.purpose is None:
            required["productRef"] = data.product_ref
        check_refs(required, {"productRef": data.product_ref, "planRef": data.plan_ref})
        urls = {"returnUrl": data.return_url, "cancelUrl": data.cancel_url}
        faults = [
            FieldError(path, fault)
            for path, url in urls.items()
            if url is not None and (fault := text.url_fault(url))
        ]
        if faults:
            raise ValidationFailed(faults)
        customer = await self._customer(caller, data.customer_ref or "")
        if data.product_ref is not None:
            await self._product(caller, data.product_ref)
        if data.plan_ref is not None:
            plan = await self._catalog.plans.get(caller.scope.id, data.plan_ref)
            if plan is None or plan.product_ref != data.product_ref:
                raise PlanNotFound
        new = NewHosted(
            kind=HostedKind.CHECKOUT,
            customer_ref=customer.ref,
            product_ref=data.product_ref,
            plan_ref=data.plan_ref,
            purpose=Purpose.PRODUCT if data.purpose is None else Purpose.CREDIT_TOPUP,
            return_url=data.return_url,
            cancel_url=data.cancel_url,
        )
        session_id, url = await self._open(caller, new, request, key)
        return CheckoutSessionAnswer(session_id, url)

    async def user_info(
        self, caller: NamedDependency[Caller], request: AnyRequest, data: JSONBody[UserInfoBody]
    ) -> UserInfoAnswer:
        """Get a customer, its purchase of a product, and the usage of that purchase."""
        await self._names.resolve(caller, data)
        check_refs({"customerRef": data.customer_ref, "productRef": data.product_ref})
        customer = await self._customer(caller, data.customer_ref or "")
        product = await self._product(caller, data.product_ref or "")
        views = await self._views.active_of(caller.scope.id, customer.ref)
        view = next((each for each in views if each.purchase.product_ref == product.ref), None)
        new = NewHosted(kind=HostedKind.CUSTOMER, customer_ref=customer.ref, product_ref=product.ref)
        _, url = await self._open(caller, new, request)
        info = UserInfoAnswer(
            status=f"No active purchase: {product.name}",
            user=UserAnswer(customer.ref, customer.name, customer.email, customer.external_ref),
            verify_url=url,
        )
        if view is not None:
            info.status, info.purchase = sentence(view), user_purchase(view)
        return info

    async def _open(
        self, caller: Caller, new: NewHosted, request: AnyRequest, key: str | None = None
    ) -> tuple[str, str]:
        """Return the id and the address of a session. A repeated key returns them again until they expire."""
        headers = dict(request.scope["headers"])
        once = Once.of(f"create{new.kind.capitalize()}Session", key, _meaning(new))
        if key is None:
            session_id = await self._catalog.hosted.open(caller.scope.id, new)
        else:
            ids = partial(_repeatable_id, headers, new.kind, key)
            session_id = await self._catalog.hosted.open(caller.scope.id, new, once, ids)
        return session_id, self._addresses.of(new.kind, session_id, headers)

    async def _customer(self, caller: Caller, ref: str) -> Customer:
        customer = await self._catalog.customers.get(caller.scope.id, ref)
        if customer is None:
            raise CustomerNotFound.named(ref)
        return customer

    async def _product(self, caller: Caller, ref: str) -> Product:
        product = await self._catalog.products.get(caller.scope.id, ref)
        if product is None:
            raise ProductNotFound
        return product


def _meaning(new: NewHosted) -> dict[str, object]:
    """Return the meaning of a key. A field that was added later counts only where it is given."""
    meaning = msgspec.structs.asdict(new)
    if new.cancel_url is None:
        del meaning["cancel_url"]
    return meaning


def _repeatable_id(headers: dict[bytes, bytes], kind: HostedKind, key: str, opening: int) -> str:
    """Return the session id that a caller's idempotency key stands for. opening: see `SessionIds`.

    The store keeps no ids: a repeat computes the id again, which needs the caller's own secret.
    """
    secret = headers.get(b"authorization") or (cookies.secret_of(headers) or "").encode()
    name = f"{kind} session {key}" + (f" {opening}" if opening else "")
    return hmac.digest(secret, name.encode(), "sha256").hex()[:_ID_CHARACTERS]
