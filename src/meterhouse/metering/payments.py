"""Payments: asked for, looked at, and what was paid for given exactly once (contract §3.7, §4.8)."""

from collections.abc import Sequence
from hmac import compare_digest

import msgspec
from msgspec import Struct

from meterhouse.metering.credits import Credits
from meterhouse.model.credit import CreditKind, check_room
from meterhouse.model.errors import (
    CustomerNotFound,
    Forbidden,
    PaymentNotFound,
    PaymentsNotConfigured,
    PlanNotFound,
    ProductNotFound,
    ValidationFailed,
)
from meterhouse.model.ledger import Credit
from meterhouse.model.once import Once
from meterhouse.model.payment import (
    CREDIT_CURRENCY,
    Card,
    NewPayment,
    Payment,
    PaymentPurpose,
    PaymentStatus,
    TestOutcome,
    priced_in,
    topup_fault,
)
from meterhouse.model.tenant import Caller, Environment
from meterhouse.ports import Catalog, PaymentProcessor, TestProcessor

_ASKED = "createPaymentIntent"


class PaymentRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be paid. amount, currency: None where the plan says them."""

    customer_ref: str
    purpose: PaymentPurpose = PaymentPurpose.PRODUCT
    product_ref: str | None = None
    plan_ref: str | None = None
    amount: int | None = None
    currency: str | None = None
    description: str | None = None


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
        new = await self._quoted(scope.id, asked)
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
        """Ask the processor how a payment stands and, once it has succeeded, give what was paid for.

        A repeat gives nothing more. Raises PaymentNotFound, ProcessorUnavailable; CustomerNotFound: it was
        deleted, and nothing is given; BalanceFull: nothing is given, but will be once there is room.
        """
        payment = await self.get(caller.scope.id, ref)
        if payment.status is not PaymentStatus.SUCCEEDED:
            intent = await self.processors.of(caller.scope.environment).look(payment.id)
            payment = await self._catalog.payments.note(caller.scope.id, intent)
        return await self._give(caller, payment)

    async def confirm(self, caller: Caller, ref: str, outcome: TestOutcome) -> Payment:
        """Pay in the sandbox, as a customer would in the browser. One that is paid stays so.

        Raises PaymentNotFound, BalanceFull, and what `Processors.test` raises.
        """
        processor = self.processors.test(caller.scope.environment)
        payment = await self.get(caller.scope.id, ref)
        if payment.status is not PaymentStatus.SUCCEEDED:
            await self._check_room(caller.scope.id, payment)
        intent = await processor.confirm(payment.id, outcome)
        return await self._give(caller, await self._catalog.payments.note(caller.scope.id, intent))

    async def confirm_with_secret(self, ref: str, client_secret: str, outcome: TestOutcome) -> Payment:
        """Do as `confirm` does, for whoever has the intent's secret. Raises PaymentNotFound, also without."""
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
        """Give what was paid for. Credits first: their key is the payment's id, so a repeat moves none."""
        if payment.status is not PaymentStatus.SUCCEEDED or payment.fulfilled_at is not None:
            return payment
        await self._check_customer(caller.scope.id, payment.customer_ref)
        if payment.credits:
            action = Credit(
                scope_id=caller.scope.id,
                customer_ref=payment.customer_ref,
                kind=CreditKind.TOPUP,
                credits=payment.credits,
                reason="payment",
                key=payment.id,
            )
            await self._credits.move(action)
        return await self._catalog.payments.fulfil(caller, payment.id)

    async def _check_room(self, scope_id: int, payment: NewPayment) -> None:
        """Before anybody pays, since what is paid for must be given."""
        if payment.credits:
            balance = await self._credits.balance(scope_id, payment.customer_ref)
            check_room(balance.credits, payment.credits)

    async def _check_customer(self, scope_id: int, ref: str) -> None:
        if not await self._catalog.directory.known_customers(scope_id, (ref,)):
            raise CustomerNotFound.named(ref)

    async def _quoted(self, scope_id: int, asked: PaymentRequest) -> NewPayment:
        if asked.purpose is PaymentPurpose.PRODUCT:
            return await self._plan_quoted(scope_id, asked)
        if fault := topup_fault(asked.amount):
            raise ValidationFailed.of("amount", fault)
        currency = (asked.currency or "").upper()
        if asked.purpose is PaymentPurpose.CREDIT_TOPUP and currency != CREDIT_CURRENCY:
            raise ValidationFailed.of("currency", f"must be {CREDIT_CURRENCY}: credits are counted in it")
        return NewPayment(
            customer_ref=asked.customer_ref,
            purpose=asked.purpose,
            amount=asked.amount or 0,
            currency=currency,
            product_ref=asked.product_ref,
            plan_ref=asked.plan_ref,
            description=asked.description,
        )

    async def _plan_quoted(self, scope_id: int, asked: PaymentRequest) -> NewPayment:
        plan = await self._catalog.plans.get(scope_id, asked.plan_ref or "")
        if not await self._catalog.directory.known_products(scope_id, (asked.product_ref or "",)):
            raise ProductNotFound
        if plan is None or plan.product_ref != asked.product_ref:
            raise PlanNotFound
        if not plan.is_active:
            raise ValidationFailed.of("planRef", "is not active; only active plans are sold")
        priced = priced_in(plan, asked.currency)
        if priced.is_prepaid and priced.period_price and priced.currency != CREDIT_CURRENCY:
            raise ValidationFailed.of("currency", f"must be {CREDIT_CURRENCY}: the plan's price buys credits")
        price = priced.first_price
        if price == 0:
            raise ValidationFailed.of("planRef", "costs nothing to begin with; activate it instead")
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
        )
