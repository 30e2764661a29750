"""The loop that hands the log on."""

import asyncio
from collections.abc import Sequence

from meterhouse.consume.runner import Runner
from meterhouse.model.event import LogRecord, Receipt, Submission
from tests.contract.facts import effect, fact, record


class Records:
    """A log that is there already."""

    def __init__(self, records: Sequence[LogRecord]) -> None:
        self._records = records

    async def append(self, submission: Submission) -> Receipt:
        raise NotImplementedError

    async def read(self, after: int, limit_events: int) -> Sequence[LogRecord]:
        return self._records[after : after + limit_events]

    async def wait(self, after: int) -> None:
        if after >= len(self._records):
            await asyncio.Event().wait()


class Seen:
    """A consumer that notes what it is given."""

    name = "seen"

    def __init__(self) -> None:
        self.records: list[LogRecord] = []

    async def position(self) -> int:
        return len(self.records)

    async def insert(self, records: Sequence[LogRecord]) -> None:
        self.records += records


async def test_records_without_events_do_not_end_the_catching_up() -> None:
    records = [effect(1), effect(2), effect(3), record([fact(1)], position=4)]
    seen = Seen()
    await Runner(Records(records), batch_events=2, pause_seconds=0).catch_up(seen)
    assert seen.records == records
