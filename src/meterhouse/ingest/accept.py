"""Stage 1: bytes in, events in the log. Every received event is stored, a duplicate, or refused with a
reason, and is counted as such before the answer is sent.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final, NoReturn

from msgspec import Struct

from meterhouse.ingest.body import MAX_AHEAD, EventBody, Rules, read_event
from meterhouse.ingest.bulk import check_count
from meterhouse.ingest.careful import carefully
from meterhouse.ingest.columnwise import read_columns
from meterhouse.ingest.customers import refs_of_externals
from meterhouse.ingest.decode import decode_bulk, decode_event, decode_lines, whole_bulk, whole_lines
from meterhouse.model.errors import (
    CustomerNotFound,
    FieldError,
    IdempotencyConflict,
    ProductNotFound,
    Refused,
    ValidationFailed,
)
from meterhouse.model.event import KEY_CONFLICT, Columns, Receipt, Rejection, Submission
from meterhouse.model.once import row_key
from meterhouse.ports import Directory, EventLog

_SLICE_EVENTS: Final = 1_000  # between two slices, other requests get their turn


class Published(Struct, frozen=True):
    """One event is in the log. `duplicate`: it was there already, under this number."""

    event_number: int
    duplicate: bool


class PublishedBulk(Struct, frozen=True):
    """The result of a bulk. refused: the events that are not in the log, by row. receipt: of the others."""

    count: int
    refused: dict[int, Rejection]
    receipt: Receipt

    @property
    def numbers(self) -> range | None:
        """The event numbers of all rows, in order, where every one of them was stored; else None."""
        if self.refused or self.receipt.repeats:
            return None
        return range(self.receipt.first_number, self.receipt.first_number + self.count)

    def outcomes(self) -> Iterator[Published | Rejection]:
        """Put the refused events and the log's receipt back into the order of the request."""
        number = self.receipt.first_number
        submitted = 0
        for row in range(self.count):
            if row in self.refused:
                yield self.refused[row]
                continue
            repeat = self.receipt.repeats.get(submitted)
            submitted += 1
            if repeat is None:
                yield Published(number, duplicate=False)
                number += 1
            elif repeat.conflict:
                yield KEY_CONFLICT
            else:
                yield Published(repeat.event_number, duplicate=True)


class Ingest:
    """now: the server's clock, an aware datetime."""

    def __init__(self, log: EventLog, directory: Directory, now: Callable[[], datetime]) -> None:
        self._log = log
        self._directory = directory
        self._now = now
        self._known_types: dict[str, bool] = {}

    async def publish(self, scope_id: int, body: bytes, header_key: str | None) -> Published:
        """Store one usage event (contract §3.0).

        header_key: the `Idempotency-Key` header; the body's key must not differ from it.
        Raises ValidationFailed, CustomerNotFound, ProductNotFound, IdempotencyConflict: not stored.
        Raises Unavailable: nothing was stored, the same request may be sent again.
        """
        try:
            event = decode_event(body)
        except ValidationFailed as error:
            await self.refuse(scope_id, error)
        rules = await self._rules(scope_id, (event,))
        columns = Columns.empty()
        if refused := read_event(event, header_key, rules, columns):
            await self._refuse(scope_id, refused, _error_of(refused))
        receipt = await self._log.append(Submission(scope_id, columns, size=len(body)))
        repeat = receipt.repeats.get(0)
        if repeat is None:
            return Published(receipt.first_number, duplicate=False)
        if repeat.conflict:
            raise IdempotencyConflict
        return Published(repeat.event_number, duplicate=True)

    async def publish_bulk(
        self, scope_id: int, body: bytes, header_key: str | None, *, lines: bool = False
    ) -> "PublishedBulk":
        """Store up to 10 000 usage events, and return the result of each.

        header_key: event i without a key of its own gets `<header_key>#<i>`.
        lines: the body is NDJSON, one event a line, instead of `{"events": [...]}`.
        Raises ValidationFailed or PayloadTooLarge (of the body as a whole) and Unavailable:
        nothing was stored.
        """
        try:
            events = await (
                carefully(body, whole_lines, decode_lines)
                if lines
                else carefully(body, whole_bulk, decode_bulk)
            )
            if not events:
                raise ValidationFailed.of("events", "must have at least one event")
            check_count(len(events))
        except Refused as error:
            await self.refuse(scope_id, error)
        rules = await self._rules(scope_id, events)
        columns = Columns.empty()
        refused: dict[int, Rejection] = {}
        for first in range(0, len(events), _SLICE_EVENTS):
            if first:
                await asyncio.sleep(0)
            _read(
                events,
                range(first, min(first + _SLICE_EVENTS, len(events))),
                header_key,
                rules,
                columns,
                refused,
            )
        receipt = await self._log.append(Submission(scope_id, columns, list(refused.values()), len(body)))
        return PublishedBulk(len(events), refused, receipt)

    async def refuse(self, scope_id: int, error: Refused) -> NoReturn:
        """Count a refused body as one rejection, then raise `error`."""
        errors = getattr(error, "errors", None) or (FieldError("", str(error)),)
        await self._refuse(scope_id, Rejection(error.code, errors), error)

    async def _refuse(self, scope_id: int, rejection: Rejection, error: Refused) -> NoReturn:
        await self._log.append(Submission(scope_id, Columns.empty(), (rejection,)))
        raise error

    async def _rules(self, scope_id: int, events: Sequence[EventBody | Rejection]) -> Rules:
        """Look up, once for all events, which of the customers and products they name exist."""
        bodies = [event for event in events if isinstance(event, EventBody)]
        externals = await refs_of_externals(self._directory, scope_id, bodies)
        customers = {body.customer_ref or body.customer_id or "" for body in bodies}
        products = {ref for body in bodies if (ref := body.product_ref or body.product_reference)}
        known = await self._directory.known_customers(scope_id, customers)
        return Rules(
            {*known, *externals.values()} if externals else known,
            await self._directory.known_products(scope_id, products) if products else (),
            self._now() + MAX_AHEAD,
            self._known_types,
            externals,
        )


def _read(
    events: Sequence[EventBody | Rejection],
    rows: range,
    header_key: str | None,
    rules: Rules,
    columns: Columns,
    refused: dict[int, Rejection],
) -> None:
    """Append the good events among `rows` to `columns`, and the reasons of the others to `refused`."""
    bodies = [event for event in events[rows.start : rows.stop] if isinstance(event, EventBody)]
    if len(bodies) == len(rows):
        own = [body.idempotency_key for body in bodies]
        keys = [row_key(key, header_key, row) for key, row in zip(own, rows, strict=True)]
        good = read_columns(bodies, keys, rules)
        if good is not None:
            columns.extend(good)
            return
    for row in rows:
        event = events[row]
        if isinstance(event, EventBody):
            rejection = read_event(event, row_key(event.idempotency_key, header_key, row), rules, columns)
        else:
            rejection = event
        if rejection is not None:
            refused[row] = rejection


def _error_of(rejection: Rejection) -> Refused:
    """The error of a single event's rejection: its code's, with the field's sentence."""
    sentence = rejection.errors[0].message
    match rejection.code:
        case "customer_not_found":
            return CustomerNotFound(sentence)
        case "product_not_found":
            return ProductNotFound(sentence)
    return ValidationFailed(rejection.errors)
