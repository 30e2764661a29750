"""Stage 3: every matching event, for those who take their data away."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from meterhouse.model.event import Event, event_number
from meterhouse.model.question import EventOrder, Filter, PageMark
from meterhouse.ports import Warehouse

_PAGE_EVENTS: Final = 10_000


async def pages(warehouse: Warehouse, matching: Filter) -> AsyncIterator[Sequence[Event]]:
    """Yield all matching events, what was received last first.

    In that order the cost of a page does not grow with the events that are no part of it.
    """
    mark: PageMark | None = None
    while found := await warehouse.events(matching, EventOrder.RECEIVED, mark, _PAGE_EVENTS):
        yield found
        mark = PageMark(0, event_number(found[-1].event_id) or 0)
