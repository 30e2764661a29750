"""What the hosted checkout page asks (contract §3.7). The session id is the credential; no key is needed."""

from typing import Literal

from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Struct, UnsetType

from meterhouse.http.offers import OfferAnswer, offer
from meterhouse.http.refs import check_refs
from meterhouse.http.render import iso
from meterhouse.metering.checkout import Checkout, CheckoutView, Step
from meterhouse.metering.visits import Visit
from meterhouse.model.errors import ValidationFailed
from meterhouse.model.hosted import HostedStatus, Purpose
from meterhouse.model.merchant import Merchant
from meterhouse.model.payment import TestOutcome
from meterhouse.model.product import Product
from meterhouse.model.tenant import Environment
from meterhouse.model.units import Number


class SelectPlanBody(Struct, rename="camel"):
    """currency: left out, the plan's default one."""

    plan_ref: str | None = None
    currency: str | None = None


class SelectTopupBody(Struct, rename="camel"):
    """amount: minor units, 100 to 10 000 000. currency: left out, the seller's default one."""

    amount: Number = None
    currency: str | None = None


class PayBody(Struct, rename="camel"):
    """outcome: `success` or `decline`."""

    outcome: TestOutcome | None = None


class OffersAnswer(Struct):
    plans: tuple[OfferAnswer, ...]


class BuyerAnswer(Struct):
    name: str
    email: str


class SoldAnswer(Struct, rename="camel"):
    reference: str
    name: str
    description: str


class CreditPrice(Struct, rename="camel"):
    """A currency that credits are sold in, and how many of them one minor unit buys."""

    currency: str
    credits_per_minor_unit: int


class CheckoutAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A checkout session. One that has ended has only status, merchant, and backUrl; once used, returnUrl.

    step: what the customer does next. payment: `test` where test buttons pay, else `unavailable`.
    amount: minor units of `currency` to be paid now; credits: how many they buy. declined: why the last
    try was. currentPlanRef: the customer's plan of the product. creditPrices: the first currency is the
    seller's default one. returnUrl: where to go when done; backUrl: where to go without buying.
    """

    status: HostedStatus
    environment: Environment
    merchant: Merchant
    expires_at: str
    step: Step | UnsetType = UNSET
    purpose: Purpose | UnsetType = UNSET
    payment: Literal["test", "unavailable"] | UnsetType = UNSET
    customer: BuyerAnswer | UnsetType = UNSET
    product: SoldAnswer | UnsetType = UNSET
    plan: OfferAnswer | UnsetType = UNSET
    current_plan_ref: str | UnsetType = UNSET
    amount: int | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    credits: int | UnsetType = UNSET
    credit_balance: int | UnsetType = UNSET
    credit_prices: tuple[CreditPrice, ...] | UnsetType = UNSET
    declined: str | UnsetType = UNSET
    return_url: str | UnsetType = UNSET
    back_url: str | UnsetType = UNSET


class CheckoutRoutes:
    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout

    async def get(self, session_id: FromPath[str]) -> CheckoutAnswer:
        """Get what a checkout page shows. The session id is the credential."""
        visit = await self._checkout.visit(session_id)
        if visit.status is not HostedStatus.ACTIVE:
            return _ended(visit)
        return _answer(await self._checkout.view(visit))

    async def plans(self, session_id: FromPath[str]) -> OffersAnswer:
        """List the plans to choose from."""
        visit = await self._checkout.visit(session_id)
        if visit.status is not HostedStatus.ACTIVE:
            return OffersAnswer(())
        return OffersAnswer(tuple(map(offer, await self._checkout.offers(visit))))

    async def select_plan(self, session_id: FromPath[str], data: JSONBody[SelectPlanBody]) -> CheckoutAnswer:
        """Choose a plan; one that costs nothing to begin with is activated at once."""
        check_refs({"planRef": data.plan_ref})
        visit = await self._checkout.visit(session_id)
        return _answer(await self._checkout.select_plan(visit, data.plan_ref or "", data.currency))

    async def select_topup(
        self, session_id: FromPath[str], data: JSONBody[SelectTopupBody]
    ) -> CheckoutAnswer:
        """Choose an amount of credits to buy."""
        visit = await self._checkout.visit(session_id)
        return _answer(await self._checkout.select_topup(visit, data.amount, data.currency))

    async def reset(self, session_id: FromPath[str]) -> CheckoutAnswer:
        """Choose nothing, to begin again."""
        return _answer(await self._checkout.reset(await self._checkout.visit(session_id)))

    async def pay(self, session_id: FromPath[str], data: JSONBody[PayBody]) -> CheckoutAnswer:
        """Pay in the sandbox what was chosen, or be declined."""
        if data.outcome is None:
            raise ValidationFailed.of("outcome", "is required: success or decline")
        visit = await self._checkout.visit(session_id)
        return _answer(await self._checkout.pay(visit, data.outcome))


def _ended(visit: Visit) -> CheckoutAnswer:
    used = visit.status is HostedStatus.USED
    return CheckoutAnswer(
        status=visit.status,
        environment=visit.caller.scope.environment,
        merchant=visit.merchant,
        expires_at=iso(visit.session.expires_at),
        return_url=(visit.session.return_url if used else None) or UNSET,
        back_url=UNSET if used else visit.session.back_url or UNSET,
    )


def _answer(view: CheckoutView) -> CheckoutAnswer:
    session, environment = view.visit.session, view.visit.caller.scope.environment
    payment = view.payment
    return CheckoutAnswer(
        status=view.visit.status,
        environment=environment,
        merchant=view.visit.merchant,
        expires_at=iso(session.expires_at),
        step=view.step,
        purpose=session.purpose,
        payment="test" if environment is Environment.SANDBOX else "unavailable",
        customer=BuyerAnswer(view.customer.name, view.customer.email),
        product=UNSET if view.product is None else _sold(view.product),
        plan=UNSET if view.plan is None else offer(view.plan),
        current_plan_ref=UNSET if view.current is None else view.current.plan_ref,
        amount=UNSET if view.amount is None else view.amount,
        currency=view.currency or UNSET,
        credits=UNSET if view.credits is None else view.credits,
        credit_balance=view.balance,
        credit_prices=credit_prices(view.visit.merchant),
        declined=UNSET if payment is None else payment.failure or UNSET,
        return_url=session.return_url or UNSET,
        back_url=session.back_url or UNSET,
    )


def credit_prices(merchant: Merchant) -> tuple[CreditPrice, ...]:
    return tuple(CreditPrice(each, merchant.credits_for(1, each)) for each in merchant.topup_currencies)


def _sold(product: Product) -> SoldAnswer:
    return SoldAnswer(product.ref, product.name, product.description)
