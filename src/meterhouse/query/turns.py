"""Turns for questions: bounded for each scope and in all, so that no scope keeps the others waiting."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, TypeVar

from meterhouse import telemetry
from meterhouse.model.errors import Overloaded
from meterhouse.model.event import Event, LogRecord
from meterhouse.model.question import EventOrder, Filter, PageMark, UsageQuestion, UsageRow
from meterhouse.ports import Warehouse
from meterhouse.query.bounds import in_time

T = TypeVar("T")
WAITING: Final = 100  # questions of one scope
_FULL: Final = "Too many questions of this environment wait for the warehouse; ask again."
_WAITED: Final = "The question waited {seconds} s for earlier ones; ask again, or ask fewer at once."


class InTurn:
    """A warehouse whose questions wait for their turn, and then have 10 seconds to run.

    at_once: questions that run at once. of_scope: those of one scope. wait_seconds: the longest wait.
    Every question raises Overloaded where its wait was too long, and QueryTooLarge after its 10 seconds.
    """

    def __init__(self, warehouse: Warehouse, at_once: int, of_scope: int, wait_seconds: int) -> None:
        self.name = warehouse.name
        self.position = warehouse.position
        self._warehouse = warehouse
        self._turns = asyncio.Semaphore(at_once)
        self._of_scope = of_scope
        self._wait_seconds = wait_seconds
        self._scopes: dict[int, _Scope] = {}

    async def insert(self, records: Sequence[LogRecord]) -> None:
        await self._warehouse.insert(records)

    async def usage(self, question: UsageQuestion) -> Sequence[UsageRow]:
        async with self._turn(question.filter.scope_id):
            return await _timed(self._warehouse.usage(question))

    async def events(
        self, matching: Filter, order: EventOrder, after: PageMark | None, limit: int
    ) -> Sequence[Event]:
        async with self._turn(matching.scope_id):
            return await _timed(self._warehouse.events(matching, order, after, limit))

    async def event(self, scope_id: int, event_number: int) -> Event | None:
        async with self._turn(scope_id):
            return await _timed(self._warehouse.event(scope_id, event_number))

    async def time_span(self, matching: Filter) -> tuple[int, int] | None:
        async with self._turn(matching.scope_id):
            return await _timed(self._warehouse.time_span(matching))

    @asynccontextmanager
    async def _turn(self, scope_id: int) -> AsyncIterator[None]:
        """Hold a turn of the scope, then one of all: a scope has at most `of_scope` of those that wait."""
        scope = self._scopes.setdefault(scope_id, _Scope(self._of_scope))
        if scope.asking >= self._of_scope + WAITING:
            telemetry.queries_refused.inc()
            raise Overloaded(_FULL)
        scope.asking += 1
        began = time.perf_counter()
        try:
            async with AsyncExitStack() as held:
                with telemetry.queries_waiting.track_inprogress():
                    try:
                        async with asyncio.timeout(self._wait_seconds):
                            await held.enter_async_context(scope.turns)
                            await held.enter_async_context(self._turns)
                    except TimeoutError:
                        telemetry.queries_refused.inc()
                        raise Overloaded(_WAITED.format(seconds=self._wait_seconds)) from None
                telemetry.query_waiting_seconds.observe(time.perf_counter() - began)
                yield
        finally:
            scope.asking -= 1
            if not scope.asking:
                del self._scopes[scope_id]


class _Scope:
    """asking: questions that run or wait."""

    def __init__(self, at_once: int) -> None:
        self.turns = asyncio.Semaphore(at_once)
        self.asking = 0


async def _timed(answer: Awaitable[T]) -> T:
    with telemetry.query_running_seconds.time(), telemetry.queries_running.track_inprogress():
        return await in_time(answer)
