"""The customer's own page: what it has, and ending or keeping it (contract §3.3 customer sessions)."""

from collections.abc import Sequence

from msgspec import Struct

from meterhouse.metering.purchases import PurchaseView, PurchaseViews
from meterhouse.metering.visits import Visit, check_active, find_visit
from meterhouse.model.credit import Balance
from meterhouse.model.customer import Customer
from meterhouse.model.errors import (
    CustomerNotFound,
    PurchaseNotCancellable,
    PurchaseNotFound,
)
from meterhouse.model.hosted import HostedKind
from meterhouse.model.purchase import Purchase
from meterhouse.ports import Catalog, Ledger

_REASON = "customer"


class CustomerPageView(Struct, frozen=True, kw_only=True):
    """purchases: those that give access now, of the session's product where it has one."""

    visit: Visit
    customer: Customer
    purchases: Sequence[PurchaseView]
    balance: Balance


class CustomerPage:
    """Every method raises SessionNotFound; those that change something SessionEnded."""

    def __init__(self, catalog: Catalog, ledger: Ledger, views: PurchaseViews) -> None:
        self._catalog = catalog
        self._ledger = ledger
        self._views = views

    async def visit(self, session_id: str) -> Visit:
        """Return a customer session, also one that has ended."""
        return await find_visit(self._catalog, HostedKind.CUSTOMER, session_id)

    async def view(self, visit: Visit) -> CustomerPageView:
        session, scope_id = visit.session, visit.caller.scope.id
        customer = await self._catalog.customers.get(scope_id, session.customer_ref)
        if customer is None:
            raise CustomerNotFound
        return CustomerPageView(
            visit=visit,
            customer=customer,
            purchases=[
                view
                for view in await self._views.active_of(scope_id, customer.ref)
                if session.product_ref in (None, view.purchase.product_ref)
            ],
            balance=await self._ledger.balance(scope_id, customer.ref),
        )

    async def cancel_renewal(self, visit: Visit, ref: str) -> CustomerPageView:
        """Let a purchase end with its period. Raises PurchaseNotFound, PurchaseNotCancellable."""
        purchase = await self._own(visit, ref)
        if not purchase.renews:
            raise PurchaseNotCancellable("It does not renew; there is nothing to cancel.")
        await self._catalog.purchases.cancel(visit.caller, ref, _REASON)
        return await self.view(visit)

    async def reactivate(self, visit: Visit, ref: str) -> CustomerPageView:
        """Let a purchase renew again. Raises PurchaseNotFound, PurchaseNotReactivable."""
        await self._own(visit, ref)
        await self._catalog.purchases.reactivate(visit.caller, ref)
        return await self.view(visit)

    async def _own(self, visit: Visit, ref: str) -> Purchase:
        """Return a purchase that the session is about: another customer's cannot be told from none."""
        session = visit.session
        check_active(visit)
        purchase = await self._catalog.purchases.get(visit.caller.scope.id, ref)
        if purchase is None or purchase.customer_ref != session.customer_ref:
            raise PurchaseNotFound
        if session.product_ref not in (None, purchase.product_ref):
            raise PurchaseNotFound
        return purchase
