"""Fulfilling payments that nobody processes: a browser that was closed, a server that stopped halfway."""

import asyncio
import time
from typing import Final

import structlog

from meterhouse.metering.payments import Payments
from meterhouse.model.errors import MeterhouseError, Refused
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog

_PAUSE_SECONDS: Final = 0.25
_WAIT_US: Final = 1_000_000
"""How long a payment is left to its caller, who normally sends `process` at once."""
_AGAIN_SECONDS: Final = 600.0
"""When a payment that could not be given, as to a full balance or a deleted customer, is tried again."""
_AT_ONCE: Final = 100
_logger = structlog.get_logger()


class PaymentSweep:
    """Gives what succeeded payments are for, a second after they succeeded at the earliest."""

    def __init__(self, catalog: Catalog, payments: Payments) -> None:
        self._catalog = catalog
        self._payments = payments
        self._refused: dict[str, float] = {}

    async def once(self) -> int:
        """Fulfil the payments that are due, a hundred at most; return how many were."""
        now = time.monotonic()
        self._refused = {ref: again for ref, again in self._refused.items() if again > now}
        due = await self._catalog.payments.unfulfilled(_WAIT_US, tuple(self._refused), _AT_ONCE)
        given = 0
        for scope_id, ref in due:
            scope = await self._catalog.providers.scope_by_id(scope_id)
            try:
                await self._payments.process(Caller(scope, "serve"), ref)
                given += 1
            except Refused as error:
                self._refused[ref] = now + _AGAIN_SECONDS
                _logger.warning("payment_not_given", payment=ref, error=str(error))
        return given

    async def run(self) -> None:
        """Sweep four times a second, for ever; a failure is logged and tried again."""
        while True:
            try:
                await self.once()
            except MeterhouseError as error:
                _logger.warning("payment_sweep_failed", error=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)
