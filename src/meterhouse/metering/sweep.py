"""The sweep writes expiries into the log. No answer depends on it: every read computes them by itself."""

from typing import Final

from meterhouse.metering.background import repeat
from meterhouse.metering.decide import decide
from meterhouse.model.ledger import Recording
from meterhouse.ports import Ledger

_PAUSE_SECONDS: Final = 1.0


class ExpirySweep:
    """Expires holds and credits whose time has come."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def once(self) -> bool:
        """Have the ledger write due expiries, if there are any; return whether there may be more."""
        is_due = await self._ledger.is_due()
        if is_due:
            await self._ledger.record(Recording((), decide))
        return is_due

    async def run(self) -> None:
        """Sweep every second for ever, at once where there may be more; see `background.repeat`."""
        await repeat("expiry_sweep", self._sweep)

    async def _sweep(self) -> float:
        return 0 if await self.once() else _PAUSE_SECONDS
