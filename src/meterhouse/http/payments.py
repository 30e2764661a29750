"""Payment intents and cards over HTTP (contract §3.7)."""

import re
from typing import Annotated, Any, Final

from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET

from meterhouse.http.payment_bodies import (
    BusinessBody,
    CardAnswer,
    ConfirmBody,
    ConfirmedAnswer,
    OneTimeAnswer,
    PaymentAnswer,
    PaymentBody,
    PaymentItem,
    PaymentsAnswer,
    ProcessBody,
    ProcessedAnswer,
    TaxAnswer,
    TaxBreakdown,
)
from meterhouse.http.purchase_answer import purchase_answer
from meterhouse.http.recharge_bodies import read_terms
from meterhouse.http.refs import CustomerNames, CustomerRef, ExternalRef, check_refs, ref_faults
from meterhouse.http.render import iso
from meterhouse.metering.payments import PaymentRequest, Payments
from meterhouse.metering.purchases import PurchaseViews
from meterhouse.model import text, units
from meterhouse.model.errors import FieldError, PaymentNotSucceeded, ValidationFailed
from meterhouse.model.payment import (
    MAX_AMOUNT,
    MIN_AMOUNT,
    Payment,
    PaymentPurpose,
    PaymentStatus,
)
from meterhouse.model.plan import PlanType
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog

_MAX_DESCRIPTION: Final = 500
_MAX_PAGE: Final = 100
_COUNTRY: Final = re.compile("[A-Za-z]{2}")
_MAX_OFFSET: Final = 2**31
_WAITING: Final = {
    PaymentStatus.PROCESSING: "processing",
    PaymentStatus.REQUIRES_CAPTURE: "processing",
    PaymentStatus.CANCELED: "cancelled",
}
"""What `process` says of what has not succeeded and may be asked again; the rest is 400."""


class PaymentRoutes:
    def __init__(self, payments: Payments, catalog: Catalog, views: PurchaseViews) -> None:
        self._payments = payments
        self._catalog = catalog
        self._views = views
        self._names = CustomerNames(catalog.directory)

    async def create(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        data: JSONBody[PaymentBody],
    ) -> PaymentAnswer:
        """Ask a customer to pay for a plan, or for credits. The Idempotency-Key header is required."""
        if key is None:
            raise ValidationFailed.of("idempotencyKey", "idempotency-key header is required")
        await self._names.resolve(caller, data)
        return self._answer(caller, await self._payments.create(caller, _request(data), key))

    async def page(
        self,
        caller: NamedDependency[Caller],
        limit: Annotated[int, QueryParameter()] = 50,
        offset: Annotated[int, QueryParameter(ge=0, le=_MAX_OFFSET)] = 0,
    ) -> PaymentsAnswer:
        """List payment intents, the newest first."""
        found = await self._payments.page(caller.scope.id, min(max(limit, 1), _MAX_PAGE), offset)
        return PaymentsAnswer(tuple(PaymentItem(**_shown(each)) for each in found), len(found))

    async def get(self, caller: NamedDependency[Caller], reference: FromPath[str]) -> PaymentAnswer:
        """Get a payment intent as it was last seen."""
        return self._answer(caller, await self._payments.get(caller.scope.id, reference))

    async def process(
        self, caller: NamedDependency[Caller], reference: FromPath[str], data: JSONBody[ProcessBody]
    ) -> ProcessedAnswer:
        """Give what was paid for, once the payment has succeeded. A repeat gives nothing more."""
        await self._names.resolve(caller, data)
        check_refs({"customerRef": data.customer_ref})
        payment = await self._payments.get(caller.scope.id, reference)
        if faults := _strangers(data, payment):
            raise ValidationFailed(faults)
        payment = await self._payments.process(caller, reference)
        if payment.status in _WAITING:
            return ProcessedAnswer(status=_WAITING[payment.status])
        if payment.status is not PaymentStatus.SUCCEEDED:
            raise PaymentNotSucceeded(payment.status)
        return await self._processed(caller, payment)

    async def business_details(
        self, caller: NamedDependency[Caller], reference: FromPath[str], data: JSONBody[BusinessBody]
    ) -> TaxAnswer:
        """Say what tax there is on a payment: none, since this server collects none."""
        if data.is_business is None:
            raise ValidationFailed.of("isBusiness", "is required")
        if data.country is not None and not _COUNTRY.fullmatch(data.country):
            raise ValidationFailed.of("country", "must be an ISO 3166 code, e.g. SE")
        payment = await self._payments.get(caller.scope.id, reference)
        return TaxAnswer(
            TaxBreakdown(subtotal=payment.amount, total=payment.amount, currency=payment.currency.lower())
        )

    async def confirm(self, reference: FromPath[str], data: JSONBody[ConfirmBody]) -> ConfirmedAnswer:
        """Pay in the sandbox, or be declined, as a customer would in the browser. The secret is enough."""
        if data.client_secret is None:
            raise ValidationFailed.of("clientSecret", "is required")
        payment = await self._payments.confirm_with_secret(reference, data.client_secret, data.outcome)
        return ConfirmedAnswer(
            processor_payment_id=payment.id, status=payment.status, failure=payment.failure or UNSET
        )

    async def card(
        self,
        caller: NamedDependency[Caller],
        customer_ref: CustomerRef = None,
        external_ref: ExternalRef = None,
    ) -> CardAnswer:
        """Get the card that a customer last paid with. customerRef or externalRef is required."""
        customer_ref = await self._names.existing_ref(caller, customer_ref, external_ref)
        check_refs({"customerRef": customer_ref})
        card = await self._payments.card(caller.scope.id, customer_ref or "")
        if card is None:
            return CardAnswer(kind="none")
        return CardAnswer(
            kind="card",
            brand=card.brand,
            last4=card.last4,
            exp_month=card.exp_month,
            exp_year=card.exp_year,
        )

    def _answer(self, caller: Caller, payment: Payment) -> PaymentAnswer:
        return PaymentAnswer(
            **_shown(payment),
            customer_ref=payment.customer_ref,
            original_amount=payment.amount,
            exchange_rate=1,
            publishable_key=self._payments.processors.of(caller.scope.environment).publishable_key,
            failure=payment.failure or UNSET,
        )

    async def _processed(self, caller: Caller, payment: Payment) -> ProcessedAnswer:
        done = ProcessedAnswer(status=payment.status, credits_added=payment.credits or UNSET)
        if payment.purchase_ref is None:
            return done
        purchase = await self._catalog.purchases.get(caller.scope.id, payment.purchase_ref)
        if purchase is None:
            return done
        (view,) = await self._views.of(caller.scope.id, (purchase,))
        if view.plan.type is not PlanType.ONE_TIME:
            done.type, done.purchase = "recurring", purchase_answer(view)
            return done
        done.type = "one-time"
        done.one_time_purchase = OneTimeAnswer(
            reference=purchase.ref,
            product_ref=purchase.product_ref,
            amount=purchase.amount,
            currency=purchase.currency,
            completed_at=iso(payment.fulfilled_at or payment.updated_at),
        )
        return done


def _shown(payment: Payment) -> dict[str, Any]:  # Any: fields of PaymentItem
    return {
        "processor_payment_id": payment.id,
        "amount": payment.amount,
        "currency": payment.currency.lower(),
        "client_secret": payment.client_secret,
        "status": payment.status,
        "created_at": iso(payment.created_at),
        "plan_ref": payment.plan_ref or UNSET,
    }


def _request(said: PaymentBody) -> PaymentRequest:
    """Raises ValidationFailed, naming every fault."""
    required = {"customerRef": said.customer_ref}
    sold = {"productRef": said.product_ref, "planRef": said.plan_ref}
    if said.purpose is PaymentPurpose.PRODUCT:
        required |= sold
    faults = ref_faults(required, sold)
    amount = units.whole_between(said.amount, MIN_AMOUNT, MAX_AMOUNT)
    if said.amount is not None and amount is None:
        sentence = f"must be a whole number of minor units (cents) from {MIN_AMOUNT} to {MAX_AMOUNT}"
        faults.append(FieldError("amount", sentence))
    if said.purpose is not PaymentPurpose.PRODUCT:
        given = {"amount": said.amount, "currency": said.currency}
        faults.extend(FieldError(path, "is required") for path, each in given.items() if each is None)
    if said.currency is not None and (fault := text.currency_fault(said.currency)):
        faults.append(FieldError("currency", fault))
    if said.description is not None and (fault := text.length_fault(said.description, _MAX_DESCRIPTION)):
        faults.append(FieldError("description", fault))
    recharge = None if said.auto_recharge is None else read_terms(said.auto_recharge, "autoRecharge.")
    if isinstance(recharge, list):
        faults.extend(recharge)
    elif recharge is not None and said.purpose is not PaymentPurpose.CREDIT_TOPUP:
        faults.append(FieldError("autoRecharge", "is for purpose credit_topup only"))
    if faults or isinstance(recharge, list):
        raise ValidationFailed(faults)
    return PaymentRequest(
        customer_ref=said.customer_ref or "",
        purpose=said.purpose,
        product_ref=said.product_ref,
        plan_ref=said.plan_ref,
        amount=amount,
        currency=None if said.currency is None else said.currency.upper(),
        description=said.description,
        recharge=recharge if said.auto_recharge is not None and said.auto_recharge.enabled else None,
    )


def _strangers(said: ProcessBody, payment: Payment) -> list[FieldError]:
    """Return the refs that are not the payment's own."""
    pairs = {
        "customerRef": (said.customer_ref, payment.customer_ref),
        "productRef": (said.product_ref, payment.product_ref),
        "planRef": (said.plan_ref, payment.plan_ref),
    }
    return [
        FieldError(path, "is not that of this payment intent")
        for path, (given, own) in pairs.items()
        if given not in (None, own)
    ]
