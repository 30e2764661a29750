"""`POST /v1/sdk/events` and its bulk: hot routes (contract §3.0)."""

from typing import Final

import msgspec
from msgspec import Struct

from meterhouse.http import body
from meterhouse.http.auth import Authenticator
from meterhouse.http.edge import Answer, Request
from meterhouse.http.idempotency import header_key
from meterhouse.http.routing import JSON, NDJSON, Hot
from meterhouse.ingest.accept import Ingest, Published, PublishedBulk
from meterhouse.ingest.body import EventBody
from meterhouse.ingest.decode import BulkBody
from meterhouse.model.errors import FieldError, Refused
from meterhouse.model.once import MAX_BULK_KEY
from meterhouse.model.tenant import Rights

# Ids as `model.event.event_id` writes them.
_STORED: Final = b'{"status":"stored","eventId":"evt_%016x"}'
_DUPLICATE: Final = b'{"status":"duplicate","eventId":"evt_%016x"}'
_BULK: Final = b'{"stored":%d,"duplicates":%d,"rejected":%d,"results":[%s]}'
_encode: Final = msgspec.json.encode


class PublishedEvent(Struct, rename="camel", omit_defaults=True):
    """duplicate: an earlier request with this idempotency key stored the event."""

    event_id: str
    duplicate: bool = False


class BulkResult(Struct, rename="camel", omit_defaults=True):
    """status: stored, duplicate or rejected. code, errors: the reason of a rejection."""

    status: str
    event_id: str | None = None
    code: str | None = None
    errors: tuple[FieldError, ...] | None = None


class BulkAnswer(Struct):
    """results: one for each event, in the order of the request."""

    stored: int
    duplicates: int
    rejected: int
    results: list[BulkResult]


EVENT: Final = Hot([(JSON, EventBody)], PublishedEvent, also=[(200, "Stored earlier, with this key")])
EVENTS: Final = Hot([(JSON, BulkBody), (NDJSON, EventBody)], BulkAnswer)


class EventRoutes:
    def __init__(self, ingest: Ingest, authenticator: Authenticator) -> None:
        self._ingest = ingest
        self._authenticator = authenticator

    async def publish(self, request: Request) -> Answer:
        """Publish one usage event. A repeat of an idempotency key answers 200 with the first event's id."""
        scope_id = await self._scope_id(request)
        try:
            body.media_type(request)
            raw = await body.read(request, body.SINGLE_BYTES)
            key = header_key(request.headers)
        except Refused as error:
            await self._ingest.refuse(scope_id, error)
        published = await self._ingest.publish(scope_id, raw, key)
        if published.duplicate:
            return Answer(200, b'{"eventId":"evt_%016x","duplicate":true}' % published.event_number)
        return Answer(201, b'{"eventId":"evt_%016x"}' % published.event_number)

    async def publish_bulk(self, request: Request) -> Answer:
        """Publish up to 10 000 usage events, as JSON or as NDJSON with one event a line; plain, gzip or zstd.

        Each event is stored, a duplicate, or rejected on its own; the answer has one result for each.
        """
        scope_id = await self._scope_id(request)
        try:
            kind = body.media_type(request, body.JSON, body.NDJSON)
            raw = await body.read(request, body.BULK_BYTES)
            key = header_key(request.headers, MAX_BULK_KEY)
        except Refused as error:
            await self._ingest.refuse(scope_id, error)
        return _bulk_answer(await self._ingest.publish_bulk(scope_id, raw, key, lines=kind == body.NDJSON))

    async def _scope_id(self, request: Request) -> int:
        caller = await self._authenticator.caller(
            request.headers, request.query, writes=True, needs=Rights.EVENTS_WRITE
        )
        return caller.scope.id


def _bulk_answer(published: PublishedBulk) -> Answer:
    """Most bulks are stored whole: those are written by one formatting, a tenth of the time."""
    numbers = published.numbers
    if numbers is not None:
        stored = len(numbers)
        results = b",".join([_STORED] * stored) % tuple(numbers)
        return Answer(200, _BULK % (stored, 0, 0, results))
    duplicates = rejected = 0
    parts: list[bytes] = []
    for outcome in published.outcomes():
        if not isinstance(outcome, Published):
            rejected += 1
            parts.append(_encode({"status": "rejected", "code": outcome.code, "errors": outcome.errors}))
        elif outcome.duplicate:
            duplicates += 1
            parts.append(_DUPLICATE % outcome.event_number)
        else:
            parts.append(_STORED % outcome.event_number)
    stored = published.count - duplicates - rejected
    return Answer(200, _BULK % (stored, duplicates, rejected, b",".join(parts)))
