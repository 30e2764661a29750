"""Purchases as they are shown, and how a customer comes to one (contract §3.2 activate, §3.6)."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from meterhouse.metering.history import PeriodUse, history
from meterhouse.model.errors import PurchaseNotReactivable
from meterhouse.model.hosted import HostedKind, NewHosted
from meterhouse.model.ledger import Account
from meterhouse.model.once import Once
from meterhouse.model.plan import Plan, PlanType
from meterhouse.model.purchase import Origin, Purchase, PurchaseQuestion, PurchaseStatus, Sale
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog, Ledger


class ActivationStatus(StrEnum):
    ACTIVATED = "activated"
    ALREADY_ACTIVE = "already_active"
    TOPUP_REQUIRED = "topup_required"
    PAYMENT_REQUIRED = "payment_required"
    INVALID = "invalid"


class ActivationOutcome(Struct, frozen=True, kw_only=True):
    """plan: None where it is invalid, and message says why. credits: of a usage-based plan's customer."""

    status: ActivationStatus
    plan: Plan | None = None
    purchase: Purchase | None = None
    credits: int | None = None
    checkout: str | None = None
    message: str | None = None


class PurchaseView(Struct, frozen=True, kw_only=True):
    """A purchase with what its answer needs beside it. account: in the period that is now."""

    purchase: Purchase
    plan: Plan
    account: Account
    status: PurchaseStatus
    customer_email: str
    product_name: str

    @property
    def period_end(self) -> int | None:
        """None where the period never ends."""
        return None if self.account.period is None else self.account.period.end


class PurchaseViews:
    """Puts purchases together with their usage and the names of what they are about."""

    def __init__(self, ledger: Ledger, catalog: Catalog) -> None:
        self._ledger = ledger
        self._catalog = catalog

    async def of(self, scope_id: int, purchases: Sequence[Purchase]) -> list[PurchaseView]:
        """Return one view for each purchase; however many there are, the stores are asked as often."""
        if not purchases:
            return []
        customers = await self._catalog.customers.of_refs(scope_id, {each.customer_ref for each in purchases})
        products = await self._catalog.products.of_refs(scope_id, {each.product_ref for each in purchases})
        accounts = await self._ledger.of_purchases(scope_id, purchases)
        return [
            PurchaseView(
                purchase=purchase,
                plan=purchase.plan,
                account=account,
                status=purchase.status_at(account.at),
                customer_email=customer.email if (customer := customers.get(purchase.customer_ref)) else "",
                product_name=product.name if (product := products.get(purchase.product_ref)) else "",
            )
            for purchase, account in zip(purchases, accounts, strict=True)
        ]

    async def active_of(self, scope_id: int, customer_ref: str) -> list[PurchaseView]:
        """Return the customer's purchases that give access now, the newest first."""
        return (await self.active_of_each(scope_id, (customer_ref,)))[customer_ref]

    async def active_of_each(
        self, scope_id: int, customer_refs: Collection[str]
    ) -> Mapping[str, list[PurchaseView]]:
        """Return each customer's purchases that give access now, as `active_of` does."""
        current = await self._catalog.purchases.current(scope_id, customer_refs)
        found: dict[str, list[PurchaseView]] = {ref: [] for ref in customer_refs}
        for view in await self.of(scope_id, current):
            if view.account.has_access:
                found[view.purchase.customer_ref].append(view)
        return found

    async def periods_of(self, scope_id: int, purchase: Purchase, most: int) -> list[PeriodUse]:
        """Return the last `most` periods of a purchase, the newest first."""
        (account,) = await self._ledger.of_purchases(scope_id, (purchase,))
        return history(purchase, await self._ledger.used(scope_id, purchase.ref), account.at, most)


class Activations:
    """topup_first: a usage-based plan needs a balance before it is activated (contract §0.1 row 2)."""

    def __init__(self, ledger: Ledger, catalog: Catalog, *, topup_first: bool) -> None:
        self._ledger = ledger
        self._catalog = catalog
        self._topup_first = topup_first

    async def activate(
        self, caller: Caller, customer_ref: str, product_ref: str, plan_ref: str, key: str | None
    ) -> ActivationOutcome:
        """Give a customer a plan, or say what has to be done first.

        What activated something answers so again when its key is repeated; whatever else is answered uses up
        no key. Raises IdempotencyConflict, and nothing else.
        """
        scope_id = caller.scope.id
        customer = await self._catalog.customers.get(scope_id, customer_ref)
        if customer is None:
            return ActivationOutcome(status=ActivationStatus.INVALID, message="Customer not found")
        # Who gets the ref of one that was deleted is another one.
        once = Once.of("activatePlan", key, customer_ref, customer.created_at, product_ref, plan_ref)
        again = None if once is None else await self._catalog.purchases.activated(scope_id, once)
        if again is not None:
            balance = await self._ledger.balance(scope_id, customer_ref)
            return _done(ActivationStatus.ACTIVATED, again.plan, again, balance.credits)
        plan = await self._catalog.plans.get(scope_id, plan_ref)
        return await self._activate(caller, customer_ref, product_ref, plan, once)

    async def _activate(
        self, caller: Caller, customer_ref: str, product_ref: str, plan: Plan | None, once: Once | None
    ) -> ActivationOutcome:
        scope_id = caller.scope.id
        if fault := await self._fault(scope_id, product_ref, plan):
            return ActivationOutcome(status=ActivationStatus.INVALID, message=fault)
        assert plan is not None  # noqa: S101 - else it were at fault
        standing = await self._ledger.standing(scope_id, customer_ref, product_ref)
        credits_ = (await self._ledger.balance(scope_id, customer_ref)).credits
        current = standing.purchase
        if current is not None and standing.has_access and current.is_of(plan):
            return _done(ActivationStatus.ALREADY_ACTIVE, plan, current, credits_)
        if self.needs_credits(plan, credits_):
            return _done(ActivationStatus.TOPUP_REQUIRED, plan, None, credits_)
        if await self.must_pay(scope_id, customer_ref, plan):
            new = NewHosted(
                kind=HostedKind.CHECKOUT,
                customer_ref=customer_ref,
                product_ref=product_ref,
                plan_ref=plan.ref,
            )
            checkout = await self._catalog.hosted.open(scope_id, new)
            return ActivationOutcome(status=ActivationStatus.PAYMENT_REQUIRED, plan=plan, checkout=checkout)
        sale = Sale(customer_ref=customer_ref, plan=plan, origin=Origin.ACTIVATION, paid=False)
        try:
            bought = await self._catalog.purchases.activate(caller, sale, once)
        except PurchaseNotReactivable as error:
            return ActivationOutcome(status=ActivationStatus.INVALID, message=str(error))
        return _done(ActivationStatus.ACTIVATED, plan, bought, credits_)

    async def _fault(self, scope_id: int, product_ref: str, plan: Plan | None) -> str | None:
        product = await self._catalog.products.get(scope_id, product_ref)
        if product is None:
            return "Product not found"
        if plan is None or plan.product_ref != product_ref:
            return "Plan not found"
        if not product.is_active:
            return "Product is not active"
        return None if plan.is_active else "Plan is not active"

    def needs_credits(self, plan: Plan, balance: int) -> bool:
        """Whether a plan is not given before the customer has credits."""
        return plan.type is PlanType.USAGE_BASED and self._topup_first and balance <= 0

    async def must_pay(self, scope_id: int, customer_ref: str, plan: Plan) -> bool:
        """Whether money comes first: not for free and usage-based plans, nor for a trial that is not over."""
        if not plan.requires_payment or plan.type is PlanType.USAGE_BASED:
            return False
        if not plan.trial_days:
            return True
        now = (await self._ledger.standing(scope_id, customer_ref, plan.product_ref)).at
        question = PurchaseQuestion(customer_ref=customer_ref, product_ref=plan.product_ref)
        before = [
            each async for page in self._catalog.purchases.matching(scope_id, question) for each in page
        ]
        customer = await self._catalog.customers.get(scope_id, customer_ref)
        since = 0 if customer is None else customer.created_at  # before it, somebody else had the ref
        had = [each for each in before if each.is_of(plan) and each.created_at >= since]
        return bool(had) and (had[0].trial_ends_at or 0) <= now


def _done(
    status: ActivationStatus, plan: Plan, purchase: Purchase | None, credits_: int
) -> ActivationOutcome:
    shown = credits_ if plan.type is PlanType.USAGE_BASED else None
    return ActivationOutcome(status=status, plan=plan, purchase=purchase, credits=shown)
