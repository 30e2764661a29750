"""The sweep that deletes old entries of the audit."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from meterhouse.metering.background import repeat
from meterhouse.model.event import to_microseconds
from meterhouse.ports import Audit

_PAUSE_SECONDS: Final = 60.0
_AT_ONCE: Final = 1_000  # a clock that is ahead for a moment costs no more


class AuditSweep:
    """Keeps entries for a number of days. now: the server's clock, an aware datetime."""

    def __init__(self, audit: Audit, now: Callable[[], datetime], days: int) -> None:
        self._audit = audit
        self._now = now
        self._kept = timedelta(days=days)

    async def once(self) -> int:
        """Delete some of the entries that are too old; return how many."""
        return await self._audit.forget(to_microseconds(self._now() - self._kept), _AT_ONCE)

    async def run(self) -> None:
        """Sweep every minute for ever; see `background.repeat`."""
        await repeat("audit_sweep", self._sweep)

    async def _sweep(self) -> float:
        await self.once()
        return _PAUSE_SECONDS
