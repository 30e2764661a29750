"""Runs callbacks when the process ends: at its normal end, and before SIGTERM kills it.

Python runs no `atexit` callback when SIGTERM kills the process. So the first callback installs a handler,
where the program has none: it runs the callbacks, then kills the process as SIGTERM does by default. uvicorn
has one, and kills the process itself after its own shutdown: that is put off until the callbacks have run.
"""

import atexit
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final

Callback = Callable[[], object]
Handler = Callable[[int, FrameType | None], object]
_POLL_SECONDS: Final = 0.05
_LOOP_SECONDS: Final = 5.0  # from the end of a server to that of its loop, which closes the open generators
_logger: Final = logging.getLogger("meterhouse_sdk")


class _End:
    """The callbacks of this process. A forked child inherits them."""

    def __init__(self) -> None:
        self.callbacks: dict[Callback, None] = {}
        self._forked()

    def _forked(self) -> None:
        self._running = threading.Lock()
        self._terminating = False

    def at_exit(self) -> None:
        self.run()
        if self._terminating:
            _kill(signal.SIGTERM)

    def run(self) -> None:
        with self._running:
            while self.callbacks:
                callback, _ = self.callbacks.popitem()
                try:
                    callback()
                except Exception:
                    _logger.exception("a callback at the end of the process failed")

    def handle_sigterm(self) -> None:
        """Take the signal from its default and from uvicorn, which kill at once. Only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            return
        handler = signal.getsignal(signal.SIGTERM)
        with suppress(ValueError):  # a subinterpreter takes no handlers
            if handler is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._terminated)
            elif callable(handler) and _is_of_uvicorn(handler):
                signal.signal(signal.SIGTERM, self._after(handler))

    def _terminated(self, number: int, _: FrameType | None) -> None:
        """Run the callbacks in a thread: the interrupted code may hold a lock that they need.

        A second signal kills: the thread's own, or that of an operator who does not want to wait.
        """
        if self._terminating:
            _kill(number)
            return
        self._terminating = True
        with suppress(RuntimeError):  # the interpreter is ending, and runs the callbacks
            threading.Thread(
                target=self._terminate, args=(number,), name="meterhouse-exit", daemon=True
            ).start()

    def _after(self, of_server: Handler) -> Handler:
        """Return a handler that has a server shut down, and holds back the signal by which it then kills."""

        def handler(number: int, frame: FrameType | None) -> None:
            of_server(number, frame)
            if self._terminating:
                return
            self._terminating = True
            threading.Thread(target=wait, args=(number,), name="meterhouse-exit", daemon=True).start()
            signal.pthread_sigmask(signal.SIG_BLOCK, {number})  # for this thread, in which the server runs

        def wait(number: int) -> None:
            while signal.getsignal(number) is handler:  # the server puts back the handler that it found
                time.sleep(_POLL_SECONDS)
            threading.main_thread().join(_LOOP_SECONDS)
            self._terminate(number)

        return handler

    def _terminate(self, number: int) -> None:
        self.run()
        os.kill(os.getpid(), number)


def _kill(number: int) -> None:
    """End the process as the signal does by default, with its status. Only the main thread can."""
    signal.signal(number, signal.SIG_DFL)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)


def _is_of_uvicorn(handler: object) -> bool:
    server = getattr(handler, "__self__", None)
    return sys.platform != "win32" and any(
        kind.__module__.startswith("uvicorn.") for kind in type(server).__mro__
    )


_end: Final = _End()
atexit.register(_end.at_exit)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_end._forked)  # noqa: SLF001 - one module


def at_exit(callback: Callback) -> None:
    """Call this once when the process ends, the newest callback first. A repeat is a no-op.

    SIGTERM is the end too, if the program has no handler of its own and this is called in the main thread.
    """
    _end.callbacks.setdefault(callback)
    _end.handle_sigterm()


def handle_sigterm() -> None:
    """Prepare for callbacks that other threads will add: only the main thread can take SIGTERM."""
    _end.handle_sigterm()


def not_at_exit(callback: Callback) -> None:
    """Forget a callback; one that is not there is a no-op."""
    _end.callbacks.pop(callback, None)
