"""Fulfilling payments that nobody processes: a browser that was closed, a server that stopped halfway."""

import time
from typing import Final

import structlog

from meterhouse.metering.background import repeat
from meterhouse.metering.payments import Payments
from meterhouse.model.errors import Refused, Unavailable
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog

_PAUSE_SECONDS: Final = 0.25
_WAIT_US: Final = 1_000_000
"""How long a payment waits for the `process` request of its caller."""
_AGAIN_SECONDS: Final = 600.0
"""When a payment that could not be given, as to a full balance or a deleted customer, is tried again."""
_AT_ONCE: Final = 100
_logger = structlog.get_logger()


class PaymentSweep:
    """Fulfils succeeded payments, a second after they succeeded at the earliest."""

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
            try:
                scope = await self._catalog.providers.scope_by_id(scope_id)
                await self._payments.process(Caller(scope, "serve"), ref)
                given += 1
            except Unavailable:
                raise  # no payment can be given now
            except Exception as error:  # one payment must not keep the others waiting
                self._refused[ref] = now + _AGAIN_SECONDS
                unforeseen = None if isinstance(error, Refused) else error
                _logger.warning("payment_not_given", payment=ref, error=str(error), exc_info=unforeseen)
        return given

    async def run(self) -> None:
        """Sweep four times a second, for ever; see `background.repeat`."""
        await repeat("payment_sweep", self._sweep)

    async def _sweep(self) -> float:
        await self.once()
        return _PAUSE_SECONDS
