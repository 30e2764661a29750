"""A purchase as clients see it (contract §3.6)."""

from decimal import Decimal
from fractions import Fraction

from msgspec import UNSET, Raw, Struct, UnsetType

from meterhouse.http.render import exact, iso, iso_or_unset, number
from meterhouse.metering.bill import overage_units, usage_bill
from meterhouse.metering.purchases import PurchaseView
from meterhouse.model.credit import CREDITS_PER_MINOR_UNIT
from meterhouse.model.plan import BillingCycle, Plan, PlanType
from meterhouse.model.purchase import Origin, PurchaseStatus
from meterhouse.model.terms import Terms
from meterhouse.model.units import NANO


class SnapshotAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """The plan as it was when it was bought. limit: units in a period; left out where there is no limit.

    Clients read a limit of 0 as one that is used up.
    """

    reference: str
    name: str
    plan_type: PlanType
    price: int
    currency: str
    billing_cycle: BillingCycle | None
    features: Raw
    limits: Raw
    meter_ref: str
    limit: int | UnsetType = UNSET
    free_units: int
    credits_per_unit: int | UnsetType = UNSET


class UsageAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """used: in the current period. limitUnits: what it has room for before overage, left out for any number.

    carriedOverUnits: of them, what rolled over into it. heldUnits: in open holds.

    overageUnits: of what was used, beyond the limit. usageCost: what the period's usage comes to at its end,
    left out where plans bill none then; overageCost: of it, what is beyond the limit of a hybrid plan. Both
    in minor units of US dollars.
    """

    used: Raw
    overage_units: Raw
    overage_cost: Raw
    held_units: Raw
    usage_cost: Raw | UnsetType = UNSET
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


def purchase_answer(view: PurchaseView) -> PurchaseAnswer:
    """Return a purchase as clients see it."""
    purchase, plan = view.purchase, view.plan
    renews = purchase.renews
    is_recurring = plan.type in (PlanType.RECURRING, PlanType.HYBRID)
    return PurchaseAnswer(
        reference=purchase.ref,
        customer_ref=purchase.customer_ref,
        customer_email=view.customer_email,
        product_ref=purchase.product_ref,
        product_name=view.product_name,
        plan_ref=purchase.plan_ref,
        plan_snapshot=_snapshot(plan, purchase.terms),
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
        end_date=iso_or_unset(purchase.ends_at or view.period_end),
        trial_end_date=iso_or_unset(purchase.trial_ends_at),
        paid_at=iso_or_unset(purchase.paid_at),
        billing_cycle=plan.billing_cycle or UNSET,
        next_billing_date=iso_or_unset(view.period_end if renews and purchase.ends_at is None else None),
        cancelled_at=iso_or_unset(purchase.cancelled_at),
        cancellation_reason=purchase.cancellation_reason or UNSET,
    )


def _snapshot(plan: Plan, terms: Terms) -> SnapshotAnswer:
    return SnapshotAnswer(
        reference=plan.ref,
        name=plan.name,
        plan_type=plan.type,
        price=plan.period_price,
        currency=plan.currency,
        billing_cycle=plan.billing_cycle,
        features=plan.free_form("features"),
        limits=plan.free_form("limits"),
        meter_ref=plan.meter_ref,
        limit=UNSET if terms.limit is None else terms.limit // NANO,
        free_units=plan.free_units,
        credits_per_unit=plan.credits_per_unit or UNSET,
    )


def _usage(view: PurchaseView) -> UsageAnswer:
    account, plan, terms = view.account, view.plan, view.purchase.terms
    over = overage_units(plan, account.used, account.carried)
    cost = usage_bill(plan, account.used, account.carried) / CREDITS_PER_MINOR_UNIT
    is_hybrid = plan.type is PlanType.HYBRID
    bills_usage = is_hybrid or (plan.type is PlanType.USAGE_BASED and not plan.is_prepaid)
    period = account.period
    return UsageAnswer(
        used=exact(account.used),
        overage_units=exact(over),
        overage_cost=_money(cost) if is_hybrid else _money(Fraction(0)),
        usage_cost=_money(cost) if bills_usage else UNSET,
        held_units=exact(account.held),
        limit_units=UNSET if terms.limit is None else exact(terms.limit + account.carried),
        carried_over_units=exact(account.carried) if plan.rollover_unused_units else UNSET,
        period_start=iso_or_unset(None if period is None else period.start),
        period_end=iso_or_unset(view.period_end),
        reset_date=iso_or_unset(view.period_end),
    )


def _money(minor_units: Fraction) -> Raw:
    return number(Decimal(minor_units.numerator) / Decimal(minor_units.denominator), quote=False)
