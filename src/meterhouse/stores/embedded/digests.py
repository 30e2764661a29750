"""Digests of the records that are older than checksums, and the check of a whole log."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import islice
from typing import Final

import structlog
from msgspec import Struct

from meterhouse import pools
from meterhouse.model.errors import LogDamaged, LogUnavailable
from meterhouse.stores.embedded import chain
from meterhouse.stores.embedded.database import Database

RECORDS: Final = 1_000  # in one digest; the last one may have fewer
_RESTS: Final = 4  # times as long as one digest took: a fifth of a core at most
_SHORTEST_REST_SECONDS: Final = 0.05
_logger = structlog.get_logger()


class Examined(Struct):
    """How the records of a log are proven. proven: each by its own checksum. covered: by digests."""

    records: int = 0
    proven: int = 0
    covered: int = 0


async def cover(database: Database) -> None:
    """Make the digests that are missing, one at a time; return once all are there.

    Each is durable before the next. No record changes that they are made of: a crash costs one digest.
    """
    while True:
        begun = time.monotonic()
        try:
            made = await pools.MAINTENANCE.run(_next, database)
        except (LogDamaged, sqlite3.Error) as error:
            _logger.error("log_not_covered", error=str(error))  # noqa: TRY400 - the sentence says it all
            return
        if made is None:
            return
        with suppress(LogUnavailable):  # a full disk, say: the same one is made again
            await database.write(lambda connection, row=made: _keep(connection, row))  # type: ignore[misc]
        await asyncio.sleep(max(_SHORTEST_REST_SECONDS, _RESTS * (time.monotonic() - begun)))


def examine(
    connection: sqlite3.Connection, examined: Examined, report: Callable[[int], None] = lambda _: None
) -> Iterator[LogDamaged]:
    """Yield each damage of the log, in order, and count its records in `examined`.

    report: is told how many records are done.
    """
    after = 0
    try:
        digests = _Digests(connection)
        chain.begins_after(connection)
        (last,) = connection.execute("SELECT coalesce(max(position), 0) FROM log").fetchone()
    except LogDamaged as damaged:
        yield damaged
        return
    while after < last:
        try:
            for stored in chain.records(connection, after):
                stored.body()
                after = stored.position
                examined.records += 1
                examined.proven += stored.proven
                if not stored.proven and (damaged_some := digests.add(stored, examined)) is not None:
                    yield damaged_some
                report(after)
        except LogDamaged as damaged:
            digests.skip()
            if damaged.last > after:
                yield damaged
            after = max(damaged.last, after + 1)  # else the one before is damaged, which was said


class _Digests:
    """Compares the digests that are there with the records as they pass by."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT last_position, checksum FROM log_digest ORDER BY last_position")
        self._held: dict[int, bytes] = dict(rows.fetchall())
        self._before = chain.NOTHING
        self._skipped = False
        self._checksums: list[bytes] = []

    def add(self, stored: chain.Stored, examined: Examined) -> LogDamaged | None:
        """Take the next record; return the damage of a digest that ends with it."""
        self._checksums.append(stored.checksum)
        held = self._held.get(stored.position)
        if held is None:
            return None
        count = RECORDS if stored.position % RECORDS == 0 else stored.position % RECORDS
        wrong = not self._skipped and _digest(self._checksums, self._before) != held
        examined.covered += len(self._checksums)
        self._before, self._skipped, self._checksums = held, False, []
        if wrong:
            why = "their digest does not match"
            return LogDamaged(stored.position - count + 1, why, stored.position)
        return None

    def skip(self) -> None:
        """A record is damaged, which was said: its digest would say it again."""
        self._skipped = True


def _next(database: Database) -> tuple[int, bytes] | None:
    """Return the next digest, its last position and itself; None where every record has one."""
    reader = database.reader()
    begins_after = chain.begins_after(reader)
    after, before = reader.execute(
        "SELECT last_position, checksum FROM log_digest ORDER BY last_position DESC LIMIT 1"
    ).fetchone() or (0, chain.NOTHING)
    count = min(RECORDS, begins_after - after)
    if count <= 0:
        return None
    found = islice(chain.records(reader, after), count)
    checksums = [stored.checksum for stored in found]
    if len(checksums) < count:
        raise LogDamaged(after + len(checksums) + 1, "it is missing", begins_after)
    return after + count, _digest(checksums, before)


def _digest(checksums: list[bytes], before: bytes) -> bytes:
    return sha256(before + b"".join(checksums)).digest()[:16]


def _keep(connection: sqlite3.Connection, row: tuple[int, bytes]) -> None:
    connection.execute("INSERT INTO log_digest VALUES (?, ?)", row)
