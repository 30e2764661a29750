"""The limit check: may this customer go on, and what has it to do if not (contract §3.2, §4.2)."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct

from meterhouse.metering.access import NONE, UNLIMITED, Access, access
from meterhouse.metering.decide import decide
from meterhouse.model.errors import CustomerNotFound, ProductNotFound, PurchaseNotReactivable
from meterhouse.model.hold import Hold
from meterhouse.model.hosted import HostedKind, NewHosted
from meterhouse.model.ledger import Account, Recording, Reserve, Reserved
from meterhouse.model.plan import Plan, PlanType
from meterhouse.model.product import Product
from meterhouse.model.purchase import Origin, Purchase, Sale
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog, Ledger

_REMEMBERED: Final = 10_000
_REMEMBERED_SECONDS: Final = 0.5


class Reservation(Struct, frozen=True):
    """units: billionths. ttl_us: how long they are kept."""

    units: int
    ttl_us: int
    key: str | None


class LimitQuestion(Struct, frozen=True, kw_only=True):
    """with_session: open the hosted page that the customer needs. reserve: take units if they are free."""

    customer_ref: str
    product_ref: str
    meter_name: str | None = None
    with_session: bool = False
    reserve: Reservation | None = None


class LimitFinding(Struct, frozen=True, kw_only=True):
    """account: what was decided by. hold: what was reserved; a new one is not in the account yet.

    default: the plan that the customer has to activate first; offered: what it may choose from then.
    session: kind and id of the hosted page that was opened.
    """

    product: Product
    account: Account
    access: Access
    hold: Hold | None = None
    is_new_hold: bool = False
    default: Plan | None = None
    offered: Sequence[Plan] = ()
    session: tuple[HostedKind, str] | None = None


class Limits:
    def __init__(self, ledger: Ledger, catalog: Catalog) -> None:
        self._ledger = ledger
        self._catalog = catalog
        self._products: dict[tuple[int, str], tuple[Product, float]] = {}

    async def check(self, caller: Caller, asked: LimitQuestion) -> LimitFinding:
        """Answer a limit check; a customer without a purchase is first enrolled in a free default plan.

        Raises CustomerNotFound, ProductNotFound; with `reserve` IdempotencyConflict and Unavailable.
        """
        scope_id = caller.scope.id
        product = await self._product(scope_id, asked.product_ref)
        if product is None:
            await self._check_customer(scope_id, asked.customer_ref)
            raise ProductNotFound
        tried = await self._try(scope_id, asked)
        if not tried.account.has_access:  # who has a purchase that gives access exists
            await self._check_customer(scope_id, asked.customer_ref)
            if tried.hold is None:  # else it is a repeat, whatever came between
                default = await self._catalog.plans.default_of(scope_id, asked.product_ref)
                if default is None or not await self._is_sold(scope_id, product.ref):
                    return await self._denied(scope_id, asked, product, tried.account)
                if default.requires_payment or default.type is PlanType.USAGE_BASED:
                    return await self._activation_required(scope_id, asked, product, default)
                if not _is_over(tried.account.purchase, default):
                    await self._enrol(caller, asked.customer_ref, default)
                    tried = await self._try(scope_id, asked)
        if tried.hold is not None:
            return _granted(product, tried, tried.hold)
        found = access(tried.account)
        if asked.reserve is not None or not found.within:
            return await self._denied(scope_id, asked, product, tried.account)
        return LimitFinding(product=product, account=tried.account, access=found)

    async def _try(self, scope_id: int, asked: LimitQuestion) -> Reserved:
        """Reserve what is to be reserved, or else look."""
        if asked.reserve is None:
            return Reserved(
                await self._ledger.standing(scope_id, asked.customer_ref, asked.product_ref), None
            )
        action = Reserve(
            scope_id=scope_id,
            customer_ref=asked.customer_ref,
            product_ref=asked.product_ref,
            units=asked.reserve.units,
            ttl_us=asked.reserve.ttl_us,
            key=asked.reserve.key,
        )
        (outcome,) = await self._ledger.record(Recording((action,), decide))
        assert isinstance(outcome, Reserved)  # noqa: S101 - the outcome of a Reserve
        return outcome

    async def _check_customer(self, scope_id: int, ref: str) -> None:
        if not await self._catalog.directory.known_customers(scope_id, (ref,)):
            raise CustomerNotFound.named(ref)

    async def _product(self, scope_id: int, ref: str) -> Product | None:
        """Return a product. That it is there is looked up; how it was named half a second ago may be said."""
        known = self._products.get((scope_id, ref))
        if (
            known is not None
            and time.monotonic() < known[1]
            and await self._catalog.directory.known_products(scope_id, (ref,))
        ):
            return known[0]
        product = await self._catalog.products.get(scope_id, ref)
        if product is None:
            return None
        if len(self._products) >= _REMEMBERED:
            self._products.clear()
        self._products[scope_id, ref] = (product, time.monotonic() + _REMEMBERED_SECONDS)
        return product

    async def _is_sold(self, scope_id: int, product_ref: str) -> bool:
        product = await self._catalog.products.get(scope_id, product_ref)
        return product is not None and product.is_active

    async def _enrol(self, caller: Caller, customer_ref: str, default: Plan) -> None:
        sale = Sale(customer_ref=customer_ref, plan=default, origin=Origin.FREE_DEFAULT, paid=False)
        with suppress(PurchaseNotReactivable):  # then it stays without access
            await self._catalog.purchases.activate(caller, sale)

    async def _denied(
        self, scope_id: int, asked: LimitQuestion, product: Product, account: Account
    ) -> LimitFinding:
        left = Access(within=False, remaining=access(account).remaining)
        session = await self._open(scope_id, asked, HostedKind.CHECKOUT)
        return LimitFinding(product=product, account=account, access=left, session=session)

    async def _activation_required(
        self, scope_id: int, asked: LimitQuestion, product: Product, default: Plan
    ) -> LimitFinding:
        balance = await self._ledger.balance(scope_id, asked.customer_ref)
        account = Account(at=0, balance=balance.credits, held_credits=balance.held)
        return LimitFinding(
            product=product,
            account=account,
            access=NONE,
            default=default,
            offered=[
                plan
                for plan in await self._catalog.plans.of_product(scope_id, product.ref, hidden=False)
                if plan.is_active
            ],
            session=await self._open(scope_id, asked, HostedKind.CUSTOMER),
        )

    async def _open(
        self, scope_id: int, asked: LimitQuestion, kind: HostedKind
    ) -> tuple[HostedKind, str] | None:
        """Open a hosted page where one is wanted: who only looks must not make sessions."""
        if not asked.with_session:
            return None
        new = NewHosted(kind=kind, customer_ref=asked.customer_ref, product_ref=asked.product_ref)
        return kind, await self._catalog.hosted.open(scope_id, new)


def _is_over(current: Purchase | None, default: Plan) -> bool:
    """Whether the free plan has ended by itself and is not given again: then nothing need be written."""
    return (
        current is not None
        and current.is_of(default)
        and current.cancelled_at is None
        and current.plan.begins_unpaid
    )


def _granted(product: Product, reserved: Reserved, hold: Hold) -> LimitFinding:
    """Return what a reservation got."""
    return LimitFinding(
        product=product,
        account=reserved.account,
        access=Access(within=True, remaining=UNLIMITED if hold.remaining is None else hold.remaining),
        hold=hold,
        is_new_hold=reserved.is_new,
    )
