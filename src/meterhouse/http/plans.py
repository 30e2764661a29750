"""Plans over HTTP (solvapay.md §3.5)."""

from typing import Annotated, Any, Final

import msgspec
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Raw, Struct

from meterhouse.http.render import iso
from meterhouse.model import plan_checks as rules
from meterhouse.model.errors import PlanNotFound, ProductNotFound
from meterhouse.model.money import symbol
from meterhouse.model.once import Once
from meterhouse.model.plan import (
    BillingCycle,
    BillingModel,
    OveragePolicy,
    Plan,
    PlanStatus,
    PlanType,
    PricingOption,
    UsageTier,
)
from meterhouse.model.plan_body import NewPlan, PlanChange, PlanExtras
from meterhouse.model.tenant import Caller
from meterhouse.ports import Plans, Products

_MAX_PAGE: Final = 100
_MAX_OFFSET: Final = 2**53
_INTERVALS: Final = {
    BillingCycle.WEEKLY: "week",
    BillingCycle.MONTHLY: "month",
    BillingCycle.QUARTERLY: "quarter",
    BillingCycle.YEARLY: "year",
    BillingCycle.CUSTOM: "custom",
}


class PlanAnswer(PlanExtras, kw_only=True, frozen=True, rename="camel", omit_defaults=True):
    """Money is in minor units of its currency; price, basePrice and setupFee are the default option's.

    requiresPayment, isActive, currencySymbol, interval: derived from the other fields.
    limit: 0 for any number, as in a request.
    """

    reference: str
    product_ref: str
    name: str
    type: PlanType
    status: PlanStatus
    is_active: bool
    default: bool
    hidden: bool
    requires_payment: bool
    price: int
    base_price: int
    setup_fee: int
    currency: str
    currency_symbol: str
    pricing_options: tuple[PricingOption, ...]
    meter_ref: str
    measures: str
    limit: int
    free_units: int
    rollover_unused_units: bool
    trial_days: int
    access_expiry_days: int
    auto_renew: bool
    calendar_periods: bool
    created_at: str
    updated_at: str
    description: str = ""
    billing_cycle: BillingCycle | None = None
    interval: str | None = None
    billing_model: BillingModel | None = None
    credits_per_unit: int = 0
    usage_tiers: tuple[UsageTier, ...] = ()
    overage_policy: OveragePolicy | None = None


class PlansAnswer(Struct):
    """total: over all pages. limit: the one used, 1 to 100."""

    plans: tuple[PlanAnswer, ...]
    total: int
    limit: int
    offset: int


class PlanDeletionAnswer(Struct):
    success: bool = True


class PlanRoutes:
    def __init__(self, plans: Plans, products: Products) -> None:
        self._plans = plans
        self._products = products

    async def page(
        self,
        caller: NamedDependency[Caller],
        reference: FromPath[str],
        limit: Annotated[int, QueryParameter()] = 50,
        offset: Annotated[int, QueryParameter(ge=0, le=_MAX_OFFSET)] = 0,
    ) -> PlansAnswer:
        """List a product's plans as they were created, but for hidden ones."""
        limit = min(max(limit, 1), _MAX_PAGE)  # as products do
        await self._check_product(caller, reference)
        found = await self._plans.of_product(caller.scope.id, reference, hidden=False)
        page = tuple(map(plan_answer, found[offset : offset + limit]))
        return PlansAnswer(page, len(found), limit, offset)

    async def create(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
        data: JSONBody[NewPlan],
    ) -> PlanAnswer:
        """Create a plan of a product."""
        rules.check_new(data)
        once = Once.of("createPlan", key, reference, data)
        return plan_answer(await self._plans.create(caller, reference, data, once))

    async def get(
        self, caller: NamedDependency[Caller], reference: FromPath[str], plan_reference: FromPath[str]
    ) -> PlanAnswer:
        """Get a plan, hidden or not."""
        await self._check_product(caller, reference)
        plan = await self._plans.get(caller.scope.id, plan_reference)
        if plan is None or plan.product_ref != reference:
            raise PlanNotFound
        return plan_answer(plan)

    async def change(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
        plan_reference: FromPath[str],
        data: JSONBody[PlanChange],
    ) -> PlanAnswer:
        """Change what the body says, leave the rest. What was bought before stays as it was bought."""
        rules.check_details(data)
        once = Once.of("updatePlan", key, reference, plan_reference, data)
        return plan_answer(await self._plans.change(caller, reference, plan_reference, data, once))

    async def delete(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
        plan_reference: FromPath[str],
    ) -> PlanDeletionAnswer:
        """Delete a plan; in live hide it. What was bought of it goes on."""
        once = Once.of("deletePlan", key, reference, plan_reference)
        await self._plans.delete(caller, reference, plan_reference, once)
        return PlanDeletionAnswer()

    async def _check_product(self, caller: Caller, reference: str) -> None:
        if await self._products.get(caller.scope.id, reference) is None:
            raise ProductNotFound


def plan_answer(plan: Plan) -> PlanAnswer:
    return PlanAnswer(
        reference=plan.ref,
        product_ref=plan.product_ref,
        name=plan.name,
        type=plan.type,
        status=plan.status,
        is_active=plan.is_active,
        default=plan.is_default,
        hidden=plan.hidden,
        requires_payment=plan.requires_payment,
        price=plan.price,
        base_price=plan.base_price,
        setup_fee=plan.setup_fee,
        currency=plan.currency,
        currency_symbol=symbol(plan.currency),
        pricing_options=plan.pricing_options,
        meter_ref=plan.meter_ref,
        measures=plan.measures,
        limit=plan.limit,
        free_units=plan.free_units,
        rollover_unused_units=plan.rollover_unused_units,
        trial_days=plan.trial_days,
        access_expiry_days=plan.access_expiry_days,
        auto_renew=plan.auto_renew,
        calendar_periods=plan.calendar_periods,
        created_at=iso(plan.created_at),
        updated_at=iso(plan.updated_at),
        description=plan.description,
        billing_cycle=plan.billing_cycle,
        interval=None if plan.billing_cycle is None else _INTERVALS[plan.billing_cycle],
        billing_model=plan.billing_model,
        credits_per_unit=plan.credits_per_unit,
        usage_tiers=plan.usage_tiers,
        overage_policy=plan.overage_policy,
        **_extras(plan),
    )


def _extras(plan: Plan) -> dict[str, Any]:  # Any: fields of PlanExtras
    """Return what was said, and the objects clients expect though nothing was.

    As it is stored: decoded, its numbers would lose digits.
    """
    stored = msgspec.json.decode(plan.extras, type=dict[str, Raw])
    names = zip(PlanExtras.__struct_fields__, PlanExtras.__struct_encode_fields__, strict=True)
    found = {name: stored[path] for name, path in names if path in stored}
    return {"features": {}, "limits": {}} | found
