"""`POST /v1/sdk/limits`: a hot route (contract §3.2; `reserve` is ours, docs/holds.md)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from meterhouse.http import body
from meterhouse.http.auth import Authenticator
from meterhouse.http.edge import Answer, Request
from meterhouse.http.hosted import Addresses
from meterhouse.http.idempotency import header_key
from meterhouse.http.render import exact, iso
from meterhouse.http.routing import JSON, Hot
from meterhouse.ingest.customers import refs_of_externals
from meterhouse.ingest.decode import guarded
from meterhouse.ingest.fields import REQUIRED, Fields
from meterhouse.metering.limits import LimitFinding, LimitQuestion, Limits, Reservation
from meterhouse.model.counting import recorded_on
from meterhouse.model.errors import ValidationFailed
from meterhouse.model.hold import hold_ref
from meterhouse.model.hosted import HostedKind
from meterhouse.model.plan import DEFAULT_MEASURES, Plan, PlanType, PricingOption
from meterhouse.model.units import Amount, billionths, whole_between
from meterhouse.ports import Directory

_MAX_TTL_SECONDS: Final = 86_400
_DEFAULT_TTL_SECONDS: Final = 60
_encode: Final = msgspec.json.Encoder().encode


_SECONDS: Final = {"type": ["integer", "null"], "minimum": 1, "maximum": _MAX_TTL_SECONDS, "default": 60}


class ReserveBody(Struct, rename="camel", gc=False):
    """units: exact, above 0. ttlSeconds: 1 to 86400, 60 where it is left out."""

    units: Amount = UNSET
    ttl_seconds: Annotated[Any, Meta(extra_json_schema=_SECONDS)] = UNSET  # Any: see `Amount`
    idempotency_key: str | None = None


class LimitBody(Struct, rename="camel", gc=False):
    """planRef and usageType are ignored: the customer's own plan decides."""

    customer_ref: str | None = None
    customer_id: str | None = None
    external_ref: str | None = None
    product_ref: str | None = None
    product_reference: str | None = None
    meter_name: str | None = None
    include_checkout_session: bool | None = None
    reserve: ReserveBody | None = None


class LimitBalance(Struct, rename="camel"):
    """creditBalance: the credits that no hold has reserved. remainingUnits: the units that they pay for."""

    credit_balance: int
    credits_per_unit: int
    currency: str
    remaining_units: int


class PlanItem(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A plan that the customer may choose. price: minor units."""

    reference: str
    name: str
    type: PlanType
    price: int
    currency: str
    requires_payment: bool
    pricing_options: tuple[PricingOption, ...]
    free_units: int | UnsetType = UNSET
    credits_per_unit: int | UnsetType = UNSET
    billing_model: str | UnsetType = UNSET
    billing_cycle: str | UnsetType = UNSET


class ProductBrief(Struct):
    reference: str
    name: str


class LimitAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """remaining: whole units, 10^15 where there is no limit. See the contract for which fields come when.

    holdRef, reservedUnits, expiresAt: what `reserve` took. A repeat has those of the first.
    """

    within_limits: bool
    remaining: int
    meter_name: str
    product: ProductBrief
    plan: str | UnsetType = UNSET
    activation_required: bool | UnsetType = UNSET
    plans: tuple[PlanItem, ...] | UnsetType = UNSET
    credit_balance: int | UnsetType = UNSET
    credits_per_unit: int | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    balance: LimitBalance | UnsetType = UNSET
    checkout_session_id: str | UnsetType = UNSET
    checkout_url: str | UnsetType = UNSET
    confirmation_url: str | UnsetType = UNSET
    hold_ref: str | UnsetType = UNSET
    reserved_units: Raw | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET


LIMIT: Final = Hot([(JSON, LimitBody)], LimitAnswer)
_decode: Final = msgspec.json.Decoder(LimitBody, float_hook=Decimal).decode


class LimitRoutes:
    def __init__(
        self, limits: Limits, directory: Directory, authenticator: Authenticator, addresses: Addresses
    ) -> None:
        self._limits = limits
        self._directory = directory
        self._authenticator = authenticator
        self._addresses = addresses

    async def check(self, request: Request) -> Answer:
        """Say whether a customer may use more of a product. `reserve` takes units if they are free."""
        caller = await self._authenticator.caller(request.headers, request.query, writes=True)
        body.media_type(request)
        said = guarded(_decode, await body.read(request, body.SINGLE_BYTES))
        key = header_key(request.headers)
        externals = await refs_of_externals(self._directory, caller.scope.id, (said,))
        asked = _question(said, key, externals)
        found = await self._limits.check(caller, asked)
        return Answer(200, _encode(self._answer(found, asked, request.headers)))

    def _answer(
        self, found: LimitFinding, asked: LimitQuestion, headers: Mapping[bytes, bytes]
    ) -> LimitAnswer:
        account = found.account
        meter = asked.meter_name if account.meter is None else recorded_on(account.meter)
        answer = LimitAnswer(
            within_limits=found.access.within,
            remaining=found.access.remaining,
            meter_name=meter or DEFAULT_MEASURES,
            product=ProductBrief(found.product.ref, found.product.name),
        )
        purchase = account.purchase
        if found.default is not None:
            answer.activation_required = True
            answer.plans = tuple(map(plan_item, found.offered))
            if found.default.type is PlanType.USAGE_BASED:
                answer.balance = _balance(found, found.default.credits_per_unit, found.default.currency)
        elif purchase is not None and account.has_access:
            answer.plan = purchase.plan_ref
            if account.terms is not None and account.terms.is_prepaid:
                balance = _balance(found, account.terms.credits_per_unit, purchase.currency)
                answer.balance = balance
                answer.credit_balance, answer.credits_per_unit = (
                    balance.credit_balance,
                    balance.credits_per_unit,
                )
                answer.currency = balance.currency
        if found.hold is not None:
            answer.hold_ref = hold_ref(found.hold.number)
            answer.reserved_units = exact(found.hold.units)
            answer.expires_at = iso(found.hold.expires_at)
        self._add_session(answer, found, headers)
        return answer

    def _add_session(self, answer: LimitAnswer, found: LimitFinding, headers: Mapping[bytes, bytes]) -> None:
        if found.session is None:
            return
        kind, session_id = found.session
        url = self._addresses.of(kind, session_id, headers)
        if kind is HostedKind.CUSTOMER:
            answer.confirmation_url = url
        else:
            answer.checkout_session_id, answer.checkout_url = session_id, url


def plan_item(plan: Plan) -> PlanItem:
    """Return what a customer is shown of a plan."""
    return PlanItem(
        reference=plan.ref,
        name=plan.name,
        type=plan.type,
        price=plan.price,
        currency=plan.currency,
        requires_payment=plan.requires_payment,
        pricing_options=plan.pricing_options,
        free_units=plan.free_units,
        credits_per_unit=plan.credits_per_unit or UNSET,
        billing_model=plan.billing_model or UNSET,
        billing_cycle=plan.billing_cycle or UNSET,
    )


def _balance(found: LimitFinding, each: int, currency: str) -> LimitBalance:
    """each: credits for a unit."""
    left = found.account.free_credits - (found.hold.credits if found.is_new_hold and found.hold else 0)
    return LimitBalance(left, each, currency, left // each if each else 0)


def _question(asked: LimitBody, header: str | None, externals: Mapping[str, str]) -> LimitQuestion:
    """Raises ValidationFailed, naming every fault."""
    fields = Fields(externals)
    customer_ref, product_ref = fields.customer(asked), fields.product(asked)
    if product_ref is None:
        fields.fault("productRef", REQUIRED)
    reserve = None if asked.reserve is None else _reservation(asked.reserve, header, fields)
    if fields.faults:
        raise ValidationFailed(fields.faults)
    return LimitQuestion(
        customer_ref=customer_ref,
        product_ref=product_ref or "",
        meter_name=asked.meter_name,
        with_session=bool(asked.include_checkout_session),
        reserve=reserve,
    )


def _reservation(said: ReserveBody, header: str | None, fields: Fields) -> Reservation:
    amount = billionths(fields.units("reserve.units", said.units))
    if amount == 0 and not fields.faults:
        fields.fault("reserve.units", "must be above 0: there is nothing to reserve")
    given = _DEFAULT_TTL_SECONDS if said.ttl_seconds in (UNSET, None) else said.ttl_seconds
    seconds = whole_between(given, 1, _MAX_TTL_SECONDS)
    if seconds is None:
        sentence = f"must be a whole number of seconds from 1 to {_MAX_TTL_SECONDS}"
        fields.fault("reserve.ttlSeconds", sentence)
        seconds = _DEFAULT_TTL_SECONDS
    key = fields.key(said.idempotency_key, header, "reserve.idempotencyKey")
    return Reservation(amount, seconds * 1_000_000, key)
