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

from meterhouse import pools, telemetry
from meterhouse.model.errors import LogUnavailable, Overloaded
from meterhouse.model.event import LogRecord, Receipt, Submission
from meterhouse.model.ledger import Outcomes, Recording
from meterhouse.stores.embedded import chain
from meterhouse.stores.embedded.accounts.fold import last_number
from meterhouse.stores.embedded.accounts.layout import LedgerState
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.commit import Commit, CommitStore, Waiting
from meterhouse.stores.embedded.database import Database, Job, heartbeat
from meterhouse.stores.embedded.healing import Healing
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.records import to_record

_MAX_WAITING_BYTES: Final = 256 * 1024 * 1024  # of bodies
_READ_BYTES: Final = 16 * 1024 * 1024  # of compressed records, in one piece
_TAIL_RECORDS: Final = 1_000

_logger = structlog.get_logger()


class SqliteLog:
    """The log's one writer: whatever waits when a commit begins is stored by it, in the order it came.

    Usage events and what the ledger records share commits, positions and the key index.
    clock: microseconds since 1970.
    Opening gives key index and ledger the records that they lack. Where they are damaged or far behind,
    `healing` does so; the caller runs it.
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
        self._checksum = chain.NOTHING
        """Of the newest record."""
        self._position, self._last_number, self._mark = 0, 0, 0
        last = chain.newest(database.reader())
        if last is not None:
            self._position, self._mark = last.position, last.first_number
            self._last_number = last.first_number + last.events - 1
            self._checksum = last.checksum
        self._handed_on = self._position
        self.healing = Healing(database, index, accounts, self._read_ledger)
        self.healing.start()
        self._ledger = LedgerState(0, 0)
        self._read_ledger()

    @property
    def position(self) -> int:
        """The position of the newest record, 0 for an empty log."""
        return self._position

    @property
    def index(self) -> KeyIndex:
        """The key index that follows this log."""
        return self._index

    @property
    def written(self) -> int:
        """The position that key index and ledger were given, or were refused."""
        return self._handed_on

    def probe(self, connection: sqlite3.Connection) -> None:
        """Store a record and take it back, in a transaction that commits something. Raises sqlite3.Error."""
        self._commits.probe(connection, self._position, self._clock())
        heartbeat(connection)

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
        return await pools.CONSUMER.run(self._read, after, limit_events)

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
        self.healing.close_gap(self._position)
        commit.position, commit.last_number = self._position, self._last_number
        commit.mark, commit.checksum = self._mark, self._checksum
        commit.ledger = self._ledger
        self._commits.store(commit, connection, self._clock())

    def _hand_on(self, commit: Commit) -> None:
        """After the commit, before the next one looks anything up. On the writer's thread."""
        self._last_number = commit.last_number
        self._position = commit.position
        self._checksum = commit.checksum
        self._ledger = commit.ledger
        self._mark = commit.mark
        ledger = self._accounts.follower
        try:
            if self._index.follower.whole:
                self._index.put(commit.new_keys, commit.position, commit.mark)
            if ledger.whole:
                ledger.put(commit.changes, commit.position, commit.mark)
                self._accounts.swept = commit.swept or self._accounts.swept
                if commit.opened_until is not None:
                    self._accounts.opened_until = commit.opened_until
        except LogUnavailable as error:  # the log has it all; the next commit tries again
            _logger.warning("behind_the_log", error=str(error.__cause__), position=commit.position)
        self._handed_on = commit.position

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
        found: list[LogRecord] = []
        room, room_bytes = limit_events, _READ_BYTES
        for stored in chain.records(self._database.reader(), after):
            if found and (stored.events > room or len(stored.packed) > room_bytes):
                break
            room -= stored.events
            room_bytes -= len(stored.packed)
            found.append(
                to_record(
                    stored.position, stored.kind, stored.received_at, stored.first_number, stored.body()
                )
            )
        return found

    def check_tail(self, after: int) -> None:
        """Check the records after a position: the newest, up to some megabytes. Raises LogDamaged."""
        after = max(after, self._position - _TAIL_RECORDS)
        room_bytes = _READ_BYTES
        for stored in chain.records(self._database.reader(), after):
            stored.body()
            room_bytes -= len(stored.packed)
            if room_bytes < 0:
                return

    def _read_ledger(self) -> None:
        """Go on from the ledger's last number and time. On the writer's thread, or before it has work.

        While the ledger is being made again, the newest record has the last number that it gave.
        """
        reader = self._database.reader()
        accounts = self._accounts
        state = accounts.state() if accounts.follower.whole else LedgerState(last_number(reader), 0)
        accounts.opened_until = max(accounts.opened_until, state.clock)
        number = max(self._ledger.last_number, state.last_number)
        self._ledger = LedgerState(number, max(self._ledger.clock, state.clock))
        self._last_number = max(self._last_number, number)
