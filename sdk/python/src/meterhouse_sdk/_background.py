"""Work that outlives the task and the loop that asked for it: one event loop, in a thread of the process.

The requests of asyncio clients are sent here. So one client works in any loop, in several at once, and in one
after another. Usage is booked here too, so that neither a cancelled task nor a closed loop stops it.
"""

import asyncio
import logging
import os
import socket
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, Final, TypeVar

import httpx

from meterhouse_sdk._error import MeterhouseError
from meterhouse_sdk._exit import at_exit

T = TypeVar("T")
_THREADS: Final = 32  # for blocking clients that serve asyncio
_EXIT_SECONDS: Final = 10.0  # how long the end of the process waits for work that is kept
_logger: Final = logging.getLogger("meterhouse_sdk")


class _Loop(asyncio.SelectorEventLoop):
    """Looks up host names also while the interpreter ends, when no thread can do it."""

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:  # Any: as asyncio declares it
        try:
            return await super().getaddrinfo(*args, **kwargs)
        except RuntimeError:
            return socket.getaddrinfo(*args, **kwargs)


class Background:
    """The loop is started with the first work; a forked child starts its own."""

    def __init__(self) -> None:
        self._parents: list[object] = []
        self._begin()

    def _begin(self) -> None:
        self._starting = threading.RLock()  # a finalizer may run while it is held
        self._loop: _Loop | None = None
        self._thread: threading.Thread | None = None
        self._kept: set[Future[Any]] = set()  # Any: whatever the work returns
        self._opened: set[httpx.AsyncClient] = set()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:  # Any: as `async def` has it
        """Start work and return at once. Cancelling the future cancels the work."""
        try:
            loop = self._running_loop()
        except RuntimeError:  # the interpreter is ending
            work.close()
            raise
        return asyncio.run_coroutine_threadsafe(work, loop)

    def keep(self, work: Coroutine[Any, Any, T]) -> Future[T]:  # Any: as `async def` has it
        """Start work that continues when its caller is cancelled. The end of the process waits for it.

        If it fails and nobody waits for it with `finished`, the log says so.
        """
        future = self.start(work)
        self._kept.add(future)
        future.add_done_callback(self._kept.discard)
        return future

    async def run(self, work: Coroutine[Any, Any, T]) -> T:  # Any: as `async def` has it
        """Return the result of the work. Cancelling the caller cancels the work."""
        if asyncio.get_running_loop() is self._loop:
            return await work
        future = self.start(work)
        try:
            return await _result(future)
        except asyncio.CancelledError:
            future.cancel()
            raise

    def opened(self, http: httpx.AsyncClient) -> None:
        """Note connections that are used on this loop: they are closed here, at the latest at the end."""
        self._opened.add(http)

    def close(self, http: httpx.AsyncClient) -> "Future[None] | None":
        """Close connections; None: there are none. A forked child leaves its parent's alone."""
        if http not in self._opened:
            return None
        self._opened.discard(http)
        return self.keep(http.aclose())

    def _running_loop(self) -> _Loop:
        with self._starting:
            if self._loop is None:
                loop = _Loop()
                loop.set_default_executor(ThreadPoolExecutor(_THREADS, "meterhouse"))
                thread = threading.Thread(target=loop.run_forever, name="meterhouse-loop", daemon=True)
                thread.start()
                self._loop, self._thread = loop, thread
                at_exit(self._end)
            return self._loop

    def _end(self) -> None:
        """Let kept work finish, close open connections, and end the loop."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        wait(self._kept.copy(), _EXIT_SECONDS)
        if late := len(self._kept):
            _logger.error("the process ends before %d bookings are done", late)
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._left(), loop).result(_EXIT_SECONDS)
        self._loop = None
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    async def _left(self) -> None:
        """Cancel running tasks, and close every connection."""
        own = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not own]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(http.aclose() for http in self._opened), return_exceptions=True)
        self._opened.clear()

    def forked(self) -> None:
        """Start empty in a child. It keeps the parent's loop and sockets unused: closing them would hurt."""
        self._parents += [self._loop, self._thread, self._opened]
        self._begin()


background: Final = Background()
if sys.platform != "win32":
    os.register_at_fork(after_in_child=background.forked)


async def finished(future: Future[T]) -> T:
    """Return the result of the work. It continues when the caller is cancelled; a failure is logged."""
    try:
        return await _result(future)
    except asyncio.CancelledError:
        future.add_done_callback(log_failure)
        raise


def log_failure(future: "Future[Any]") -> None:  # Any: whatever the work returns
    """Log why work failed that nobody waits for, with the usage that it was to record."""
    if future.cancelled() or (error := future.exception()) is None:
        return
    recorded: tuple[object, ...] = ()
    if isinstance(error, MeterhouseError):
        recorded = (*error.events, *error.usages, *error.meter_events)
    _logger.error("a call failed after its caller had been cancelled: %s %s", error, recorded or "")


async def _result(future: Future[T]) -> T:
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def tell(_: Future[T]) -> None:
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(wake)

    future.add_done_callback(tell)
    await waiter
    return future.result()
