"""EventLog on SQLite: one compressed record per group commit, keys in an index beside it.

Why a record and not a row per event: docs/decisions/0002-log-format.md.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog

from meterhouse import telemetry
from meterhouse.model.errors import LogUnavailable, Overloaded, Refused
from meterhouse.model.event import (
    Columns,
    Kind,
    LogRecord,
    Receipt,
    Rejection,
    Repeat,
    Submission,
    next_number,
)
from meterhouse.model.identity import keyed_rows
from meterhouse.model.ledger import Outcomes, Recording, Track
from meterhouse.stores.embedded import tally
from meterhouse.stores.embedded.accounts.book import Book
from meterhouse.stores.embedded.accounts.fold import fold
from meterhouse.stores.embedded.accounts.recorder import Recorder
from meterhouse.stores.embedded.accounts.state import Accounts, Changes, LedgerState
from meterhouse.stores.embedded.database import Database, Job
from meterhouse.stores.embedded.key_index import Entry, KeyIndex
from meterhouse.stores.embedded.records import MeterBody, Packer, UsageBody, identities, keys_of, to_record

_RECORD_EVENTS: Final = 16_384  # a record is closed once it holds this many
_MAX_WAITING_BYTES: Final = 256 * 1024 * 1024  # of bodies
_READ_BYTES: Final = 16 * 1024 * 1024  # of compressed records, in one piece

_logger = structlog.get_logger()


@dataclass(slots=True)
class _Waiting:
    work: Submission | Recording
    future: "asyncio.Future[Receipt] | asyncio.Future[Sequence[Outcomes]]"
    result: Receipt | Sequence[Outcomes] | None = None
    error: Exception | None = None


@dataclass(slots=True)
class _Commit:
    """What one commit stores, until everybody who waits for it has been told."""

    begun: bool = False
    waiting: list[_Waiting] = field(default_factory=list)
    new_keys: dict[bytes, Entry] = field(default_factory=dict)
    changes: Changes = field(default_factory=dict)
    position: int = 0
    last_number: int = 0
    ledger: LedgerState = field(default_factory=lambda: LedgerState(0, 0))


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
        self._waiting: deque[_Waiting] = deque()
        self._waiting_events = 0
        self._waiting_bytes = 0
        self._asked = False
        self._news = asyncio.Event()
        self._packer = Packer()  # the writer's thread's alone
        self._position: int
        self._last_number: int
        self._position, self._last_number = database.reader().execute(
            "SELECT position, first_number + events - 1 FROM log ORDER BY position DESC LIMIT 1"
        ).fetchone() or (0, 0)
        self._catch_up()
        (bought_at,) = database.reader().execute("SELECT at FROM purchase_clock").fetchone()
        state = accounts.state()
        self._ledger = LedgerState(state.last_number, max(state.clock, bought_at))
        self._last_number = max(self._last_number, state.last_number)

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
        self._wait_for(_Waiting(submission, future))
        return await future

    async def record(self, recording: Recording) -> Sequence[Outcomes]:
        """See `ports.Ledger.record`."""
        future: asyncio.Future[Sequence[Outcomes]] = asyncio.get_running_loop().create_future()
        self._wait_for(_Waiting(recording, future))
        return await future

    def _wait_for(self, waiting: _Waiting) -> None:
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
        commit = _Commit()
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

    def _store(self, commit: _Commit, connection: sqlite3.Connection) -> None:
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
        now_us = self._clock()
        commit.position, commit.last_number = self._position, self._last_number
        commit.ledger = self._ledger
        counts = tally.Counts()
        self._store_submissions(commit, connection, counts, now_us)
        self._store_recordings(commit, connection, counts, now_us)
        counts.write(connection, now_us)

    def _store_submissions(
        self, commit: _Commit, connection: sqlite3.Connection, counts: tally.Counts, now_us: int
    ) -> None:
        waiting = deque(each for each in commit.waiting if isinstance(each.work, Submission))
        while waiting:
            number = next_number(commit.last_number, now_us)
            scopes, columns = self._collect(commit, waiting, number, counts)
            if columns:
                body = UsageBody(tuple(scopes), columns)
                self._add(commit, connection, body, number, now_us)
        for each in commit.waiting:
            if isinstance(each.work, Submission) and (refused := _refused(each.work, each.result)):
                tally.keep(connection, each.work.scope_id, refused, now_us)

    def _store_recordings(
        self, commit: _Commit, connection: sqlite3.Connection, counts: tally.Counts, now_us: int
    ) -> None:
        recordings = [each for each in commit.waiting if isinstance(each.work, Recording)]
        if not recordings:
            return
        at = max(now_us, commit.ledger.clock)  # the ledger's clock never steps back
        number = next_number(commit.last_number, at)
        most = sum(each.work.received for each in recordings)
        book = Book(self._accounts, connection, at)
        numbers = range(number, number + 2 * most)
        recorder = Recorder(book, self._index, commit.ledger, numbers)
        book.prepare(
            action
            for each in recordings
            if isinstance(each.work, Recording)
            for action in each.work.actions
            if isinstance(action, Track)
        )
        for each in recordings:
            assert isinstance(each.work, Recording)  # noqa: S101 - they were chosen so
            try:
                each.result = recorder.record(each.work, counts)
            except Refused as error:
                each.error = error
        commit.ledger = recorder.state
        commit.new_keys.update(recorder.new_keys)
        commit.last_number = max(commit.last_number, commit.ledger.last_number)
        if body := recorder.finish():
            commit.changes = recorder.changes()
            self._add(commit, connection, body, number, at)

    def _add(
        self,
        commit: _Commit,
        connection: sqlite3.Connection,
        body: UsageBody | MeterBody,
        number: int,
        received_at: int,
    ) -> None:
        """Write one record. number: of its first event."""
        events = len(body.events)
        kind = Kind.USAGE if isinstance(body, UsageBody) else Kind.METER
        connection.execute(
            "INSERT INTO log (position, kind, received_at, first_number, events, body)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (commit.position + 1, kind, received_at, number, events, self._packer.pack(body)),
        )
        commit.position += 1
        commit.last_number = max(commit.last_number, number + events - 1)

    def _collect(
        self, commit: _Commit, waiting: "deque[_Waiting]", number: int, counts: tally.Counts
    ) -> tuple[list[tuple[int, int]], Columns]:
        """Take the next submissions until a record is full; give their rows numbers from `number` on."""
        columns = Columns.empty()
        scopes: list[tuple[int, int]] = []
        size = 0
        while waiting and size < _RECORD_EVENTS:
            each = waiting.popleft()
            submission = each.work
            assert isinstance(submission, Submission)  # noqa: S101 - they were chosen so
            events = submission.events
            first = number + size
            repeats = self._repeats(commit, submission, first)
            if repeats:
                events = events.rows([row for row in range(len(events)) if row not in repeats])
            each.result = Receipt(first, repeats)
            counts.count(submission, repeats)
            if stored := len(events.type):
                columns.extend(events)
                size += stored
                if scopes and scopes[-1][0] == submission.scope_id:
                    stored += scopes.pop()[1]
                scopes.append((submission.scope_id, stored))
        return scopes, columns

    def _repeats(self, commit: _Commit, submission: Submission, first: int) -> dict[int, Repeat]:
        """Return the rows whose key is taken, and take the keys of the others."""
        keyed = keyed_rows(submission.events)
        if not keyed:
            return {}
        found = identities(submission.scope_id, submission.events, keyed)
        taken = self._index.get({hashed for _, hashed, _ in found})
        repeats: dict[int, Repeat] = {}
        for row, hashed, meaning in found:
            entry = taken.get(hashed) or commit.new_keys.get(hashed)
            if entry is None:
                commit.new_keys[hashed] = Entry(first + row - len(repeats), meaning)
            else:
                repeats[row] = Repeat(entry.event_number, entry.fingerprint != meaning)
        return repeats

    def _hand_on(self, commit: _Commit) -> None:
        """After the commit, before the next one looks anything up. On the writer's thread."""
        self._last_number = commit.last_number
        self._position = commit.position
        self._ledger = commit.ledger
        try:
            self._index.put(commit.new_keys, commit.position)
            self._accounts.follower.put(commit.changes, commit.position)
        except LogUnavailable as error:  # the log has it all; the next commit tries again
            _logger.warning("behind_the_log", error=str(error), position=commit.position)

    def _answer(self, commit: _Commit, error: Exception | None) -> None:
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
        self._accounts.follower.put({}, self._position)


def _refused(submission: Submission, receipt: object) -> Sequence[Rejection]:
    if isinstance(receipt, Receipt) and receipt.repeats:
        return [*submission.rejections, *receipt.conflicts()]
    return submission.rejections
