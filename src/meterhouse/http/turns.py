"""Turns at something that only a few may do at once, shared fairly among those who ask."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meterhouse.model.errors import Overloaded


class Turns:
    """Gives each asker one turn after the other in rotation: many requests of one do not delay another's.

    at_once: turns that are taken at the same time. most_waiting: requests that wait for one.
    """

    def __init__(self, at_once: int, most_waiting: int) -> None:
        self._free = at_once
        self._most_waiting = most_waiting
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # in the order of their next turns
        self._count = 0

    @asynccontextmanager
    async def turn(self, asker: str) -> AsyncIterator[None]:
        """Wait for a turn and have it. Raises Overloaded where too many wait, for the asker with the most."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(asker)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, asker: str) -> None:
        mine = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(asker, deque()).append(mine)
        self._count += 1
        if self._count > self._most_waiting:
            self._refuse_newest(max(self._waiting, key=lambda each: len(self._waiting[each])))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # the turn came at the same moment
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            asker = next(iter(self._waiting))
            queue = self._waiting.pop(asker)
            first = queue.popleft()
            self._count -= 1
            if queue:
                self._waiting[asker] = queue  # at the end
            if not first.done():  # else its request went away
                first.set_result(None)
                return
        self._free += 1

    def _refuse_newest(self, asker: str) -> None:
        queue = self._waiting[asker]
        newest = queue.pop()
        self._count -= 1
        if not queue:
            del self._waiting[asker]
        if not newest.done():
            newest.set_exception(Overloaded("Too many sign-ins at once; try again in a second."))
