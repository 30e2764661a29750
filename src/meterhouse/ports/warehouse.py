"""The warehouse: events laid out for questions."""

from collections.abc import Sequence
from typing import Protocol

from meterhouse.model.event import Event, LogRecord
from meterhouse.model.question import EventOrder, Filter, PageMark, UsageQuestion, UsageRow


class Warehouse(Protocol):
    """Events laid out for questions. A consumer of the log, and can be made again from it."""

    name: str

    async def position(self) -> int:
        """Return the log position up to which events are in every answer."""
        ...

    async def insert(self, records: Sequence[LogRecord]) -> None:
        """Add records that follow on `position`, all or none. Those at or before it are skipped; where the
        first of the others is not the next one, nothing is added: they come again, with what is missing."""
        ...

    async def usage(self, question: UsageQuestion) -> Sequence[UsageRow]:
        """Return one row over everything (group None), one for each group, and one for each of a group's
        buckets that is not empty; groups by value descending, the rest of them (`other`) last.

        Raises QueryTooLarge, WarehouseUnavailable.
        """
        ...

    async def events(
        self, matching: Filter, order: EventOrder, after: PageMark | None, limit: int
    ) -> Sequence[Event]:
        """Return up to `limit` events, newest first, starting after a mark. Raises WarehouseUnavailable."""
        ...

    async def event(self, scope_id: int, event_number: int) -> Event | None:
        """Return one event of the scope, of any kind. Raises WarehouseUnavailable."""
        ...

    async def time_span(self, matching: Filter) -> tuple[int, int] | None:
        """Return when the first and the last matching event happened; None when there are none."""
        ...
