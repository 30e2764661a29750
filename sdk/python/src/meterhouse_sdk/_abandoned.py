"""Generators whose reader is gone, and which nobody closes.

A web framework that drops a stream leaves its generator suspended, often in a reference cycle. Its `finally`
runs only when Python's collector finds it, which may take minutes. So the collector is run as soon as the
task that read the stream has ended.
"""

import asyncio
import gc
import os
import sys
import threading
import time
from contextlib import suppress
from typing import Final, Protocol

from meterhouse_sdk._exit import at_exit, handle_sigterm

_WAITS_SECONDS: Final = (0.2, 0.5, 2.0, 8.0, 30.0)  # before each attempt to find a generator
_SHARE: Final = 10  # the collector runs at most one part in so many of the time


class Open(Protocol):
    """Something that a generator holds open until it is closed."""

    @property
    def is_open(self) -> bool: ...


class _Collector:
    """Runs Python's collector in a thread, in which the `finally` of a generator may block."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()  # a finalizer may run while it is held
        self._wanted: list[Open] = []
        self._attempt = 0
        self._thread: threading.Thread | None = None

    def find(self, abandoned: Open) -> None:
        """Close the generator that holds this open. Gives up after a minute: something refers to it."""
        with self._lock:
            self._wanted.append(abandoned)
            self._attempt = 0
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="meterhouse-abandoned", daemon=True)
                self._thread.start()
        at_exit(self._collect)

    def _run(self) -> None:
        took_seconds = 0.0
        while (wait_seconds := self._next_wait()) is not None:
            time.sleep(max(wait_seconds, _SHARE * took_seconds))
            started = time.perf_counter()
            self._collect()
            took_seconds = time.perf_counter() - started

    def _next_wait(self) -> float | None:
        """Return the seconds until the next attempt; None: there is none, and the thread ends."""
        with self._lock:
            self._wanted = [each for each in self._wanted if each.is_open]
            if not self._wanted or self._attempt == len(_WAITS_SECONDS):
                self._wanted, self._thread = [], None
                return None
            self._attempt += 1
            return _WAITS_SECONDS[self._attempt - 1]

    def _collect(self) -> None:
        if any(each.is_open for each in self._wanted):
            gc.collect()

    forked = _begin


_collector: Final = _Collector()
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_collector.forked)


def watch(held: Open) -> None:
    """Have the calling generator closed when the task that reads it has ended and this is still open.

    Does nothing where no task of asyncio reads it, directly or from a thread of anyio: WSGI servers close a
    generator themselves.
    """
    handle_sigterm()
    task = _reading_task()
    if task is None:
        return

    def ended(_: object) -> None:
        if held.is_open:
            _collector.find(held)

    with suppress(RuntimeError):  # the loop was closed meanwhile
        task.get_loop().call_soon_threadsafe(task.add_done_callback, ended)


def _reading_task() -> "asyncio.Task[object] | None":
    """Return the current task, or in a worker thread of anyio the task that waits for it."""
    with suppress(RuntimeError):
        return asyncio.current_task()
    eventloop = sys.modules.get("anyio._core._eventloop")
    scope = getattr(getattr(eventloop, "threadlocals", None), "current_cancel_scope", None)
    task = getattr(scope, "_host_task", None)
    return task if isinstance(task, asyncio.Task) else None
