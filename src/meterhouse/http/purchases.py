"""Purchases and activation over HTTP (contract §3.6, §3.2)."""

from decimal import Decimal
from typing import Annotated, Final

from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Raw, Struct, UnsetType

from meterhouse.http.hosted import Addresses
from meterhouse.http.query_string import AnyRequest
from meterhouse.http.render import exact, iso, iso_or_unset, number
from meterhouse.metering.bill import overage_units, usage_bill
from meterhouse.metering.purchases import (
    ActivationOutcome,
    Activations,
    ActivationStatus,
    PurchaseView,
    PurchaseViews,
)
from meterhouse.model.credit import CREDITS_PER_MINOR_UNIT
from meterhouse.model.errors import (
    CustomerNotFound,
    FieldError,
    ProductNotFound,
    PurchaseNotFound,
    ValidationFailed,
)
from meterhouse.model.hosted import HostedKind
from meterhouse.model.once import Once
from meterhouse.model.plan import BillingCycle, Plan, PlanType
from meterhouse.model.purchase import Origin, PurchaseQuestion, PurchaseStatus
from meterhouse.model.ref import MAX_CHARACTERS as MAX_REF
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog

_MAX_REASON: Final = 1_000


class SnapshotAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """The plan as it was when it was bought."""

    reference: str
    name: str
    plan_type: PlanType
    price: int
    currency: str
    billing_cycle: BillingCycle | None
    features: Raw
    limits: Raw
    meter_ref: str
    limit: int
    free_units: int
    credits_per_unit: int | UnsetType = UNSET


class UsageAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """used: in the current period. limitUnits: what it has room for before overage, left out for any number.

    carriedOverUnits: of them, what rolled over into it. heldUnits: in open holds.

    overageUnits: of what was used, beyond the limit. overageCost: minor units of US dollars.
    """

    used: Raw
    overage_units: Raw
    overage_cost: Raw
    held_units: Raw
    limit_units: Raw | UnsetType = UNSET
    carried_over_units: Raw | UnsetType = UNSET
    period_start: str | UnsetType = UNSET
    period_end: str | UnsetType = UNSET
    reset_date: str | UnsetType = UNSET


class PurchaseAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """amount, originalAmount: minor units. endDate: when access ends; where it renews, the period."""

    reference: str
    customer_ref: str
    customer_email: str
    product_ref: str
    product_name: str
    plan_ref: str
    plan_snapshot: SnapshotAnswer
    status: PurchaseStatus
    origin: Origin
    amount: int
    original_amount: int
    currency: str
    exchange_rate: int
    start_date: str
    usage: UsageAnswer
    is_recurring: bool
    auto_renew: bool
    metadata: dict[str, str]
    created_at: str
    end_date: str | UnsetType = UNSET
    trial_end_date: str | UnsetType = UNSET
    paid_at: str | UnsetType = UNSET
    billing_cycle: BillingCycle | UnsetType = UNSET
    next_billing_date: str | UnsetType = UNSET
    cancelled_at: str | UnsetType = UNSET
    cancellation_reason: str | UnsetType = UNSET


class PurchasesAnswer(Struct):
    purchases: tuple[PurchaseAnswer, ...]


class PurchaseChanged(Struct):
    purchase: PurchaseAnswer
    success: bool = True


class CancelBody(Struct):
    """reason: what the customer said, up to 1000 characters."""

    reason: str | None = None


class ActivateBody(Struct, rename="camel"):
    customer_ref: str | None = None
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

    async def matching(
        self,
        caller: NamedDependency[Caller],
        status: Annotated[PurchaseStatus | None, QueryParameter()] = None,
        product_ref: Annotated[str | None, QueryParameter(name="productRef", max_length=MAX_REF)] = None,
        customer_ref: Annotated[str | None, QueryParameter(name="customerRef", max_length=MAX_REF)] = None,
        include_free: Annotated[bool, QueryParameter(name="includeFree")] = True,  # noqa: FBT002 - of the query
    ) -> PurchasesAnswer:
        """List purchases, ended ones too, the newest first."""
        question = PurchaseQuestion(customer_ref=customer_ref, product_ref=product_ref)
        return await self._list(caller, question, status=status, include_free=include_free)

    async def of_customer(
        self,
        caller: NamedDependency[Caller],
        reference: FromPath[str],
        include_free: Annotated[bool, QueryParameter(name="includeFree")] = True,  # noqa: FBT002 - of the query
    ) -> PurchasesAnswer:
        """List a customer's purchases, ended ones too, the newest first."""
        if await self._catalog.customers.get(caller.scope.id, reference) is None:
            raise CustomerNotFound.named(reference)
        return await self._list(caller, PurchaseQuestion(customer_ref=reference), include_free=include_free)

    async def of_product(self, caller: NamedDependency[Caller], reference: FromPath[str]) -> PurchasesAnswer:
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
        return answer(view)

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
        return PurchaseChanged(answer(view))

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
        return PurchaseChanged(answer(view))

    async def activate(
        self, caller: NamedDependency[Caller], request: AnyRequest, data: JSONBody[ActivateBody]
    ) -> ActivationAnswer:
        """Give a customer a plan, or say what has to be done first: paying, or topping up."""
        refs = {"customerRef": data.customer_ref, "productRef": data.product_ref, "planRef": data.plan_ref}
        if faults := ref_faults(refs):
            raise ValidationFailed(faults)
        outcome = await self._activations.activate(
            caller, data.customer_ref or "", data.product_ref or "", data.plan_ref or ""
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
    ) -> PurchasesAnswer:
        scope_id = caller.scope.id
        found = await self._catalog.purchases.matching(scope_id, question)
        return PurchasesAnswer(
            tuple(
                answer(view)
                for view in await self._views.of(scope_id, found)
                if status in (None, view.status) and (include_free or view.plan.requires_payment)
            )
        )


def answer(view: PurchaseView) -> PurchaseAnswer:
    """Return a purchase as clients see it."""
    purchase, plan = view.purchase, view.plan
    renews = purchase.cancelled_at is None and plan.auto_renew and purchase.terms.cycle is not None
    period = view.account.period
    period_end = None if period is None else period.end
    is_recurring = plan.type in (PlanType.RECURRING, PlanType.HYBRID)
    return PurchaseAnswer(
        reference=purchase.ref,
        customer_ref=purchase.customer_ref,
        customer_email=view.customer_email,
        product_ref=purchase.product_ref,
        product_name=view.product_name,
        plan_ref=purchase.plan_ref,
        plan_snapshot=_snapshot(plan),
        status=view.status,
        origin=purchase.origin,
        amount=purchase.amount,
        original_amount=purchase.amount,
        currency=purchase.currency,
        exchange_rate=1,
        start_date=iso(purchase.started_at),
        usage=_usage(view),
        is_recurring=is_recurring,
        auto_renew=renews,
        metadata={},
        created_at=iso(purchase.created_at),
        end_date=iso_or_unset(purchase.ends_at or period_end),
        trial_end_date=iso_or_unset(purchase.trial_ends_at),
        paid_at=iso_or_unset(purchase.paid_at),
        billing_cycle=plan.billing_cycle or UNSET,
        next_billing_date=iso_or_unset(period_end if renews and purchase.ends_at is None else None),
        cancelled_at=iso_or_unset(purchase.cancelled_at),
        cancellation_reason=purchase.cancellation_reason or UNSET,
    )


def _snapshot(plan: Plan) -> SnapshotAnswer:
    return SnapshotAnswer(
        reference=plan.ref,
        name=plan.name,
        plan_type=plan.type,
        price=plan.base_price or plan.price,
        currency=plan.currency,
        billing_cycle=plan.billing_cycle,
        features=plan.free_form("features"),
        limits=plan.free_form("limits"),
        meter_ref=plan.meter_ref,
        limit=plan.limit,
        free_units=plan.free_units,
        credits_per_unit=plan.credits_per_unit or UNSET,
    )


def _usage(view: PurchaseView) -> UsageAnswer:
    account, plan, terms = view.account, view.plan, view.purchase.terms
    over = overage_units(plan, account.used)
    cost = usage_bill(plan, account.used) / CREDITS_PER_MINOR_UNIT if plan.type is PlanType.HYBRID else 0
    period = account.period
    end = None if period is None else period.end
    return UsageAnswer(
        used=exact(account.used),
        overage_units=exact(over),
        overage_cost=number(Decimal(cost.numerator) / Decimal(cost.denominator), quote=False),
        held_units=exact(account.held),
        limit_units=UNSET if terms.limit is None else exact(terms.limit + account.carried),
        carried_over_units=exact(account.carried) if plan.rollover_unused_units else UNSET,
        period_start=iso_or_unset(None if period is None else period.start),
        period_end=iso_or_unset(end),
        reset_date=iso_or_unset(end),
    )


def ref_faults(refs: dict[str, str | None]) -> list[FieldError]:
    """Return what is wrong with required refs, by path."""
    return [
        FieldError(path, f"must have 1 to {MAX_REF} characters" if ref else "is required")
        for path, ref in refs.items()
        if not ref or len(ref) > MAX_REF
    ]
