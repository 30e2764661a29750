"""EventLog on SQLite: one compressed record per group commit, keys in an index beside it.

Why a record and not a row per event: docs/decisions/0002-log-format.md.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog

from meterhouse import telemetry
from meterhouse.model.errors import LogUnavailable, Overloaded
from meterhouse.model.event import Kind, LogRecord, Receipt, Submission
from meterhouse.model.ledger import Outcomes, Recording
from meterhouse.stores.embedded.accounts.fold import fold
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.commit import Commit, CommitStore, Waiting
from meterhouse.stores.embedded.database import Database, Job
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.records import keys_of, to_record

_MAX_WAITING_BYTES: Final = 256 * 1024 * 1024  # of bodies
_READ_BYTES: Final = 16 * 1024 * 1024  # of compressed records, in one piece

_logger = structlog.get_logger()


class SqliteLog:
    """The log's one writer: whatever waits when a commit begins is stored by it, in the order it came.

    Usage events and what the ledger records share commits, positions and the key index.
    clock: microseconds since 1970.
    Opening gives the key index whatever it had not yet written when the process ended.
    """

    def __init__(
        self,
        database: Database,
        index: KeyIndex,
        accounts: Accounts,
        max_waiting_events: int,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._database = database
        self._index = index
        self._accounts = accounts
        self._max_waiting_events = max_waiting_events
        self._clock = clock
        self._waiting: deque[Waiting] = deque()
        self._waiting_events = 0
        self._waiting_bytes = 0
        self._asked = False
        self._news = asyncio.Event()
        self._commits = CommitStore(index, accounts)
        self._position: int
        self._last_number: int
        self._position, self._last_number = database.reader().execute(
            "SELECT position, first_number + events - 1 FROM log ORDER BY position DESC LIMIT 1"
        ).fetchone() or (0, 0)
        self._catch_up()
        self._ledger = accounts.state()
        self._last_number = max(self._last_number, self._ledger.last_number)

    @property
    def position(self) -> int:
        """The position of the newest record, 0 for an empty log."""
        return self._position

    @property
    def clock(self) -> int:
        """The newest time the ledger has decided by; microseconds since 1970."""
        return self._ledger.clock

    async def append(self, submission: Submission) -> Receipt:
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._wait_for(Waiting(submission, future))
        return await future

    async def record(self, recording: Recording) -> Sequence[Outcomes]:
        """See `ports.Ledger.record`."""
        future: asyncio.Future[Sequence[Outcomes]] = asyncio.get_running_loop().create_future()
        self._wait_for(Waiting(recording, future))
        return await future

    def _wait_for(self, waiting: Waiting) -> None:
        """Put something into the next commit. Raises Overloaded."""
        if self._waiting_events >= self._max_waiting_events or self._waiting_bytes >= _MAX_WAITING_BYTES:
            raise Overloaded
        self._waiting_events += waiting.work.received
        self._waiting_bytes += waiting.work.size
        self._waiting.append(waiting)
        if not self._asked:  # otherwise a commit is queued that has not begun, and will take it
            self._asked = True
            # After those that arrived in the same turn of the loop.
            asyncio.get_running_loop().call_soon(self._ask)

    def _ask(self) -> None:
        """Queue a commit for all that waits when it begins."""
        commit = Commit()
        self._database.submit(
            Job(
                work=partial(self._store, commit),
                committed=partial(self._hand_on, commit),
                deliver=partial(self._answer, commit),
            )
        )

    async def read(self, after: int, limit_events: int) -> Sequence[LogRecord]:
        return await asyncio.to_thread(self._read, after, limit_events)

    async def wait(self, after: int) -> None:
        while self._position <= after:
            await self._news.wait()

    def _store(self, commit: Commit, connection: sqlite3.Connection) -> None:
        """Write all that waits, as few records. On the writer's thread.

        `_asked` falls before the queue is emptied: what comes later asks for a commit of its own, and
        two of these never share a transaction, where neither would see the other's keys. The queue is
        emptied before anything can fail: who is not in a commit would never be told.
        """
        commit.begun = True
        self._asked = False
        while self._waiting:
            commit.waiting.append(self._waiting.popleft())
        followers = (self._index, self._accounts.follower)
        if any(each.position < self._position for each in followers):  # the disk refused one a write
            for each in followers:
                each.reopen()
            self._catch_up()
        commit.position, commit.last_number = self._position, self._last_number
        commit.ledger = self._ledger
        self._commits.store(commit, connection, self._clock())

    def _hand_on(self, commit: Commit) -> None:
        """After the commit, before the next one looks anything up. On the writer's thread."""
        self._last_number = commit.last_number
        self._position = commit.position
        self._ledger = commit.ledger
        try:
            self._index.put(commit.new_keys, commit.position)
            self._accounts.follower.put(commit.changes, commit.position)
            self._accounts.swept = commit.swept or self._accounts.swept
            if commit.opened_until is not None:
                self._accounts.opened_until = commit.opened_until
        except LogUnavailable as error:  # the log has it all; the next commit tries again
            _logger.warning("behind_the_log", error=str(error.__cause__), position=commit.position)

    def _answer(self, commit: Commit, error: Exception | None) -> None:
        """Tell everybody whose submission this commit took, or would have taken had it begun."""
        if not commit.begun:
            self._asked = False
            commit.waiting += self._waiting
            self._waiting.clear()
        for waiting in commit.waiting:
            self._waiting_events -= waiting.work.received
            self._waiting_bytes -= waiting.work.size
        if error is None:
            telemetry.log_position.set(commit.position)
            self._news.set()
            self._news.clear()
        for waiting in commit.waiting:
            if waiting.future.done():  # the caller went away
                continue
            if failed := error or waiting.error:
                waiting.future.set_exception(failed)
            else:
                waiting.future.set_result(waiting.result)  # type: ignore[arg-type]  # each has its work's result

    def _read(self, after: int, limit_events: int) -> Sequence[LogRecord]:
        records: list[LogRecord] = []
        room, room_bytes = limit_events, _READ_BYTES
        rows = self._database.reader().execute(
            "SELECT position, kind, received_at, first_number, events, body"
            " FROM log WHERE position > ? ORDER BY position",
            (after,),
        )
        for position, kind, received_at, first_number, events, body in rows:
            if records and (events > room or len(body) > room_bytes):
                break
            room -= events
            room_bytes -= len(body)
            records.append(to_record(position, Kind(kind), received_at, first_number, body))
        rows.close()
        return records

    def _catch_up(self) -> None:
        """Give the key index and the ledger what the log has after their own positions."""
        reader = self._database.reader()
        rows = reader.execute(
            "SELECT position, kind, first_number, body FROM log WHERE position > ? ORDER BY position",
            (self._index.position,),
        )
        for position, kind, first_number, body in rows:
            self._index.put(keys_of(Kind(kind), first_number, body), position)
        fold(reader, self._accounts)
        self._accounts.opened_until = max(self._accounts.opened_until, self._accounts.state().clock)
        self._accounts.follower.put({}, self._position)
