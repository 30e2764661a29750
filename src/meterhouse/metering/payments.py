"""Payments: created, looked up, and fulfilled exactly once (contract §3.7, §4.8)."""

from collections.abc import Sequence
from hmac import compare_digest
from typing import Final

import msgspec
from msgspec import Struct

from meterhouse.metering.credits import Credits
from meterhouse.model.credit import CreditKind, check_room
from meterhouse.model.errors import (
    CustomerNotFound,
    Forbidden,
    IdempotencyConflict,
    PaymentNotFound,
    PaymentsNotConfigured,
    PlanNotFound,
    ProductNotFound,
    ValidationFailed,
)
from meterhouse.model.ledger import Credit
from meterhouse.model.merchant import Merchant
from meterhouse.model.once import Once
from meterhouse.model.payment import (
    Card,
    NewPayment,
    Payment,
    PaymentPurpose,
    PaymentStatus,
    RechargeTerms,
    SavedMethod,
    TestOutcome,
    priced_in,
)
from meterhouse.model.plan import Plan
from meterhouse.model.tenant import Caller, Environment
from meterhouse.ports import Catalog, PaymentProcessor, TestProcessor

_ASKED: Final = "createPaymentIntent"
_CHARGEABLE: Final = (PaymentStatus.REQUIRES_PAYMENT_METHOD, PaymentStatus.REQUIRES_CONFIRMATION)


class PaymentRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """amount: minor units. amount, currency: None where the plan's price says them.

    Of a top-up and of a usage bill both are given, and `amount` has been checked. recharge: terms of the
    auto-recharge that begins with the payment. method: the saved card that `charge` is going to charge.
    """

    customer_ref: str
    purpose: PaymentPurpose = PaymentPurpose.PRODUCT
    product_ref: str | None = None
    plan_ref: str | None = None
    amount: int | None = None
    currency: str | None = None
    description: str | None = None
    recharge: RechargeTerms | None = None
    method: SavedMethod | None = None


class Processors(Struct, frozen=True):
    """sandbox: takes no money. live: None where nothing is configured to take any."""

    sandbox: TestProcessor
    live: PaymentProcessor | None

    def of(self, environment: Environment) -> PaymentProcessor:
        """Raises PaymentsNotConfigured."""
        if environment is Environment.SANDBOX:
            return self.sandbox
        if self.live is None:
            raise PaymentsNotConfigured
        return self.live

    def test(self, environment: Environment) -> TestProcessor:
        """Return what does as it is told. Raises PaymentsNotConfigured, Forbidden: this is live."""
        if self.of(environment) is not self.sandbox:
            raise Forbidden("Test payments are for the sandbox; in live, customers pay with the processor.")
        return self.sandbox


class Payments:
    def __init__(self, catalog: Catalog, credits_: Credits, processors: Processors) -> None:
        self._catalog = catalog
        self._credits = credits_
        self.processors = processors

    async def create(self, caller: Caller, asked: PaymentRequest, key: str) -> Payment:
        """Ask a customer for what a plan or credits cost. A repeat asks for nothing more.

        Raises CustomerNotFound, ProductNotFound, PlanNotFound, ValidationFailed, BalanceFull,
        IdempotencyConflict, and what `PaymentProcessor.create` raises.
        """
        scope = caller.scope
        processor = self.processors.of(scope.environment)
        once = Once.of(_ASKED, key, asked)
        assert once is not None  # noqa: S101 - there is a key
        made = await self._catalog.payments.made(scope.id, once)
        if made is not None:
            return made
        await self._check_customer(scope.id, asked.customer_ref)
        new = await self._quoted(caller, asked)
        await self._check_room(scope.id, new)
        intent = await processor.create(new, f"meterhouse:{scope.provider_ref}:{scope.id}:{key}")
        return await self._catalog.payments.add(caller, new, intent, once)

    async def get(self, scope_id: int, ref: str) -> Payment:
        """Raises PaymentNotFound."""
        payment = await self._catalog.payments.get(scope_id, ref)
        if payment is None:
            raise PaymentNotFound
        return payment

    async def page(self, scope_id: int, limit: int, offset: int) -> Sequence[Payment]:
        return await self._catalog.payments.page(scope_id, limit, offset)

    async def process(self, caller: Caller, ref: str) -> Payment:
        """Ask the processor for a payment's status and, once it has succeeded, give the plan or the credits.

        A repeat gives nothing more. Raises PaymentNotFound, ProcessorUnavailable. Raises CustomerNotFound for
        a deleted customer, and BalanceFull while the balance has no room: nothing was given.
        """
        payment = await self.get(caller.scope.id, ref)
        if payment.status is not PaymentStatus.SUCCEEDED:
            intent = await self.processors.of(caller.scope.environment).look(payment.id)
            payment = await self._catalog.payments.note(caller.scope.id, intent)
        return await self._give(caller, payment)

    async def charge(self, caller: Caller, asked: PaymentRequest, key: str, *, wanted: bool) -> Payment:
        """Charge a saved card for what is asked, without the customer. Nothing is given yet: see `process`.

        A repeat with the same key charges nothing more, and goes on where the last one stopped. wanted: False
        looks only whether a charge that was begun has succeeded. Raises what `create` raises, and
        ProcessorUnavailable.
        """
        payment = await self.create(caller, asked, key)
        if payment.status is not PaymentStatus.SUCCEEDED:
            processor = self.processors.of(caller.scope.environment)
            intent = await processor.look(payment.id)
            if wanted and asked.method is not None and intent.status in _CHARGEABLE:
                intent = await processor.charge(payment.id, asked.method)
            payment = await self._catalog.payments.note(caller.scope.id, intent)
        return payment

    async def confirm(self, caller: Caller, ref: str, outcome: TestOutcome) -> Payment:
        """Pay in the sandbox, as a customer would in the browser. A paid payment stays paid.

        Nothing is given yet: `process` gives it, or `PaymentSweep` a second later. Clients compare the
        balance before and after `process`. Raises PaymentNotFound, CustomerNotFound, BalanceFull, and what
        `Processors.test` raises.
        """
        processor = self.processors.test(caller.scope.environment)
        payment = await self.get(caller.scope.id, ref)
        if payment.status is not PaymentStatus.SUCCEEDED:
            await self._check_customer(caller.scope.id, payment.customer_ref)
            await self._check_room(caller.scope.id, payment)
        intent = await processor.confirm(payment.id, outcome)
        return await self._catalog.payments.note(caller.scope.id, intent)

    async def confirm_with_secret(self, ref: str, client_secret: str, outcome: TestOutcome) -> Payment:
        """Confirm a payment for a caller that has the intent's secret.

        Raises PaymentNotFound, also for another secret, and what `confirm` raises.
        """
        scope_id = await self._catalog.payments.scope_of(ref)
        if scope_id is None:
            raise PaymentNotFound
        payment = await self.get(scope_id, ref)
        if not compare_digest(payment.client_secret.encode(), client_secret.encode()):
            raise PaymentNotFound
        scope = await self._catalog.providers.scope_by_id(scope_id)
        return await self.confirm(Caller(scope, f"customer:{payment.customer_ref}"), ref, outcome)

    async def card(self, scope_id: int, customer_ref: str) -> Card | None:
        """Raises CustomerNotFound."""
        await self._check_customer(scope_id, customer_ref)
        return await self._catalog.payments.card(scope_id, customer_ref)

    async def _give(self, caller: Caller, payment: Payment) -> Payment:
        """Give the credits, then the plan: the credits' key is the payment's id, so a repeat moves none."""
        if payment.status is not PaymentStatus.SUCCEEDED or payment.fulfilled_at is not None:
            return payment
        customer = await self._catalog.customers.get(caller.scope.id, payment.customer_ref)
        if customer is None or customer.created_at > payment.created_at:  # another one has the ref now
            raise CustomerNotFound.named(payment.customer_ref)
        if payment.credits:
            action = Credit(
                scope_id=caller.scope.id,
                customer_ref=payment.customer_ref,
                kind=CreditKind.TOPUP,
                credits=payment.credits,
                reason="payment",
                key=payment.id,
            )
            try:
                await self._credits.move(action)
            except IdempotencyConflict:  # the seller gave other credits with this key
                await self._credits.move(msgspec.structs.replace(action, key=f"payment:{payment.id}"))
        return await self._catalog.payments.fulfil(caller, payment.id)

    async def _check_room(self, scope_id: int, payment: NewPayment) -> None:
        """Raises BalanceFull, before anybody pays for credits that could not be given."""
        if payment.credits:
            balance = await self._credits.balance(scope_id, payment.customer_ref)
            check_room(balance.credits, payment.credits)

    async def _check_customer(self, scope_id: int, ref: str) -> None:
        if not await self._catalog.directory.known_customers(scope_id, (ref,)):
            raise CustomerNotFound.named(ref)

    async def _quoted(self, caller: Caller, asked: PaymentRequest) -> NewPayment:
        if asked.purpose is PaymentPurpose.PRODUCT:
            return await self._plan_quoted(caller, asked)
        amount, currency = asked.amount or 0, (asked.currency or "").upper()
        topup = asked.purpose is PaymentPurpose.CREDIT_TOPUP
        if asked.recharge is not None:
            merchant = await self._catalog.providers.merchant(caller.scope.provider_ref)
            check_topup_currency(merchant, asked.recharge.currency, "autoRecharge.currency")
        return NewPayment(
            customer_ref=asked.customer_ref,
            purpose=asked.purpose,
            amount=amount,
            currency=currency,
            product_ref=asked.product_ref,
            plan_ref=asked.plan_ref,
            description=asked.description,
            credits=await self._bought(caller, amount, currency) if topup else 0,
            recharge=None if asked.recharge is None else msgspec.json.encode(asked.recharge).decode(),
            method_owner=None if asked.method is None else asked.method.owner,
            method_id=None if asked.method is None else asked.method.id,
        )

    async def _bought(self, caller: Caller, amount: int, currency: str) -> int:
        """Return the credits that an amount buys. Raises ValidationFailed for another currency."""
        merchant = await self._catalog.providers.merchant(caller.scope.provider_ref)
        check_topup_currency(merchant, currency)
        return merchant.credits_for(amount, currency)

    async def _plan_quoted(self, caller: Caller, asked: PaymentRequest) -> NewPayment:
        scope_id = caller.scope.id
        plan = await self._catalog.plans.get(scope_id, asked.plan_ref or "")
        if not await self._catalog.directory.known_products(scope_id, (asked.product_ref or "",)):
            raise ProductNotFound
        if plan is None or plan.product_ref != asked.product_ref:
            raise PlanNotFound
        if not plan.is_active:
            raise ValidationFailed.of("planRef", "is not active; only active plans are sold")
        priced = priced_in(plan, asked.currency)
        price, bought_for = priced.first_price, priced.period_price if priced.is_prepaid else 0
        if price == 0 and plan.is_prepaid and asked.amount is not None:
            price = bought_for = asked.amount
        credits_ = await self._bought(caller, bought_for, priced.currency) if bought_for else 0
        if price == 0:
            raise ValidationFailed.of("planRef", _unpriced(plan))
        if asked.amount is not None and asked.amount != price:
            raise ValidationFailed.of("amount", f"must be {price}, the plan's price; leave it out")
        return NewPayment(
            customer_ref=asked.customer_ref,
            purpose=asked.purpose,
            amount=price,
            currency=priced.currency,
            product_ref=asked.product_ref,
            plan_ref=plan.ref,
            snapshot=msgspec.json.encode(priced).decode(),
            description=asked.description,
            credits=credits_,
        )


def check_topup_currency(merchant: Merchant, currency: str, path: str = "currency") -> None:
    """Raises ValidationFailed, naming the currencies that credits are sold in. currency: upper case."""
    if currency not in merchant.topup_currencies:
        raise ValidationFailed.of(
            path, f"must be {' or '.join(merchant.topup_currencies)}, in which credits are sold"
        )


def _unpriced(plan: Plan) -> str:
    if not plan.is_prepaid:
        return "costs nothing to begin with; activate it instead"
    return (
        "costs nothing to begin with, its units are paid with credits: activate it and buy credits with "
        "purpose credit_topup, or send the amount to buy credits for"
    )
