"""`POST /v1/sdk/events` and its bulk: the hot routes of stage 1."""

from typing import Final

import msgspec

from meterhouse.http import body
from meterhouse.http.auth import Authenticator
from meterhouse.http.edge import Answer, Request
from meterhouse.ingest.accept import Ingest, Published, PublishedBulk
from meterhouse.model.errors import Refused, ValidationFailed

# Ids as `model.event.event_id` writes them.
_STORED: Final = b'{"status":"stored","eventId":"evt_%016x"}'
_DUPLICATE: Final = b'{"status":"duplicate","eventId":"evt_%016x"}'
_BULK: Final = b'{"stored":%d,"duplicates":%d,"rejected":%d,"results":[%s]}'
_encode: Final = msgspec.json.encode


class EventRoutes:
    def __init__(self, ingest: Ingest, authenticator: Authenticator) -> None:
        self._ingest = ingest
        self._authenticator = authenticator

    async def publish(self, request: Request) -> Answer:
        """201 with the new event's id, 200 for a repeat; see `Ingest.publish` for what is refused."""
        scope_id = (await self._authenticator.caller(request.headers, request.query, writes=True)).scope.id
        try:
            body.media_type(request)
            raw = await body.read(request, body.SINGLE_BYTES)
            key = header_key(request)
        except Refused as error:
            await self._ingest.refuse(scope_id, error)
        published = await self._ingest.publish(scope_id, raw, key)
        if published.duplicate:
            return Answer(200, b'{"eventId":"evt_%016x","duplicate":true}' % published.event_number)
        return Answer(201, b'{"eventId":"evt_%016x"}' % published.event_number)

    async def publish_bulk(self, request: Request) -> Answer:
        """200 with one result per event, in order; one bad event does not stop the others."""
        scope_id = (await self._authenticator.caller(request.headers, request.query, writes=True)).scope.id
        try:
            kind = body.media_type(request, body.JSON, body.NDJSON)
            raw = await body.read(request, body.BULK_BYTES)
            key = header_key(request)
        except Refused as error:
            await self._ingest.refuse(scope_id, error)
        return _bulk_answer(await self._ingest.publish_bulk(scope_id, raw, key, lines=kind == body.NDJSON))


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


def header_key(request: Request) -> str | None:
    """Return the Idempotency-Key header; None when there is none.

    Raises ValidationFailed for an empty one, and for bytes that are not UTF-8 text.
    """
    given = request.headers.get(b"idempotency-key")
    if given is None:
        return None
    if not given:
        raise ValidationFailed.of("idempotencyKey", "the header must not be empty; send a key or no header")
    try:
        return given.decode()
    except UnicodeDecodeError:
        raise ValidationFailed.of("idempotencyKey", "the header must be UTF-8 text") from None
