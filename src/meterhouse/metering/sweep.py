"""The sweep writes expiries into the log. No answer depends on it: every read computes them by itself."""

import asyncio
from typing import Final

import structlog

from meterhouse.metering.decide import decide
from meterhouse.model.errors import MeterhouseError
from meterhouse.model.ledger import Recording
from meterhouse.ports import Ledger

_PAUSE_SECONDS: Final = 1.0
_logger = structlog.get_logger()


class ExpirySweep:
    """Expires holds and credits whose time has come."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def once(self) -> bool:
        """Have the ledger write what is due, if anything is; return whether there may be more."""
        is_due = await self._ledger.is_due()
        if is_due:
            await self._ledger.record(Recording((), decide))
        return is_due

    async def run(self) -> None:
        """Sweep every second for ever; after a failure, try again."""
        while True:
            try:
                more = await self.once()
            except MeterhouseError as error:
                more = False
                _logger.warning("expiry_sweep_failed", error=str(error))
            await asyncio.sleep(0 if more else _PAUSE_SECONDS)
