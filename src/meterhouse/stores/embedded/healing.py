"""Key index and ledger are brought to the log's end at start, and made again from it when they are damaged.

A short gap is closed before the server answers. A long one, as after damage, is closed in the background:
until then requests that need the part are 503, and all others work. docs/decisions/0016-healing.md.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import structlog

from meterhouse import pools, telemetry
from meterhouse.model.errors import LogDamaged, LogUnavailable
from meterhouse.stores.embedded import chain
from meterhouse.stores.embedded.accounts.fold import fold
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.follower import Follower
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.rebuild import UNREADABLE
from meterhouse.stores.embedded.records import keys_of

_SHORT_EVENTS: Final = 200_000  # a crash leaves fewer; about a second
_EVENTS_PER_SECOND: Final = {"key index": 200_000, "ledger": 60_000}  # of one core, for the sentence at start
_ONCE_IN_SECONDS: Final = 3_600.0
_LOOK_SECONDS: Final = 0.25
_LONGEST_BACKOFF_SECONDS: Final = 10.0
_REPORT_SECONDS: Final = 10.0
_PAGE_RECORDS: Final = 20
_logger = structlog.get_logger()
Report = Callable[[int], None]


class _StoppedError(Exception):
    """The server ends while a part is being made."""


@dataclass(slots=True)
class _Part:
    """take: gives the follower the records after its position that a connection sees."""

    follower: Follower
    take: Callable[[sqlite3.Connection, Report], object]
    healed_at: float | None = None
    """When it was last set aside, by a monotonic clock."""
    reported: bool = False


class Healing:
    """began_again: is called on the writer's thread when a part is whole again."""

    def __init__(
        self, database: Database, index: KeyIndex, accounts: Accounts, began_again: Callable[[], None]
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._began_again = began_again
        self._stopping = False
        self._parts = (
            _Part(index.follower, lambda reader, report: follow(reader, index, report)),
            _Part(accounts.follower, lambda reader, report: fold(reader, accounts, report)),
        )

    def start(self) -> None:
        """Set aside projections of another log, and close short gaps. `run` closes long ones.

        Raises LogDamaged: a record in a short gap is.
        """
        reader = self._database.reader()
        for part in self._parts:
            follower = part.follower
            try:
                if (why := _fault(follower, reader)) is not None:
                    self._begin_again(part, why)
                if _events_after(reader, follower.position) > _SHORT_EVENTS:
                    follower.whole = False
                else:
                    self._catch_up(part, reader)
                    follower.whole = follower.damage is None
            except (LogUnavailable, *UNREADABLE) as error:
                follower.whole = False
                _logger.error("projection_behind", projection=follower.name, error=_text(error))  # noqa: TRY400

    def sentences(self) -> Sequence[str]:
        """Return a sentence for each part that is being rebuilt: the routes that wait, and about how long."""
        reader = self._database.reader()
        behind = [each.follower for each in self._parts if not each.follower.whole]
        return [_sentence(each.name, _events_after(reader, each.position)) for each in behind]

    def catch_up(self) -> None:
        """Close every gap, however long it takes. For commands, which have the directory alone.

        Raises LogUnavailable, LogDamaged, or one of UNREADABLE.
        """
        for part in self._parts:
            self._catch_up(part, self._database.reader())
            part.follower.whole = part.follower.damage is None

    def close_gap(self, position: int) -> None:
        """On the writer's thread: bring parts to the log's end after the disk refused them a write.

        Raises LogUnavailable: it still does, or a record in the gap is damaged. A part that turns out to be
        damaged is left to `run`.
        """
        if all(part.follower.position >= position for part in self._parts if part.follower.whole):
            return
        for part in self._parts:
            try:
                if part.follower.whole:
                    part.follower.reopen()
                    self._catch_up(part, self._database.reader())
            except LogUnavailable:
                if part.follower.whole:
                    raise
            except LogDamaged as error:
                _logger.error("log_damaged", error=str(error))  # noqa: TRY400 - the sentence says it all
                raise LogUnavailable from error

    async def run(self) -> None:
        """Rebuild each part that is damaged or behind, for as long as the server runs."""
        try:
            await asyncio.gather(*(self._watch(part) for part in self._parts))
        finally:
            self._stopping = True

    async def _watch(self, part: _Part) -> None:
        failures = 0
        while True:
            if not part.follower.whole and not self._given_up(part):
                try:
                    await self._heal(part)
                    failures = 0
                except (LogUnavailable, LogDamaged, *UNREADABLE) as error:
                    failures += 1
                    _logger.error(  # noqa: TRY400 - the text says it all
                        "projection_rebuild_failed", projection=part.follower.name, error=_text(error)
                    )
            await asyncio.sleep(min(_LOOK_SECONDS * 2 ** min(failures, 10), _LONGEST_BACKOFF_SECONDS))

    def _given_up(self, part: _Part) -> bool:
        """Return whether a part was damaged twice within the hour: making it again would not help."""
        twice = part.follower.damage is not None and part.healed_at is not None
        if not twice or time.monotonic() - (part.healed_at or 0) > _ONCE_IN_SECONDS:
            part.reported = False
            return False
        if not part.reported:
            part.reported = True
            _logger.error(
                "projection_damaged_twice",
                projection=part.follower.name,
                why=part.follower.damage,
                remedy="Check the disk and the memory of this machine, then start the server again.",
            )
        return True

    async def _heal(self, part: _Part) -> None:
        """Raises LogUnavailable, LogDamaged, or one of UNREADABLE; the caller tries again."""
        follower = part.follower
        why = follower.damage
        if why is not None:
            await self._database.write(lambda _: self._begin_again(part, why))
        making = asyncio.create_task(pools.MAINTENANCE.run(self._make, part))
        try:
            await asyncio.shield(making)
        except asyncio.CancelledError:
            self._stopping = True
            await asyncio.wait((making,))
            raise
        except LogUnavailable:
            if follower.damage is None:
                await self._database.write(lambda _: follower.reopen())
            raise
        await self._database.write(lambda _: self._finish(part))
        _logger.info("projection_rebuilt", projection=follower.name, position=follower.position)

    def _make(self, part: _Part) -> None:
        """Do the long part, beside a writer that skips this follower."""
        follower = part.follower
        (end,) = self._database.reader().execute("SELECT coalesce(max(position), 0) FROM log").fetchone()
        started, first, said = time.monotonic(), follower.position, time.monotonic()
        progress = telemetry.rebuild_progress.labels(follower.name)

        def report(position: int) -> None:
            nonlocal said
            if self._stopping:
                raise _StoppedError
            progress.set(min(position / max(end, 1), 1.0))
            if (now := time.monotonic()) - said > _REPORT_SECONDS:
                said = now
                left = (now - started) / max(position - first, 1) * max(end - position, 0)
                _logger.info(
                    "projection_rebuilding",
                    projection=follower.name, position=position, of=end, seconds_left=round(left),
                )  # fmt: skip

        try:
            report(first)
            self._catch_up(part, self._database.reader(), report)
        except _StoppedError:
            return

    def _finish(self, part: _Part) -> None:
        """On the writer's thread: take the last records, and let the part be used."""
        if self._stopping:
            return
        self._catch_up(part, self._database.reader())
        if part.follower.damage is None:
            part.follower.whole = True
            telemetry.rebuild_progress.labels(part.follower.name).set(1)
            self._began_again()

    def _begin_again(self, part: _Part, why: str) -> None:
        part.follower.begin_again(why)
        part.healed_at = time.monotonic()
        telemetry.rebuilds.labels(part.follower.name).inc()
        if part.follower is self._accounts.follower:
            self._accounts.look_again()

    @staticmethod
    def _catch_up(part: _Part, reader: sqlite3.Connection, report: Report = lambda _: None) -> None:
        position, mark = _newest(reader)
        part.take(reader, report)
        if part.follower.position <= position:
            part.follower.put({}, position, mark)


def follow(reader: sqlite3.Connection, index: KeyIndex, report: Report) -> None:
    """Give a key index the keys of the records after its position. report: is told each position.

    Page by page, as the ledger is. Raises LogDamaged.
    """
    while page := list(islice(chain.records(reader, index.position), _PAGE_RECORDS)):
        for stored in page:
            index.put(keys_of(stored.first_number, stored.body()), stored.position, stored.first_number)
            report(stored.position)


def _fault(follower: Follower, reader: sqlite3.Connection) -> str | None:
    """Return why a follower is of no use to this log, None where it is."""
    end, _ = _newest(reader)
    if follower.damage is not None:
        return follower.damage
    if follower.position > end:
        return f"it is at position {follower.position}, and the log ends at {end}: it is of another log"
    if follower.mark and follower.position:
        (number,) = reader.execute(
            "SELECT first_number FROM log WHERE position = ?", (follower.position,)
        ).fetchone() or (None,)
        if number != follower.mark:
            return f"the log has another record at position {follower.position}: it is of another log"
    return None


def _newest(reader: sqlite3.Connection) -> tuple[int, int]:
    """Return position and first number of the newest record."""
    found: tuple[int, int] = reader.execute(
        "SELECT position, first_number FROM log ORDER BY position DESC LIMIT 1"
    ).fetchone() or (0, 0)
    return found


def _events_after(reader: sqlite3.Connection, position: int) -> int:
    (events,) = reader.execute(
        "SELECT coalesce(sum(events + 1), 0) FROM log WHERE position > ?", (position,)
    ).fetchone()
    return int(events)


def _sentence(name: str, events: int) -> str:
    return (
        f"The {name} is being made again from the log, in about {_duration(name, events)}: "
        f"until then {_NEEDED_BY[name]} are answered with 503, and all else works."
    )


def _duration(name: str, events: int) -> str:
    seconds = events / _EVENTS_PER_SECOND[name]
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"


def _text(error: Exception) -> str:
    return str(error.__cause__ or error)


_NEEDED_BY: Final = {
    "key index": "events with an idempotency key",
    "ledger": "usages, limits, holds and credits",
}
