"""The two ways to carry a paywall out: for threads, and for asyncio.

Each settles leases whose time is over in the background, and every lease when its client closes or the
process ends.
"""

import asyncio
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

from meterhouse_sdk._background import background, finished, log_failure
from meterhouse_sdk._call import Call
from meterhouse_sdk._exit import at_exit, not_at_exit
from meterhouse_sdk._methods import Awaiting, Blocking
from meterhouse_sdk._new_usage import Outcome
from meterhouse_sdk._paywall import Admission, Paywall
from meterhouse_sdk._refusal import REFUSALS, answerable
from meterhouse_sdk._terms import Customer, Terms

_LOCKS: Final = 64  # customers whose leases are opened at the same time


def _now() -> datetime:
    return datetime.now(UTC)


class BlockingTurnstile:
    """Lets calls through while their callers wait. For threads; a forked child starts without leases."""

    def __init__(self, client: Blocking) -> None:
        self._client = client
        self.leaving: set[Future[None]] = set()  # calls of asyncio that are being recorded
        self._begin()

    def _begin(self) -> None:
        self._paywall = Paywall(time.monotonic, _now)
        self._locks = [threading.Lock() for _ in range(_LOCKS)]
        self._changed = threading.Condition()
        self._keeper: threading.Thread | None = None
        self._pid = os.getpid()
        self._closed = False

    def enter(self, terms: Terms, customer: Customer) -> Admission:
        """Raises PaymentRequired: the call may not run. Raises MeterhouseError: nobody knows, so neither."""
        if self._pid != os.getpid():
            self._begin()
        paywall = self._paywall
        if terms.lease_units is None:
            return self._client.carry_out(paywall.checked(terms, customer))
        admission = paywall.served(terms, customer)
        if admission is not None:
            return admission
        with self._locks[hash((customer, terms.product_ref)) % _LOCKS]:
            admission = self._client.carry_out(paywall.leased(terms, customer))
        self._keep()
        return admission

    def leave(self, admission: Admission, outcome: Outcome | None, duration_ms: int) -> None:
        self._client.carry_out(self._paywall.ended(admission, outcome, duration_ms))
        if admission.lease is not None:
            self._keep()  # it may not have been settled

    @contextmanager
    def through(self, terms: Terms, customer: Customer) -> Iterator[Call]:
        """Let a block run, and record its outcome. A generator whose reader leaves early is a success."""
        try:
            call = Call(self.enter(terms, customer))
        except REFUSALS as error:
            raise answerable(error)  # noqa: B904 - it is the same error
        try:
            yield call
        except BaseException as error:
            self._end(call, error)
            raise
        self._end(call, None)

    def _end(self, call: Call, error: BaseException | None) -> None:
        call.is_open = False
        self.leave(call.admission, call.outcome(error), call.duration_ms())

    def close(self) -> None:
        """Settle every lease. One that cannot be settled now ends by itself, uncounted, and is logged."""
        if self._pid != os.getpid():
            return
        not_at_exit(self.close)
        wait(self.leaving.copy())
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._keeper is not None:
            self._keeper.join()
            self._keeper = None
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
                at_exit(self.close)

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
    """Lets calls of asyncio through, in any event loop.

    It works on the SDK's own loop: neither a cancelled task nor a closed loop stops its bookkeeping.
    """

    def __init__(self, leaving: set[Future[None]]) -> None:
        self._leaving = leaving

    async def enter(self, terms: Terms, customer: Customer) -> Admission:
        """Raises PaymentRequired: the call may not run. Raises MeterhouseError: nobody knows, so neither.

        A caller that is cancelled meanwhile takes nothing from its customer.
        """
        entering = background.keep(self._enter(terms, customer))
        try:
            return await finished(entering)
        except asyncio.CancelledError:
            entering.add_done_callback(self._give_back)
            raise

    def _give_back(self, entering: Future[Admission]) -> None:
        if not entering.cancelled() and entering.exception() is None:
            self.leave(entering.result(), None, 0).add_done_callback(log_failure)

    def leave(self, admission: Admission, outcome: Outcome | None, duration_ms: int) -> Future[None]:
        """Begin to record a call, and return at once."""
        booking = background.keep(self._leave(admission, outcome, duration_ms))
        self._leaving.add(booking)
        booking.add_done_callback(self._leaving.discard)
        return booking

    def through(self, terms: Terms, customer: Customer) -> AbstractAsyncContextManager[Call]:
        """Let a block run, and record its outcome. A generator whose reader leaves early is a success."""
        return _Through(self, terms, customer)

    @abstractmethod
    async def _enter(self, terms: Terms, customer: Customer) -> Admission: ...

    @abstractmethod
    async def _leave(self, admission: Admission, outcome: Outcome | None, duration_ms: int) -> None: ...


class Recorder:
    """Records a call once, at its end."""

    def __init__(self, turnstile: AsyncTurnstile, call: Call) -> None:
        self._turnstile = turnstile
        self.call = call

    async def end(self, error: BaseException | None) -> None:
        """Record the call, and return when that is done. It is done too when the caller does not wait."""
        call = self.call
        if not call.is_open:
            return
        call.is_open = False
        booking = self._turnstile.leave(call.admission, call.outcome(error), call.duration_ms())
        if isinstance(error, GeneratorExit) and not call.delivered:  # a closed coroutine may not wait
            booking.add_done_callback(log_failure)
        else:
            await finished(booking)


class _Through(AbstractAsyncContextManager[Call]):
    def __init__(self, turnstile: AsyncTurnstile, terms: Terms, customer: Customer) -> None:
        self._turnstile, self._terms, self._customer = turnstile, terms, customer

    async def __aenter__(self) -> Call:
        try:
            call = Call(await self._turnstile.enter(self._terms, self._customer))
        except REFUSALS as error:
            raise answerable(error)  # noqa: B904 - it is the same error
        self._recorder = Recorder(self._turnstile, call)
        return call

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._recorder.end(error)


class AwaitingTurnstile(AsyncTurnstile):
    """Lets calls through for the async client."""

    def __init__(self, client: Awaiting) -> None:
        super().__init__(set())
        self._client = client
        self._begin()

    def _begin(self) -> None:
        self._paywall = Paywall(time.monotonic, _now)
        self._locks = [asyncio.Lock() for _ in range(_LOCKS)]
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._pid = os.getpid()
        self._closed = False

    async def _enter(self, terms: Terms, customer: Customer) -> Admission:
        if self._pid != os.getpid():
            self._begin()
        paywall = self._paywall
        if terms.lease_units is None:
            return await self._client.carry_out(paywall.checked(terms, customer))
        admission = paywall.served(terms, customer)
        if admission is not None:
            return admission
        async with self._locks[hash((customer, terms.product_ref)) % _LOCKS]:
            admission = await self._client.carry_out(paywall.leased(terms, customer))
        self._keep()
        return admission

    async def _leave(self, admission: Admission, outcome: Outcome | None, duration_ms: int) -> None:
        await self._client.carry_out(self._paywall.ended(admission, outcome, duration_ms))
        if admission.lease is not None:
            self._keep()  # it may not have been settled

    async def aclose(self) -> None:
        """Settle every lease. One that cannot be settled now ends by itself, uncounted, and is logged."""
        if self._pid == os.getpid():
            await finished(background.keep(self._close()))

    async def _close(self) -> None:
        not_at_exit(self._close_at_exit)
        self._closed = True
        self._changed.set()
        if self._keeper is not None and not self._keeper.done():
            await self._keeper
        await asyncio.gather(*map(asyncio.wrap_future, self._leaving.copy()), return_exceptions=True)
        await self._client.carry_out(self._paywall.closed())

    def _close_at_exit(self) -> None:
        if self._pid == os.getpid():
            background.keep(self._close())  # the end of the loop waits for it

    def _keep(self) -> None:
        """Have the keeper look at the leases; start it with the first."""
        self._changed.set()
        if not self._closed and (self._keeper is None or self._keeper.done()):
            self._keeper = asyncio.create_task(self._settle_in_time(), name="meterhouse-leases")
            at_exit(self._close_at_exit)

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
    """Lets calls of asyncio through for a blocking client: it waits in a thread, so that no loop does."""

    def __init__(self, turnstile: BlockingTurnstile) -> None:
        super().__init__(turnstile.leaving)
        self._turnstile = turnstile

    async def _enter(self, terms: Terms, customer: Customer) -> Admission:
        return await asyncio.to_thread(self._turnstile.enter, terms, customer)

    async def _leave(self, admission: Admission, outcome: Outcome | None, duration_ms: int) -> None:
        await asyncio.to_thread(self._turnstile.leave, admission, outcome, duration_ms)


def for_asyncio(turnstile: BlockingTurnstile | AwaitingTurnstile) -> AsyncTurnstile:
    return ThreadedTurnstile(turnstile) if isinstance(turnstile, BlockingTurnstile) else turnstile
