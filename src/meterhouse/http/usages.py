"""`POST /v1/sdk/usages`, `/v1/sdk/meter-events` and their bulks: hot routes (contract §3.1)."""

from typing import Final

from meterhouse.http import body
from meterhouse.http.auth import Authenticator
from meterhouse.http.edge import Answer, Request
from meterhouse.http.events import header_key
from meterhouse.ingest.accept import Ingest
from meterhouse.metering.usage import UsageRecorder
from meterhouse.model.errors import Refused
from meterhouse.model.event import usage_ref
from meterhouse.model.ledger import Debit, Skipped

_USAGE: Final = b'{"success":true,"reference":"%s"%s}'
_DEBITED: Final = b',"creditDebit":{"debited":true,"amount":%d,"unitsRemaining":%d}'
_SKIPPED: Final = {
    reason: b',"creditDebit":{"debited":false,"reason":"%s"}' % reason.encode() for reason in Skipped
}


class UsageRoutes:
    def __init__(self, usages: UsageRecorder, ingest: Ingest, authenticator: Authenticator) -> None:
        self._usages = usages
        self._ingest = ingest
        self._authenticator = authenticator

    async def track(self, request: Request) -> Answer:
        """200 with the record's reference and what it cost; the same again for a repeat."""
        scope_id, raw, key = await self._read(request, body.SINGLE_BYTES)
        tracked = await self._usages.track(scope_id, raw, key)
        return Answer(200, _USAGE % (usage_ref(tracked.event_number).encode(), credit_debit(tracked.debit)))

    async def track_bulk(self, request: Request) -> Answer:
        """200 with one result for each record, in order; all were stored."""
        scope_id, raw, key = await self._read(request, body.BULK_BYTES)
        tracked = await self._usages.track_bulk(scope_id, raw, key)
        results = b",".join(
            b'{"reference":"%s"%s}' % (usage_ref(each.event_number).encode(), credit_debit(each.debit))
            for each in tracked
        )
        inserted = sum(each.debit is not Skipped.DUPLICATE for each in tracked)
        return Answer(200, b'{"success":true,"inserted":%d,"results":[%s]}' % (inserted, results))

    async def meter_event(self, request: Request) -> Answer:
        """200 once the event is recorded."""
        scope_id, raw, key = await self._read(request, body.SINGLE_BYTES)
        await self._usages.meter_event(scope_id, raw, key)
        return Answer(200, b'{"success":true}')

    async def meter_events(self, request: Request) -> Answer:
        """200 once all events are recorded."""
        scope_id, raw, key = await self._read(request, body.BULK_BYTES)
        inserted = await self._usages.meter_events(scope_id, raw, key)
        return Answer(200, b'{"success":true,"inserted":%d}' % inserted)

    async def _read(self, request: Request, limit_bytes: int) -> tuple[int, bytes, str | None]:
        """Return the scope, the body and the idempotency key. A refusal is counted in the tally."""
        caller = await self._authenticator.caller(request.headers, request.query, writes=True)
        try:
            body.media_type(request)
            return caller.scope.id, await body.read(request, limit_bytes), header_key(request)
        except Refused as error:
            await self._ingest.refuse(caller.scope.id, error)


def credit_debit(debit: Debit | Skipped | None) -> bytes:
    """Return the member of an answer that says what was debited, with the comma before it."""
    if debit is None:
        return b""
    if isinstance(debit, Skipped):
        return _SKIPPED[debit]
    return _DEBITED % (debit.amount, debit.units_remaining)
