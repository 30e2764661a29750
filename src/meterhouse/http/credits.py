"""Credits over HTTP: balance and grants (contract §3.3), and, ours, adjustments and history."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final

from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from meterhouse.http.render import iso, iso_or_unset, number
from meterhouse.ingest.fields import checked_time
from meterhouse.metering.credits import Credits
from meterhouse.model import text, units
from meterhouse.model.credit import CreditKind, CreditMove, CreditQuestion, MovePlace
from meterhouse.model.errors import FieldError, ValidationFailed
from meterhouse.model.event import usage_ref
from meterhouse.model.ledger import Credit
from meterhouse.model.merchant import Merchant
from meterhouse.model.money import formatted, minor_digits, to_major
from meterhouse.model.once import key_fault
from meterhouse.model.tenant import Caller
from meterhouse.model.units import Number
from meterhouse.ports import Providers
from meterhouse.query.cursors import read_cursor, write_cursor

_MAX_REASON: Final = 256
_MAX_CREDITS: Final = 10**15
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_TOO_LATE: Final = "must be before the year 10000, UTC; leave it out for credits that never expire"
_DISPLAYED_PLACES: Final = 9


class CreditsBody(Struct, rename="camel"):
    """credits: a whole number; a grant's is above 0, an adjustment's may be below.

    expiresAt: when credits that are given expire: RFC 3339 with an offset, in the future. Left out: never.
    """

    credits: Number = UNSET
    reason: str | None = None
    expires_at: str | None = None
    idempotency_key: str | None = None


class DisplayAnswer(Struct, rename="camel"):
    """The balance for people, in the seller's first currency."""

    amount_major: Raw
    currency: str
    formatted: str
    exchange_rate: int
    rate_source: str


class ExpiringAnswer(Struct, rename="camel"):
    """Credits of a balance that expire at a time unless they are used before."""

    credits: int
    expires_at: str


class BalanceAnswer(Struct, rename="camel"):
    """credits: all of them; heldCredits: of them, reserved by open holds; expiring: of them, the earliest
    expiry first."""

    customer_ref: str
    credits: int
    held_credits: int
    expiring: tuple[ExpiringAnswer, ...]
    display_currency: str
    credits_per_minor_unit: int
    display_exchange_rate: int
    display: DisplayAnswer


class CreditMovedAnswer(Struct, rename="camel", omit_defaults=True):
    """balance: after it."""

    customer_ref: str
    credits: int
    balance: int
    success: bool
    reason: str | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET


class CreditMoveAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """amount: signed. balance: after it. usageRef: the usage record that was paid for.

    expiresAt: of credits that were given, when they expire. grantRef: of an expiry, the movement that gave
    its credits.
    """

    reference: str
    type: CreditKind
    timestamp: str
    amount: int
    balance: int
    usage_ref: str | UnsetType = UNSET
    product_ref: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    idempotency_key: str | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET
    grant_ref: str | UnsetType = UNSET


class CreditMovesAnswer(Struct, rename="camel"):
    """next_cursor: null at the end."""

    items: tuple[CreditMoveAnswer, ...]
    next_cursor: str | None


_PlaceNumber = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class _Place(Struct, frozen=True, array_like=True):
    """See `model.credit.MovePlace`."""

    number: _PlaceNumber
    expiry: _PlaceNumber = 0


class CreditRoutes:
    def __init__(self, credits_: Credits, providers: Providers) -> None:
        self._credits = credits_
        self._providers = providers

    async def balance(self, caller: NamedDependency[Caller], reference: FromPath[str]) -> BalanceAnswer:
        """Get a customer's credit balance."""
        found = await self._credits.balance(caller.scope.id, reference)
        merchant = await self._providers.merchant(caller.scope.provider_ref)
        display = _display(found.credits, merchant)
        return BalanceAnswer(
            customer_ref=reference,
            credits=found.credits,
            held_credits=found.held,
            expiring=tuple(ExpiringAnswer(each.credits, iso(each.expires_at)) for each in found.expiring),
            display_currency=display.currency,
            credits_per_minor_unit=merchant.credits_for(1, display.currency),
            display_exchange_rate=display.exchange_rate,
            display=display,
        )

    async def grant(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
        data: JSONBody[CreditsBody],
    ) -> CreditMovedAnswer:
        """Give a customer credits. The same key again gives nothing, and answers as the first time."""
        return await self._move(caller, CreditKind.GRANT, key, reference, data)

    async def adjust(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
        data: JSONBody[CreditsBody],
    ) -> CreditMovedAnswer:
        """Correct a balance, up or down; credits that open holds have reserved cannot be taken away."""
        return await self._move(caller, CreditKind.ADJUSTMENT, key, reference, data)

    async def history(
        self,
        caller: NamedDependency[Caller],
        reference: FromPath[str],
        kind: Annotated[CreditKind | None, QueryParameter(name="type")] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 50,
        cursor: Annotated[str | None, QueryParameter()] = None,
    ) -> CreditMovesAnswer:
        """List every movement of a customer's balance, the newest first."""
        place = read_cursor(cursor, _Place, "credits", reference, kind)
        before = None if place is None else MovePlace(place.number, place.expiry)
        question = CreditQuestion(customer_ref=reference, kind=kind, limit=limit + 1, before=before)
        found = await self._credits.history(caller.scope.id, question)
        more = len(found) > limit
        shown = found[:limit]
        following = write_cursor(_Place(*shown[-1].place), "credits", reference, kind) if more else None
        return CreditMovesAnswer(tuple(map(_answer, shown)), following)

    async def _move(
        self, caller: Caller, kind: CreditKind, key: str | None, customer_ref: str, said: CreditsBody
    ) -> CreditMovedAnswer:
        amount, expires_at = _read(said, key, lowest=1 if kind is CreditKind.GRANT else -_MAX_CREDITS)
        action = Credit(
            scope_id=caller.scope.id,
            customer_ref=customer_ref,
            kind=kind,
            credits=amount,
            reason=said.reason,
            key=said.idempotency_key if said.idempotency_key is not None else key,
            expires_at=expires_at,
        )
        balance = await self._credits.move(action)
        return CreditMovedAnswer(
            customer_ref,
            amount,
            balance,
            success=True,
            reason=said.reason or UNSET,
            expires_at=iso_or_unset(expires_at),
        )


def _answer(move: CreditMove) -> CreditMoveAnswer:
    return CreditMoveAnswer(
        reference=_reference(move.place),
        type=move.kind,
        timestamp=iso(move.at),
        amount=move.credits,
        balance=move.balance,
        usage_ref=usage_ref(move.number) if move.kind is CreditKind.USAGE else UNSET,
        product_ref=move.product_ref or UNSET,
        reason=move.reason or UNSET,
        idempotency_key=move.key or UNSET,
        expires_at=iso_or_unset(move.expires_at),
        grant_ref=UNSET if move.grant is None else _reference(MovePlace(move.grant)),
    )


def _reference(place: MovePlace) -> str:
    return f"crd_{place.number:016x}" + (f"_{place.expiry}" if place.expiry else "")


def _display(credits_: int, merchant: Merchant) -> DisplayAnswer:
    """Return the balance's worth in the seller's first currency.

    exchangeRate: clients compute minor units as credits / creditsPerMinorUnit / 100 * rate * 100, without the
    last factor for a currency that has no minor units (contract §3.3).
    """
    currency = merchant.topup_currencies[0]
    minor = Decimal(credits_) / merchant.credits_for(1, currency)
    major = round(to_major(minor, currency), _DISPLAYED_PLACES)
    rate = 1 if minor_digits(currency) else 100
    return DisplayAnswer(
        number(major, quote=False), currency, formatted(round(minor), currency), rate, "parity"
    )


def _read(said: CreditsBody, header: str | None, lowest: int) -> tuple[int, int | None]:
    """Return the credits, and when they expire. Raises ValidationFailed, naming every fault."""
    faults: list[FieldError] = []
    amount = units.whole_between(said.credits, lowest, _MAX_CREDITS)
    if not amount:
        sign = "above 0" if lowest == 1 else "not 0"
        faults.append(FieldError("credits", f"must be a whole number, {sign}, of at most {_MAX_CREDITS}"))
    if said.reason is not None and (fault := text.description_fault(said.reason, _MAX_REASON)):
        faults.append(FieldError("reason", fault))
    expires_at = None if said.expires_at is None else checked_time(said.expires_at, _LATEST, _TOO_LATE)
    if isinstance(expires_at, str):
        faults.append(FieldError("expiresAt", expires_at))
    elif expires_at is not None and amount is not None and amount < 0:
        faults.append(FieldError("expiresAt", "must be left out when credits are taken away"))
    if fault := key_fault(said.idempotency_key, header):
        faults.append(FieldError("idempotencyKey", fault))
    if faults or amount is None or isinstance(expires_at, str):
        raise ValidationFailed(faults)
    return amount, expires_at
