"""What a customer has of a product, as user info and the customer's own page tell it (contract §3.3)."""

from decimal import Decimal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from meterhouse.http.render import exact, iso, iso_or_unset, number
from meterhouse.metering.access import UNLIMITED, access
from meterhouse.metering.decide import free_units
from meterhouse.metering.purchases import PurchaseView
from meterhouse.model.plan import BillingCycle, Plan, PlanType
from meterhouse.model.purchase import PurchaseStatus
from meterhouse.model.units import NANO


class UserAnswer(Struct, rename="camel"):
    reference: str
    name: str
    email: str
    external_ref: str | None


class UserPlan(Struct, rename="camel"):
    """features: the names of the plan's features, null for none; planSnapshot has their values."""

    reference: str
    name: str
    type: PlanType
    price: int
    currency: str
    billing_cycle: BillingCycle | None
    features: list[str] | None
    limits: Raw


class UserUsage(Struct, rename="camel"):
    """total: what the period has room for; without a limit 10^15, as `remaining`, and percentUsed is null."""

    used: Raw
    remaining: int
    total: Raw
    meter_ref: str
    percent_used: Raw


class UserPurchase(Struct, rename="camel", omit_defaults=True, kw_only=True):
    reference: str
    status: PurchaseStatus
    product_name: str
    plan_type: PlanType
    start_date: str
    usage: UserUsage
    plan: UserPlan
    end_date: str | UnsetType = UNSET


class UserInfoAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """status: a sentence for people. verifyUrl: the customer's own page, good for 15 minutes."""

    status: str
    user: UserAnswer
    verify_url: str
    purchase: UserPurchase | UnsetType = UNSET


def total_of(view: PurchaseView) -> int | None:
    """Return the billionths that the period has room for; None for any number.

    Of a credit plan: the units that were used, and those that the balance still pays for.
    """
    account, terms = view.account, view.account.terms
    if terms is None:
        return None
    if terms.is_prepaid:
        return account.used + access(account).remaining * NANO
    free = free_units(account)
    return None if free is None else account.used + account.held + free


def sentence(view: PurchaseView) -> str:
    total = total_of(view)
    used = "unlimited usage" if total is None else f"{_percent(view.account.used, total)}% usage consumed"
    kind = "purchase" if view.plan.type is PlanType.ONE_TIME else "subscription"
    return f"{view.status.capitalize()} {kind}: {view.product_name} ({used})"


def _percent(used: int, total: int) -> int:
    return used * 100 // total if total else 0


def user_usage(view: PurchaseView) -> UserUsage:
    """Return what was used in the current period, and what it has room for."""
    account, total = view.account, total_of(view)
    percent = None if total is None else Decimal(_percent(account.used, total))
    return UserUsage(
        used=exact(account.used),
        remaining=access(account).remaining,
        total=exact(UNLIMITED * NANO if total is None else total),
        meter_ref=view.plan.meter_ref,
        percent_used=number(percent, quote=False),
    )


def _features(plan: Plan) -> list[str] | None:
    said = msgspec.json.decode(plan.free_form("features"), type=dict[str, Raw] | list[str])
    if isinstance(said, list):
        return said or None
    return [name for name, value in said.items() if bytes(value) not in (b"false", b"null")] or None


def user_purchase(view: PurchaseView) -> UserPurchase:
    purchase, plan = view.purchase, view.plan
    return UserPurchase(
        reference=purchase.ref,
        status=view.status,
        product_name=view.product_name,
        plan_type=plan.type,
        start_date=iso(purchase.started_at),
        end_date=iso_or_unset(purchase.ends_at or view.period_end),
        usage=user_usage(view),
        plan=UserPlan(
            reference=plan.ref,
            name=plan.name,
            type=plan.type,
            price=plan.period_price,
            currency=plan.currency,
            billing_cycle=plan.billing_cycle,
            features=_features(plan),
            limits=plan.free_form("limits"),
        ),
    )
