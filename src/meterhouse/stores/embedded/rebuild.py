"""Making the warehouse again beside the old one: counting what goes in, comparing, changing places."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import duckdb
import msgspec
import zstandard
from msgspec import Struct

from meterhouse.model.event import Kind, LogRecord
from meterhouse.model.question import Aggregate, Filter, UsageQuestion
from meterhouse.model.units import join
from meterhouse.ports import Warehouse
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.directories import sync

BESIDE: Final = "warehouse.new.duckdb"
UNREADABLE: Final = (sqlite3.DatabaseError, zstandard.ZstdError, msgspec.DecodeError)
"""What reading a damaged log raises."""


class Count(Struct):
    """What the log holds of a scope."""

    events: int = 0
    units_whole: int = 0
    units_nano: int = 0


class Counting:
    """Hands records on to a warehouse and counts them. report: is told how many events are in by now."""

    def __init__(self, warehouse: Warehouse, report: Callable[[int], None]) -> None:
        self.name = warehouse.name
        self.counts: dict[int, Count] = {}
        self._warehouse = warehouse
        self._report = report
        self._events = 0

    async def position(self) -> int:
        return await self._warehouse.position()

    async def insert(self, records: Sequence[LogRecord]) -> None:
        try:
            await self._warehouse.insert(records)
        except duckdb.Error as error:
            raise RuntimeError(f"The new warehouse cannot be written: {error}") from None
        for record in records:
            start = 0
            for scope_id, events in record.scopes:
                end = start + events
                count = self.counts.setdefault(scope_id, Count())
                count.events += events
                count.units_whole += sum(record.events.units_whole[start:end])
                count.units_nano += sum(record.events.units_nano[start:end])
                start = end
            self._events += start
        self._report(self._events)


def log_events(database: Database) -> int:
    """Return how many events the log holds, by its own bookkeeping."""
    (events,) = database.reader().execute("SELECT coalesce(sum(events), 0) FROM log").fetchone()
    return int(events)


async def compare(database: Database, counted: Counting, warehouse: Warehouse) -> int:
    """Return how many events both have. Raises RuntimeError, naming the difference."""
    in_log = log_events(database)
    handed_on = sum(count.events for count in counted.counts.values())
    if in_log != handed_on:
        raise RuntimeError(f"The log says it holds {in_log} events, and {handed_on} could be read.")
    for scope_id, count in counted.counts.items():
        expected = (Decimal(count.events), join(count.units_whole, count.units_nano))
        found = (
            await total(warehouse, scope_id, Aggregate.COUNT),
            await total(warehouse, scope_id, Aggregate.SUM),
        )
        if found != expected:
            raise RuntimeError(
                f"The log has {expected[0]} events and {expected[1]} units of scope {scope_id}, "
                f"the new warehouse {found[0]} and {found[1]}."
            )
    return in_log


async def total(warehouse: Warehouse, scope_id: int, aggregate: Aggregate) -> Decimal:
    """Return one number over every event of a scope, of both kinds."""
    everything = Filter(scope_id=scope_id, kinds=tuple(Kind))
    rows = await warehouse.usage(UsageQuestion(filter=everything, aggregate=aggregate))
    return next((row.value for row in rows if row.group is None and row.value is not None), Decimal(0))


def discard(warehouse: Path) -> None:
    """Delete a closed warehouse and what belongs to it, or what is left of it."""
    warehouse.unlink(missing_ok=True)
    _wal(warehouse).unlink(missing_ok=True)
    shutil.rmtree(warehouse.with_suffix(".spill"), ignore_errors=True)


def swap(fresh: Path, old: Path) -> None:
    """Put a closed warehouse in the place of another. After a crash at any point, one of them is there.

    The old one's write-ahead log goes first: beside the new one it would be taken for its own. Without
    it the old one is only further behind, and the log has what it lacks.
    Raises RuntimeError: the new one was not written whole; the old one is as it was.
    """
    if _wal(fresh).exists():
        raise RuntimeError("The new warehouse could not be written whole; is the disk full?")
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    _wal(old).unlink(missing_ok=True)
    fresh.replace(old)
    sync(old.parent)


def _wal(warehouse: Path) -> Path:
    return warehouse.with_name(warehouse.name + ".wal")
