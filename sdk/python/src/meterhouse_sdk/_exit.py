"""Runs callbacks when the process ends: at its normal end, and before SIGTERM kills it.

Python runs no `atexit` callback when SIGTERM kills the process. So the first callback installs a handler,
where the program has none: it runs the callbacks, then kills the process as SIGTERM does by default.
"""

import atexit
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final

Callback = Callable[[], object]
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
        """Take the signal from its default, which kills at once. Only the main thread can."""
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            with suppress(ValueError):  # a subinterpreter takes no handlers
                signal.signal(signal.SIGTERM, self._terminated)

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

    def _terminate(self, number: int) -> None:
        self.run()
        os.kill(os.getpid(), number)


def _kill(number: int) -> None:
    """End the process as the signal does by default, with its status. Only the main thread can."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


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


def not_at_exit(callback: Callback) -> None:
    """Forget a callback; one that is not there is a no-op."""
    _end.callbacks.pop(callback, None)
