"""What the customer's own page asks. The session id is the credential; no key is needed."""

from litestar.params import FromPath
from msgspec import UNSET, Raw, Struct, UnsetType

from meterhouse.http.checkout import BuyerAnswer, CreditPrice, credit_prices
from meterhouse.http.render import iso, iso_or_unset
from meterhouse.http.user_info import total_of, user_usage
from meterhouse.metering.customer_page import CustomerPage, CustomerPageView
from meterhouse.metering.purchases import PurchaseView
from meterhouse.model.hosted import HostedStatus
from meterhouse.model.merchant import Merchant
from meterhouse.model.plan import BillingCycle, PlanType
from meterhouse.model.purchase import PurchaseStatus
from meterhouse.model.tenant import Environment


class OwnUsage(Struct, rename="camel"):
    """Units of the current period. remaining, total, percentUsed: null where there is no limit."""

    used: Raw
    remaining: int | None
    total: Raw | None
    percent_used: Raw | None


class OwnPurchase(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """What a customer has. price: minor units of `currency`. renews: whether it goes on after periodEnd.

    endDate: when access ends for good.
    """

    reference: str
    status: PurchaseStatus
    product_name: str
    plan_name: str
    plan_type: PlanType
    price: int
    currency: str
    features: Raw
    usage: OwnUsage
    measures: str
    renews: bool
    can_reactivate: bool
    start_date: str
    billing_cycle: BillingCycle | None = None
    credits_per_unit: int = 0
    period_end: str | UnsetType = UNSET
    end_date: str | UnsetType = UNSET
    trial_end_date: str | UnsetType = UNSET


class CustomerPageAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A customer session. Of one that has ended only status and merchant are told."""

    status: HostedStatus
    environment: Environment
    merchant: Merchant
    expires_at: str
    customer: BuyerAnswer | UnsetType = UNSET
    credit_balance: int | UnsetType = UNSET
    held_credits: int | UnsetType = UNSET
    credit_prices: tuple[CreditPrice, ...] | UnsetType = UNSET
    purchases: tuple[OwnPurchase, ...] | UnsetType = UNSET


class CustomerPageRoutes:
    def __init__(self, page: CustomerPage) -> None:
        self._page = page

    async def get(self, session_id: FromPath[str]) -> CustomerPageAnswer:
        """Get what a customer's own page shows. The session id is the credential."""
        visit = await self._page.visit(session_id)
        if visit.status is not HostedStatus.ACTIVE:
            return CustomerPageAnswer(
                status=visit.status,
                environment=visit.caller.scope.environment,
                merchant=visit.merchant,
                expires_at=iso(visit.session.expires_at),
            )
        return _answer(await self._page.view(visit))

    async def cancel_renewal(self, session_id: FromPath[str], reference: FromPath[str]) -> CustomerPageAnswer:
        """Let a purchase end with its period."""
        return _answer(await self._page.cancel_renewal(await self._page.visit(session_id), reference))

    async def reactivate(self, session_id: FromPath[str], reference: FromPath[str]) -> CustomerPageAnswer:
        """Let a purchase renew again."""
        return _answer(await self._page.reactivate(await self._page.visit(session_id), reference))


def _answer(view: CustomerPageView) -> CustomerPageAnswer:
    return CustomerPageAnswer(
        status=view.visit.status,
        environment=view.visit.caller.scope.environment,
        merchant=view.visit.merchant,
        expires_at=iso(view.visit.session.expires_at),
        customer=BuyerAnswer(view.customer.name, view.customer.email),
        credit_balance=view.balance.credits,
        held_credits=view.balance.held,
        credit_prices=credit_prices(view.visit.merchant),
        purchases=tuple(map(_own, view.purchases)),
    )


def _own(view: PurchaseView) -> OwnPurchase:
    purchase, plan = view.purchase, view.plan
    return OwnPurchase(
        reference=purchase.ref,
        status=view.status,
        product_name=view.product_name,
        plan_name=plan.name,
        plan_type=plan.type,
        price=plan.period_price,
        currency=purchase.currency,
        features=plan.free_form("features"),
        usage=_usage(view),
        measures=plan.measures,
        renews=purchase.renews,
        can_reactivate=purchase.cancelled_at is not None,
        start_date=iso(purchase.started_at),
        billing_cycle=plan.billing_cycle,
        credits_per_unit=plan.credits_per_unit,
        period_end=iso_or_unset(view.period_end),
        end_date=iso_or_unset(purchase.ends_at),
        trial_end_date=iso_or_unset(purchase.trial_ends_at),
    )


def _usage(view: PurchaseView) -> OwnUsage:
    usage = user_usage(view)
    if total_of(view) is None:
        return OwnUsage(usage.used, None, None, None)
    return OwnUsage(usage.used, usage.remaining, usage.total, usage.percent_used)
