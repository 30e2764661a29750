"""Holds over HTTP (docs/holds.md). They are opened by `POST /v1/sdk/limits`."""

from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Raw, Struct, UnsetType

from meterhouse.http.render import exact, iso
from meterhouse.http.usages import credit_debit
from meterhouse.ingest.usage_body import read_settlement
from meterhouse.metering.holds import Holds
from meterhouse.model.errors import ValidationFailed
from meterhouse.model.event import usage_ref
from meterhouse.model.hold import Hold, HoldStatus, hold_ref
from meterhouse.model.ledger import Ending
from meterhouse.model.once import key_fault
from meterhouse.model.tenant import Caller
from meterhouse.model.units import Number


class SettleBody(Struct, rename="camel"):
    """units: what was really used, exact, 0 or more; it may be more than was reserved."""

    units: Number = UNSET
    action_type: str | None = None
    idempotency_key: str | None = None
    description: str | None = None
    duration: Number = UNSET
    metadata: Raw | UnsetType = UNSET


class ReleaseBody(Struct, rename="camel"):
    """Nothing need be said. idempotencyKey: it is taken, though a release is safe to repeat without."""

    idempotency_key: str | None = None


class HoldAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """units: what was used. releasedUnits: what of the reservation is free again.

    overLimitUnits: of the units, those beyond limit or balance; they are booked all the same.
    expired: the hold's time had come before it was settled.
    """

    hold_ref: str
    status: HoldStatus
    reserved_units: Raw
    expires_at: str
    expired: bool | UnsetType = UNSET
    reference: str | UnsetType = UNSET
    units: Raw | UnsetType = UNSET
    released_units: Raw | UnsetType = UNSET
    over_limit_units: Raw | UnsetType = UNSET
    credit_debit: Raw | UnsetType = UNSET


class HoldRoutes:
    def __init__(self, holds: Holds) -> None:
        self._holds = holds

    async def get(self, caller: NamedDependency[Caller], reference: FromPath[str]) -> HoldAnswer:
        """Get a hold as it stands."""
        return _answer(await self._holds.get(caller.scope.id, reference))

    async def settle(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
        data: JSONBody[SettleBody],
    ) -> HoldAnswer:
        """Book what was really used: this is the meter event. A second settle answers as the first did."""
        said = read_settlement(data, key)
        return _ending(await self._holds.settle(caller.scope.id, reference, said))

    async def release(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
        data: JSONBody[ReleaseBody | None] = None,
    ) -> HoldAnswer:
        """Give a hold back unused. Again is a no-op."""
        if fault := key_fault(None if data is None else data.idempotency_key, key):
            raise ValidationFailed.of("idempotencyKey", fault)
        return _ending(await self._holds.release(caller.scope.id, reference))


def _ending(ending: Ending) -> HoldAnswer:
    answer = _answer(ending.hold)
    if ending.debit is not None:
        member = credit_debit(ending.debit)
        answer.credit_debit = Raw(member.partition(b":")[2])
    return answer


def _answer(hold: Hold) -> HoldAnswer:
    answer = HoldAnswer(
        hold_ref=hold_ref(hold.number),
        status=hold.status,
        reserved_units=exact(hold.units),
        expires_at=iso(hold.expires_at),
    )
    if hold.status is HoldStatus.OPEN:
        return answer
    answer.expired = hold.expired
    answer.released_units = exact(max(hold.units - hold.used, 0))
    if hold.status is HoldStatus.SETTLED:
        answer.reference = usage_ref(hold.event_number)
        answer.units = exact(hold.used)
        answer.over_limit_units = exact(hold.over)
    return answer
