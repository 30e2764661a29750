"""`POST /v1/sdk/usages`, `/v1/sdk/meter-events` and their bulks: hot routes (contract §3.1)."""

from typing import Final

from msgspec import Struct

from meterhouse.http import body
from meterhouse.http.auth import Authenticator
from meterhouse.http.edge import Answer, Request
from meterhouse.http.idempotency import header_key
from meterhouse.http.routing import JSON, Hot
from meterhouse.ingest.accept import Ingest
from meterhouse.ingest.usage_body import MeterEventBody, UsageBody
from meterhouse.ingest.usage_decode import BulkMeterBody, BulkUsageBody
from meterhouse.metering.usage import UsageRecorder
from meterhouse.model.errors import Refused
from meterhouse.model.event import usage_ref
from meterhouse.model.ledger import Debit, Skipped
from meterhouse.model.once import MAX_BULK_KEY, MAX_KEY
from meterhouse.model.tenant import Rights

_USAGE: Final = b'{"success":true,"reference":"%s"%s}'
_DEBITED: Final = b',"creditDebit":{"debited":true,"amount":%d,"unitsRemaining":%d}'
_SKIPPED: Final = {
    reason: b',"creditDebit":{"debited":false,"reason":"%s"}' % reason.encode() for reason in Skipped
}


class CreditDebit(Struct, rename="camel", omit_defaults=True):
    """amount, unitsRemaining: where credits were debited. reason: why none were."""

    debited: bool
    amount: int | None = None
    units_remaining: int | None = None
    reason: Skipped | None = None


class UsageRecorded(Struct, rename="camel", omit_defaults=True):
    """creditDebit: absent where the outcome was no success."""

    success: bool
    reference: str
    credit_debit: CreditDebit | None = None


class BulkUsageResult(Struct, rename="camel", omit_defaults=True):
    """The result of one record; see `UsageRecorded`."""

    reference: str
    credit_debit: CreditDebit | None = None


class BulkUsageAnswer(Struct):
    """results: one for each record, in the order of the request. inserted: how many are no repeats."""

    success: bool
    inserted: int
    results: list[BulkUsageResult]


class MeterEventRecorded(Struct):
    """The event is recorded."""

    success: bool


class MeterEventsRecorded(Struct):
    """All events are recorded. inserted: how many are no repeats."""

    success: bool
    inserted: int


USAGE: Final = Hot([(JSON, UsageBody)], UsageRecorded)
USAGES: Final = Hot([(JSON, BulkUsageBody)], BulkUsageAnswer)
METER_EVENT: Final = Hot([(JSON, MeterEventBody)], MeterEventRecorded)
METER_EVENTS: Final = Hot([(JSON, BulkMeterBody)], MeterEventsRecorded)


class UsageRoutes:
    def __init__(self, usages: UsageRecorder, ingest: Ingest, authenticator: Authenticator) -> None:
        self._usages = usages
        self._ingest = ingest
        self._authenticator = authenticator

    async def track(self, request: Request) -> Answer:
        """Record one usage: count it on its meter, debit credits. A repeat has the first one's reference."""
        scope_id, raw, key = await self._read(request)
        tracked = await self._usages.track(scope_id, raw, key)
        return Answer(200, _USAGE % (usage_ref(tracked.event_number).encode(), credit_debit(tracked.debit)))

    async def track_bulk(self, request: Request) -> Answer:
        """Record up to 1000 usages, all or none."""
        scope_id, raw, key = await self._read_bulk(request)
        tracked = await self._usages.track_bulk(scope_id, raw, key)
        results = b",".join(
            b'{"reference":"%s"%s}' % (usage_ref(each.event_number).encode(), credit_debit(each.debit))
            for each in tracked
        )
        inserted = sum(each.debit is not Skipped.DUPLICATE for each in tracked)
        return Answer(200, b'{"success":true,"inserted":%d,"results":[%s]}' % (inserted, results))

    async def meter_event(self, request: Request) -> Answer:
        """Record one event for a named meter."""
        scope_id, raw, key = await self._read(request)
        await self._usages.meter_event(scope_id, raw, key)
        return Answer(200, b'{"success":true}')

    async def meter_events(self, request: Request) -> Answer:
        """Record up to 10 000 events for named meters, all or none."""
        scope_id, raw, key = await self._read_bulk(request)
        inserted = await self._usages.meter_events(scope_id, raw, key)
        return Answer(200, b'{"success":true,"inserted":%d}' % inserted)

    async def _read_bulk(self, request: Request) -> tuple[int, bytes, str | None]:
        return await self._read(request, body.BULK_BYTES, MAX_BULK_KEY)

    async def _read(
        self, request: Request, limit_bytes: int = body.SINGLE_BYTES, longest_key: int = MAX_KEY
    ) -> tuple[int, bytes, str | None]:
        """Return the scope, the body and the idempotency key. A refusal is counted in the tally."""
        caller = await self._authenticator.caller(
            request.headers, request.query, writes=True, needs=Rights.EVENTS_WRITE
        )
        try:
            body.media_type(request)
            raw = await body.read(request, limit_bytes)
            return caller.scope.id, raw, header_key(request.headers, longest_key)
        except Refused as error:
            await self._ingest.refuse(caller.scope.id, error)


def credit_debit(debit: Debit | Skipped | None) -> bytes:
    """Return the member `creditDebit` of an answer, with the comma before it."""
    if debit is None:
        return b""
    if isinstance(debit, Skipped):
        return _SKIPPED[debit]
    return _DEBITED % (debit.amount, debit.units_remaining)
