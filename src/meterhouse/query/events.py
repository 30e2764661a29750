"""Stage 3: which events. Pages that a late event neither repeats nor skips a row of."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from meterhouse.model.errors import EventNotFound
from meterhouse.model.event import Event, event_number, to_microseconds
from meterhouse.model.question import EventOrder, PageMark
from meterhouse.ports import Directory, Warehouse
from meterhouse.query.cursors import read_cursor, write_cursor
from meterhouse.query.customers import with_customer_refs
from meterhouse.query.parameters import Parameters, Reader

MAX_LIMIT: Final = 1_000


class EventPage(Struct, frozen=True, rename="camel"):
    """The answer of `GET /v1/events`. `next_cursor` is None on the last page."""

    events: Sequence[Event]
    next_cursor: str | None


class EventQueries:
    def __init__(self, warehouse: Warehouse, directory: Directory) -> None:
        self._warehouse = warehouse
        self._directory = directory

    async def page(self, scope_id: int, parameters: Parameters) -> EventPage:
        """Answer `GET /v1/events`, newest first.

        Raises ValidationFailed naming each wrong parameter, also a cursor of another question;
        QueryTooLarge after 10 seconds; WarehouseUnavailable.
        """
        reader = Reader(await with_customer_refs(self._directory, scope_id, parameters))
        order = reader.choice("order", EventOrder, EventOrder.TIMESTAMP)
        limit = reader.whole("limit", default=100, highest=MAX_LIMIT)
        cursor = reader.text("cursor")
        matching = reader.filter(scope_id, reader.zone())
        reader.finish(also_known=("numbers", "environment"))
        mark = read_cursor(cursor, PageMark, "events", matching, order)
        found = await self._warehouse.events(matching, order, mark, limit + 1)
        page = found[:limit]
        more = len(found) > limit
        return EventPage(
            page, write_cursor(_mark(page[-1], order), "events", matching, order) if more else None
        )

    async def event(self, scope_id: int, event_id: str) -> Event:
        """Answer `GET /v1/events/{eventId}`. Raises EventNotFound, also for another scope's event."""
        number = event_number(event_id)
        found = None if number is None else await self._warehouse.event(scope_id, number)
        if found is None:
            raise EventNotFound(f"Event {event_id} not found")
        return found


def _mark(last: Event, order: EventOrder) -> PageMark:
    number = event_number(last.event_id)
    assert number is not None  # noqa: S101 - the warehouse made the id
    return PageMark(to_microseconds(last.timestamp) if order is EventOrder.TIMESTAMP else 0, number)
