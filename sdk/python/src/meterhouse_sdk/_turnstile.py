"""The two ways to carry a paywall out: for threads, and for asyncio.

Each settles leases whose time is over in the background, and every lease when its client closes.
"""

import asyncio
import atexit
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Final

from meterhouse_sdk._methods import Awaiting, Blocking
from meterhouse_sdk._new_usage import Outcome
from meterhouse_sdk._paywall import Admission, Paywall
from meterhouse_sdk._terms import Terms

_LOCKS: Final = 64  # customers whose leases are opened at the same time


def since(started: float) -> int:
    """Return the milliseconds since then, by `time.perf_counter`."""
    return round((time.perf_counter() - started) * 1000)


def _now() -> datetime:
    return datetime.now(UTC)


class BlockingTurnstile:
    """Lets calls through while their callers wait. For threads; a forked child starts without leases."""

    def __init__(self, client: Blocking) -> None:
        self._client = client
        self._begin()

    def _begin(self) -> None:
        self._paywall = Paywall(time.monotonic, _now)
        self._locks = [threading.Lock() for _ in range(_LOCKS)]
        self._changed = threading.Condition()
        self._keeper: threading.Thread | None = None
        self._pid = os.getpid()
        self._closed = False

    def enter(self, terms: Terms, given: str | None) -> Admission:
        """Raises PaymentRequired: the call may not run. Raises MeterhouseError: nobody knows, so neither."""
        if self._pid != os.getpid():
            self._begin()
        paywall = self._paywall
        customer_ref = self._client.carry_out(paywall.customer(given))
        if terms.lease_units is None:
            return self._client.carry_out(paywall.checked(terms, customer_ref))
        served = paywall.served(terms, customer_ref)
        if served is not None:
            return served
        with self._locks[hash(terms.share(customer_ref)) % _LOCKS]:
            admission = self._client.carry_out(paywall.leased(terms, customer_ref))
        self._keep()
        return admission

    def leave(self, admission: Admission, outcome: Outcome, duration_ms: int) -> None:
        self._client.carry_out(self._paywall.ended(admission, outcome, duration_ms))
        if admission.lease is not None:
            self._keep()  # it may not have been settled

    @contextmanager
    def through(self, terms: Terms, given: str | None) -> Iterator[Admission]:
        """Let a block run, and record what became of it. One that a generator's reader ends is a success."""
        admission = self.enter(terms, given)
        outcome: Outcome = "fail"
        started = time.perf_counter()
        try:
            yield admission
            outcome = "success"
        except GeneratorExit:
            outcome = "success"
            raise
        finally:
            self.leave(admission, outcome, since(started))

    def close(self) -> None:
        """Settle every lease. What cannot be settled now ends by itself, uncounted, and is logged."""
        if self._pid != os.getpid():
            return
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._keeper is not None:
            self._keeper.join()
            self._keeper = None
            atexit.unregister(self.close)
        self._client.carry_out(self._paywall.closed())

    def _keep(self) -> None:
        """Have the keeper look at the leases; start it with the first."""
        with self._changed:
            self._changed.notify_all()
            if self._keeper is None and not self._closed:
                self._keeper = threading.Thread(
                    target=self._settle_in_time,
                    args=(self._paywall, self._changed),
                    name="meterhouse-leases",
                    daemon=True,
                )
                self._keeper.start()
                atexit.register(self.close)

    def _settle_in_time(self, paywall: Paywall, changed: threading.Condition) -> None:
        while True:
            with changed:
                due_at = paywall.leases.next_due()
                if not self._closed:
                    changed.wait(None if due_at is None else max(0.0, due_at - paywall.clock()))
                if self._closed:
                    return
            self._client.carry_out(paywall.settled(paywall.leases.due(paywall.clock())))


class AsyncTurnstile(ABC):
    """What lets calls of asyncio through."""

    @abstractmethod
    async def enter(self, terms: Terms, given: str | None) -> Admission:
        """Raises PaymentRequired: the call may not run. Raises MeterhouseError: nobody knows, so neither."""

    @abstractmethod
    async def leave(self, admission: Admission, outcome: Outcome, duration_ms: int) -> None:
        """Record the call, also when the caller is cancelled meanwhile."""

    @asynccontextmanager
    async def through(self, terms: Terms, given: str | None) -> AsyncIterator[Admission]:
        """Let a block run, and record what became of it."""
        admission = await self.enter(terms, given)
        async with self.counted(admission):
            yield admission

    @asynccontextmanager
    async def counted(self, admission: Admission) -> AsyncIterator[None]:
        """Record what becomes of a block. One that a generator's reader ends is a success."""
        outcome: Outcome = "fail"
        started = time.perf_counter()
        try:
            yield
            outcome = "success"
        except GeneratorExit:
            outcome = "success"
            raise
        finally:
            await self.leave(admission, outcome, since(started))


class AwaitingTurnstile(AsyncTurnstile):
    """Lets calls through for asyncio."""

    def __init__(self, client: Awaiting) -> None:
        self._client = client
        self._begin()

    def _begin(self) -> None:
        self._paywall = Paywall(time.monotonic, _now)
        self._locks = [asyncio.Lock() for _ in range(_LOCKS)]
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._pid = os.getpid()
        self._closed = False

    async def enter(self, terms: Terms, given: str | None) -> Admission:
        if self._pid != os.getpid():
            self._begin()
        paywall = self._paywall
        customer_ref = await self._client.carry_out(paywall.customer(given))
        if terms.lease_units is None:
            return await self._client.carry_out(paywall.checked(terms, customer_ref))
        served = paywall.served(terms, customer_ref)
        if served is not None:
            return served
        async with self._locks[hash(terms.share(customer_ref)) % _LOCKS]:
            admission = await self._client.carry_out(paywall.leased(terms, customer_ref))
        self._keep()
        return admission

    async def leave(self, admission: Admission, outcome: Outcome, duration_ms: int) -> None:
        task = asyncio.create_task(self._ended(admission, outcome, duration_ms))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        await asyncio.shield(task)

    async def _ended(self, admission: Admission, outcome: Outcome, duration_ms: int) -> None:
        await self._client.carry_out(self._paywall.ended(admission, outcome, duration_ms))
        if admission.lease is not None:
            self._keep()  # it may not have been settled

    async def aclose(self) -> None:
        """Settle every lease. What cannot be settled now ends by itself, uncounted, and is logged."""
        if self._pid != os.getpid():
            return
        self._closed = True
        self._changed.set()
        if self._keeper is not None and not self._keeper.done():
            await self._keeper
        if self._leaving:
            await asyncio.wait(self._leaving)
        await self._client.carry_out(self._paywall.closed())

    def _keep(self) -> None:
        """Have the keeper look at the leases; start it with the first."""
        self._changed.set()
        if not self._closed and (self._keeper is None or self._keeper.done()):
            self._keeper = asyncio.create_task(self._settle_in_time(), name="meterhouse-leases")

    async def _settle_in_time(self) -> None:
        paywall = self._paywall
        while not self._closed:
            self._changed.clear()
            due_at = paywall.leases.next_due()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if due_at is None else max(0.0, due_at - paywall.clock())):
                    await self._changed.wait()
            await self._client.carry_out(paywall.settled(paywall.leases.due(paywall.clock())))


class ThreadedTurnstile(AsyncTurnstile):
    """A blocking one for asyncio: it waits in a thread, so that the loop does not."""

    def __init__(self, turnstile: BlockingTurnstile) -> None:
        self._turnstile = turnstile

    async def enter(self, terms: Terms, given: str | None) -> Admission:
        entering = asyncio.create_task(asyncio.to_thread(self._turnstile.enter, terms, given))
        try:
            return await asyncio.shield(entering)
        except asyncio.CancelledError:
            entering.add_done_callback(self._give_back)  # the thread cannot be cancelled
            raise

    def _give_back(self, entering: asyncio.Task[Admission]) -> None:
        if not entering.cancelled() and entering.exception() is None:
            loop = asyncio.get_running_loop()
            loop.run_in_executor(None, self._turnstile.leave, entering.result(), "fail", 0)

    async def leave(self, admission: Admission, outcome: Outcome, duration_ms: int) -> None:
        await asyncio.to_thread(self._turnstile.leave, admission, outcome, duration_ms)


def for_asyncio(turnstile: BlockingTurnstile | AwaitingTurnstile) -> AsyncTurnstile:
    return ThreadedTurnstile(turnstile) if isinstance(turnstile, BlockingTurnstile) else turnstile
