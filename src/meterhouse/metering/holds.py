"""Holds: reserved units are settled with the units that were used, or given back."""

from collections.abc import Callable

from meterhouse.ingest.usage_body import Settled
from meterhouse.metering.decide import decide
from meterhouse.model.errors import HoldNotFound
from meterhouse.model.hold import Hold, hold_number
from meterhouse.model.ledger import Ending, Recording, Release, Settle
from meterhouse.ports import Ledger


class Holds:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def get(self, scope_id: int, ref: str) -> Hold:
        """Raises HoldNotFound."""
        number = hold_number(ref)
        hold = None if number is None else await self._ledger.hold(scope_id, number)
        if hold is None:
            raise HoldNotFound
        return hold

    async def settle(self, scope_id: int, ref: str, said: Settled) -> Ending:
        """Book the units that were used; the rest of the reservation is free again. A repeat changes nothing.

        Raises HoldNotFound, HoldReleased, IdempotencyConflict.
        """
        return await self._end(
            ref,
            lambda number: Settle(
                scope_id=scope_id,
                hold=number,
                units=said.units,
                type=said.type,
                key=said.key,
                properties=said.properties,
                details=said.details,
            ),
        )

    async def release(self, scope_id: int, ref: str) -> Ending:
        """Give the reservation back. Again, or after it expired, is a no-op.

        Raises HoldNotFound, HoldSettled.
        """
        return await self._end(ref, lambda number: Release(scope_id=scope_id, hold=number))

    async def _end(self, ref: str, action: Callable[[int], Settle | Release]) -> Ending:
        number = hold_number(ref)
        if number is None:
            raise HoldNotFound
        (outcome,) = await self._ledger.record(Recording((action(number),), decide))
        assert isinstance(outcome, Ending)  # noqa: S101 - the outcome of both
        return outcome
