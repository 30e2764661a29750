"""The server's clock: the machine's clock, without its jumps."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from meterhouse import telemetry
from meterhouse.model.event import from_microseconds

_TOLERANCE: Final = timedelta(seconds=1)
_BELIEVED_AFTER: Final = timedelta(minutes=1)
_LOOK_SECONDS: Final = 1.0
_logger = structlog.get_logger()


def machine_time() -> datetime:
    """Return the time of the machine's clock."""
    return datetime.now(UTC)


def elapsed_seconds() -> float:
    """Return seconds that never go back. Suspended time counts, where the system can say it."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class SteadyClock:
    """Follows the machine's clock, but goes by elapsed time for a minute after each jump of it.

    A jump is a difference of more than a second between both. After a minute it is taken for a correction,
    and this clock jumps too, forward or back. So holds and credentials expire by elapsed time, and a clock
    that is wrong for a moment decides nothing. Any thread may call it. Between jumps it never steps back.

    wall: the machine's clock. elapsed: seconds that never go back.
    """

    def __init__(
        self, wall: Callable[[], datetime] = machine_time, elapsed: Callable[[], float] = elapsed_seconds
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._base, self._base_seconds = wall(), elapsed()
        self._latest = self._base
        self._difference = timedelta()
        self._jumped_at = timedelta()

    @property
    def difference(self) -> timedelta:
        """By how much the machine's clock is ahead of this one after a jump; 0 while both agree."""
        return self._difference

    def __call__(self) -> datetime:
        with self._lock:
            wall, seconds = self._wall(), self._elapsed()
            now = self._base + timedelta(seconds=seconds - self._base_seconds)
            if abs(wall - now) <= _TOLERANCE:
                if self._difference:
                    self._difference = timedelta()
                    _logger.warning("clock_agrees_again", time=f"{wall:%Y-%m-%d %H:%M:%S}")
                self._base, self._base_seconds = wall, seconds
                self._latest = max(self._latest, wall)
            else:
                self._jumped(wall, now, timedelta(seconds=seconds))
            return self._latest

    def _jumped(self, wall: datetime, now: datetime, elapsed: timedelta) -> None:
        if abs(wall - now - self._difference) > _TOLERANCE:
            self._difference, self._jumped_at = wall - now, elapsed
            _logger.warning(
                "clock_jumped",
                seconds=self._difference.total_seconds(),
                remedy="synchronise it; it is followed after a minute",
            )
        if elapsed - self._jumped_at < _BELIEVED_AFTER:
            self._latest = max(self._latest, now)
            return
        _logger.warning("clock_followed", seconds=self._difference.total_seconds())
        self._base, self._base_seconds = wall, elapsed.total_seconds()
        self._latest, self._difference = wall, timedelta()


async def watch(clock: Callable[[], datetime], newest: Callable[[], int]) -> None:
    """Tell for ever how far the machine's clock is from the server's, and that behind the newest decision.

    newest: the newest time that the ledger has decided by, microseconds since 1970.
    """
    told = False
    while True:
        behind = max(0.0, (from_microseconds(newest()) - clock()).total_seconds())
        if isinstance(clock, SteadyClock):
            telemetry.clock_difference.set(clock.difference.total_seconds())
        telemetry.clock_behind.set(behind)
        if behind <= _TOLERANCE.total_seconds():
            told = False
        elif not told:
            told = True
            _logger.warning(
                "clock_behind_log",
                seconds=behind,
                remedy="the clock is behind now, or was ahead; `meterhouse doctor` says more",
            )
        await asyncio.sleep(_LOOK_SECONDS)
