"""Stage 2: read the log, hand a batch on, remember how far. The only loop there is, one for each consumer."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from meterhouse import telemetry
from meterhouse.model.errors import LogDamaged
from meterhouse.model.event import LogRecord
from meterhouse.ports import EventLog

_logger = structlog.get_logger()
_LONGEST_BACKOFF_SECONDS: Final = 10.0


class Consumer(Protocol):
    """Something that wants every event. Its position is kept with its effect, so a replay adds nothing."""

    name: str

    async def position(self) -> int:
        """Return the position of the last record whose effect is kept; 0 before the first."""
        ...

    async def insert(self, records: Sequence[LogRecord]) -> None:
        """Take records that follow on `position`. Taking the same ones again is a no-op.

        Raises anything: no effect is kept, the same records come again.
        """
        ...


class Runner:
    """batch_events: most events handed on together. pause_seconds: how long events may gather in between,
    which is the price of few commits and the floor of how soon an event is seen."""

    def __init__(self, log: EventLog, batch_events: int, pause_seconds: float) -> None:
        self._log = log
        self._batch_events = batch_events
        self._pause_seconds = pause_seconds
        self._handing_on = asyncio.Lock()

    async def catch_up(self, consumer: Consumer) -> None:
        """Hand on everything there is now. Raises what the consumer raises."""
        while await self._hand_on(consumer):
            pass

    async def run(self, consumer: Consumer) -> None:
        """Hand on for ever. A batch that fails is tried again, at growing intervals, and never skipped:
        a wrong total is worse than a late one."""
        failures = 0
        while True:
            full = False
            try:
                await self._log.wait(await consumer.position())
                full = await self._hand_on(consumer) >= self._batch_events // 2
                failures = 0
            except Exception as error:
                failures += 1
                telemetry.consumer_failures.labels(consumer.name).inc()
                if isinstance(error, LogDamaged):
                    _logger.error("log_damaged", consumer=consumer.name, error=str(error))  # noqa: TRY400
                else:
                    _logger.exception("consumer_failed", consumer=consumer.name, failures=failures)
            if not full:
                await asyncio.sleep(
                    min(self._pause_seconds * 2 ** min(failures, 20), _LONGEST_BACKOFF_SECONDS)
                )

    async def _hand_on(self, consumer: Consumer) -> int:
        """Hand on one batch and return how large it was; 0 when there is nothing.

        Records may hold no events (`LogRecord.metered`), so a batch is at least as large as it has records.
        """
        async with self._handing_on:
            records = await self._log.read(await consumer.position(), self._batch_events)
            if not records:
                return 0
            await consumer.insert(records)
            events = sum(len(record.events) for record in records)
            telemetry.consumer_events.labels(consumer.name).inc(events)
            telemetry.consumer_position.labels(consumer.name).set(records[-1].position)
            return max(events, len(records))
