"""The hosted checkout: what a customer sees, chooses and pays with a link (contract §3.7, §4.8)."""

from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256

import msgspec
from msgspec import Struct

from meterhouse.metering.payments import PaymentRequest, Payments, check_topup_currency
from meterhouse.metering.purchases import Activations
from meterhouse.metering.visits import Visit, check_active, find_visit
from meterhouse.model.customer import Customer
from meterhouse.model.errors import (
    CustomerNotFound,
    NothingToPay,
    PlanNotFound,
    SessionEnded,
    ValidationFailed,
)
from meterhouse.model.hosted import Choice, Hosted, HostedKind, HostedStatus, Purpose
from meterhouse.model.payment import (
    Payment,
    PaymentPurpose,
    PaymentStatus,
    TestOutcome,
    priced_in,
    topup_fault,
)
from meterhouse.model.plan import Plan
from meterhouse.model.product import Product
from meterhouse.model.purchase import Origin, Purchase, Sale
from meterhouse.model.units import Number
from meterhouse.ports import Catalog, Ledger


class Step(StrEnum):
    """What the customer does next."""

    CHOOSE = "choose"
    """a plan"""
    START = "start"
    """the chosen plan, which costs nothing now"""
    TOPUP = "topup"
    """choose how many credits to buy"""
    PAY = "pay"
    DONE = "done"


class CheckoutView(Struct, frozen=True, kw_only=True):
    """What the page shows of a session that is active, or has just been used.

    current: the customer's purchase of the product. plan: the chosen one, in the chosen currency.
    amount, currency: the payment that is due now, None where none is. credits: what a top-up buys, else None.
    payment: the one that was begun, if any. balance: credits.
    """

    visit: Visit
    step: Step
    customer: Customer
    product: Product | None
    plan: Plan | None
    current: Purchase | None
    amount: int | None
    currency: str | None
    credits: int | None
    payment: Payment | None
    balance: int


class Checkout:
    """Every method raises SessionNotFound; those that change something SessionEnded."""

    def __init__(
        self, catalog: Catalog, ledger: Ledger, activations: Activations, payments: Payments
    ) -> None:
        self._catalog = catalog
        self._ledger = ledger
        self._activations = activations
        self._payments = payments

    async def visit(self, session_id: str) -> Visit:
        """Return a checkout session, also one that has ended."""
        return await find_visit(self._catalog, HostedKind.CHECKOUT, session_id)

    async def view(self, visit: Visit) -> CheckoutView:
        """Return what the page shows. One whose payment was given is used up, whatever came between."""
        session, scope_id = visit.session, visit.caller.scope.id
        customer = await self._catalog.customers.get(scope_id, session.customer_ref)
        if customer is None:
            raise CustomerNotFound
        product, plan = await self._product(visit), await self._plan(visit)
        current = None
        if product is not None:
            standing = await self._ledger.standing(scope_id, customer.ref, product.ref)
            current = standing.purchase if standing.has_access else None
        payment = None
        if session.payment_id is not None:
            payment = await self._catalog.payments.get(scope_id, session.payment_id)
        balance = (await self._ledger.balance(scope_id, customer.ref)).credits
        given = payment is not None and payment.fulfilled_at is not None
        step, amount = Step.DONE, None
        if visit.status is HostedStatus.ACTIVE and not given:
            step, amount = await self._step(visit, plan, current, balance)
        currency = None if amount is None else _currency(visit, plan)
        is_topup = session.amount is not None and currency is not None
        return CheckoutView(
            visit=visit,
            step=step,
            customer=customer,
            product=product,
            plan=plan,
            current=current,
            amount=amount,
            currency=currency,
            credits=visit.merchant.credits_for(amount or 0, currency or "") if is_topup else None,
            payment=payment,
            balance=balance,
        )

    async def offers(self, visit: Visit) -> Sequence[Plan]:
        """Return the plans to choose from: active ones that are not hidden."""
        if visit.session.product_ref is None:
            return ()
        plans = await self._catalog.plans.of_product(
            visit.caller.scope.id, visit.session.product_ref, hidden=False
        )
        return [plan for plan in plans if plan.is_active]

    async def select_plan(self, visit: Visit, plan_ref: str, currency: str | None) -> CheckoutView:
        """Choose a plan. One that costs nothing to begin with is activated, and is all there is to do, unless
        it is paid for with credits: these can be bought next.

        Raises PlanNotFound, ValidationFailed, PurchaseNotReactivable.
        """
        check_active(visit)
        plan = await self._offered(visit, plan_ref)
        priced = priced_in(plan, currency)
        visit = await self._choose(visit, Choice(plan_ref=plan.ref, currency=priced.currency))
        view = await self.view(visit)
        if view.step is Step.START:
            await self._begin(view, priced)
            if not plan.is_prepaid:
                visit = await self._end(visit)
        return await self.view(visit)

    async def select_topup(self, visit: Visit, amount: Number, currency: str | None) -> CheckoutView:
        """Choose how many credits to buy, as an amount of minor units. Raises ValidationFailed.

        currency: one that credits are sold in, in any case; None for the seller's default one.
        """
        check_active(visit)
        if fault := topup_fault(amount):
            raise ValidationFailed.of("amount", fault)
        currency = visit.merchant.topup_currencies[0] if currency is None else currency.upper()
        check_topup_currency(visit.merchant, currency)
        choice = Choice(plan_ref=visit.session.plan_ref, currency=currency, amount=int(amount))
        return await self.view(await self._choose(visit, choice))

    async def reset(self, visit: Visit) -> CheckoutView:
        """Choose nothing, to begin again."""
        check_active(visit)
        return await self.view(await self._choose(visit, Choice()))

    async def pay(self, visit: Visit, outcome: TestOutcome) -> CheckoutView:
        """Pay what was chosen, or have it declined, in the sandbox. What was paid for is given at once.

        Raises NothingToPay, BalanceFull, and what `Processors.test` raises.
        """
        check_active(visit)
        self._payments.processors.test(visit.caller.scope.environment)  # before anything is asked for
        view = await self.view(visit)
        if view.step is not Step.PAY:
            raise NothingToPay
        asked = _asked(visit.session, view)
        payment = await self._payments.create(visit.caller, asked, _key(visit.session_id, asked))
        choice = msgspec.structs.replace(visit.session.choice, payment_id=payment.id)
        visit = await self._choose(visit, choice)
        payment = await self._payments.confirm(visit.caller, payment.id, outcome)
        if payment.status is PaymentStatus.SUCCEEDED:
            await self._payments.process(visit.caller, payment.id)
            if view.plan is not None and payment.purpose is PaymentPurpose.CREDIT_TOPUP:
                await self._begin(view, view.plan)
            visit = await self._end(visit)
        return await self.view(visit)

    async def _step(
        self, visit: Visit, plan: Plan | None, current: Purchase | None, balance: int
    ) -> tuple[Step, int | None]:
        """Return what comes next, and what is to be paid for it."""
        session = visit.session
        if session.amount is not None:
            return Step.PAY, session.amount
        if session.purpose is Purpose.CREDIT_TOPUP:
            return Step.TOPUP, None
        if plan is None:
            return Step.CHOOSE, None
        if await self._must_pay(visit, plan, current):
            return Step.PAY, plan.first_price
        has_it = current is not None and current.is_of(plan)
        if plan.is_prepaid and (has_it or self._activations.needs_credits(plan, balance)):
            return Step.TOPUP, None
        return Step.START, None

    async def _must_pay(self, visit: Visit, plan: Plan, current: Purchase | None) -> bool:
        """Whether a plan costs anything to begin with. What it has, but for a trial, is paid for."""
        if plan.first_price == 0:
            return False
        if current is not None and current.is_of(plan):
            return current.trial_ends_at is not None and not plan.begins_unpaid
        if plan.is_prepaid and not plan.trial_days:
            return True  # its price buys its first credits
        return await self._activations.must_pay(visit.caller.scope.id, visit.session.customer_ref, plan)

    async def _begin(self, view: CheckoutView, plan: Plan) -> None:
        """Give a plan that costs nothing to begin with; go on with one that was cancelled."""
        caller, current = view.visit.caller, view.current
        if current is not None and current.is_of(plan) and current.cancelled_at is not None:
            await self._catalog.purchases.reactivate(caller, current.ref)
            return
        sale = Sale(customer_ref=view.customer.ref, plan=plan, origin=Origin.CHECKOUT, paid=False)
        await self._catalog.purchases.activate(caller, sale)

    async def _offered(self, visit: Visit, plan_ref: str) -> Plan:
        """Return a plan that the customer may choose: one on offer, or the one the link was made for."""
        plan = next((each for each in await self.offers(visit) if each.ref == plan_ref), None)
        if plan is None and plan_ref == visit.session.plan_ref:
            plan = await self._catalog.plans.get(visit.caller.scope.id, plan_ref)
        if plan is None or not plan.is_active:
            raise PlanNotFound
        return plan

    async def _plan(self, visit: Visit) -> Plan | None:
        if visit.session.plan_ref is None:
            return None
        plan = await self._catalog.plans.get(visit.caller.scope.id, visit.session.plan_ref)
        if plan is None or not plan.is_active:
            return None
        if all(option.currency != visit.session.currency for option in plan.pricing_options):
            return plan  # it is sold in that currency no more
        return priced_in(plan, visit.session.currency)

    async def _product(self, visit: Visit) -> Product | None:
        if visit.session.product_ref is None:
            return None
        return await self._catalog.products.get(visit.caller.scope.id, visit.session.product_ref)

    async def _choose(self, visit: Visit, choice: Choice) -> Visit:
        session = await self._catalog.hosted.choose(visit.session_id, choice)
        if session is None:
            raise SessionEnded
        return msgspec.structs.replace(visit, session=session)

    async def _end(self, visit: Visit) -> Visit:
        await self._catalog.hosted.use(visit.session_id)
        return msgspec.structs.replace(visit, status=HostedStatus.USED)


def _currency(visit: Visit, plan: Plan | None) -> str:
    """Return the currency of the payment that is due: of a top-up the chosen one, else the plan's."""
    if visit.session.amount is not None or plan is None:
        return visit.session.currency or visit.merchant.topup_currencies[0]
    return plan.currency


def _asked(session: Hosted, view: CheckoutView) -> PaymentRequest:
    is_topup = session.amount is not None
    return PaymentRequest(
        customer_ref=session.customer_ref,
        purpose=PaymentPurpose.CREDIT_TOPUP if is_topup else PaymentPurpose.PRODUCT,
        product_ref=session.product_ref,
        plan_ref=None if is_topup or view.plan is None else view.plan.ref,
        amount=view.amount,  # as it was shown: at another price it is another payment
        currency=view.currency,
    )


def _key(session_id: str, asked: PaymentRequest) -> str:
    """Return the idempotency key of a choice: paying it from two windows at once pays it once."""
    return sha256(f"checkout {session_id} ".encode() + msgspec.json.encode(asked)).hexdigest()
