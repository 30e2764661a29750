"""EventLog on SQLite: one compressed record per group commit, keys in an index beside it.

Why a record and not a row per event: docs/decisions/0002-log-format.md.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final

import msgspec
import structlog
import zstandard

from meterhouse import telemetry
from meterhouse.model.errors import LogUnavailable, Overloaded
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
from meterhouse.model.identity import fingerprints, key_hashes, keyed_rows
from meterhouse.stores.embedded import tally
from meterhouse.stores.embedded.database import Database, Job
from meterhouse.stores.embedded.key_index import Entry, KeyIndex

_RECORD_EVENTS: Final = 16_384  # a record is closed once it holds this many
_REPLAY_EVENTS: Final = 50_000
_MAX_WAITING_BYTES: Final = 256 * 1024 * 1024  # of bodies
_READ_BYTES: Final = 16 * 1024 * 1024  # of compressed records, in one piece
_COMPRESSION_LEVEL: Final = 1

_logger = structlog.get_logger()
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[tuple[tuple[int, int], ...], Columns]).decode


@dataclass(slots=True)
class _Waiting:
    submission: Submission
    future: "asyncio.Future[Receipt]"


@dataclass(slots=True)
class _Commit:
    """What one commit stores, until everybody who waits for it has been told."""

    begun: bool = False
    waiting: list[_Waiting] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    new_keys: dict[bytes, Entry] = field(default_factory=dict)
    position: int = 0
    last_number: int = 0


class SqliteLog:
    """Opening gives the key index whatever it had not yet written when the process ended."""

    def __init__(self, database: Database, index: KeyIndex, max_waiting_events: int) -> None:
        self._database = database
        self._index = index
        self._max_waiting_events = max_waiting_events
        self._waiting: deque[_Waiting] = deque()
        self._waiting_events = 0
        self._waiting_bytes = 0
        self._asked = False
        self._news = asyncio.Event()
        self._compressor = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL)  # the writer's thread's alone
        self._position: int
        self._last_number: int
        self._position, self._last_number = database.reader().execute(
            "SELECT position, first_number + events - 1 FROM log ORDER BY position DESC LIMIT 1"
        ).fetchone() or (0, 0)
        self._catch_up_index()

    @property
    def position(self) -> int:
        """The position of the newest record, 0 for an empty log."""
        return self._position

    async def append(self, submission: Submission) -> Receipt:
        if self._waiting_events >= self._max_waiting_events or self._waiting_bytes >= _MAX_WAITING_BYTES:
            raise Overloaded
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        self._waiting_events += submission.received
        self._waiting_bytes += submission.size
        self._waiting.append(_Waiting(submission, future))
        if not self._asked:  # otherwise a commit is queued that has not begun, and will take it
            self._asked = True
            loop.call_soon(self._ask)  # after those that arrived in the same turn of the loop
        return await future

    def _ask(self) -> None:
        """Queue a commit for all that waits when it begins."""
        commit = _Commit()
        self._database.submit(
            Job(
                work=partial(self._store, commit),
                committed=partial(self._index_keys, commit),
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
        if self._index.position < self._position:  # the disk refused it a write
            self._index.reopen()
            self._catch_up_index()
        now_us = time.time_ns() // 1000
        commit.position, commit.last_number = self._position, self._last_number
        counts = tally.Counts()
        while len(commit.receipts) < len(commit.waiting):
            number = next_number(commit.last_number, now_us)
            scopes, columns = self._collect(commit, number, counts)
            if columns:
                body = self._pack(scopes, columns)
                connection.execute(
                    "INSERT INTO log (position, kind, received_at, first_number, events, body)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (commit.position + 1, Kind.USAGE, now_us, number, len(columns), body),
                )
                commit.position += 1
                commit.last_number = number + len(columns) - 1
        counts.add(connection, now_us)
        for waiting, receipt in zip(commit.waiting, commit.receipts, strict=True):
            if refused := _refused(waiting.submission, receipt):
                tally.keep(connection, waiting.submission.scope_id, refused, now_us)

    def _collect(
        self, commit: _Commit, number: int, counts: tally.Counts
    ) -> tuple[list[tuple[int, int]], Columns]:
        """Take the next submissions until a record is full; give their rows numbers from `number` on."""
        columns = Columns.empty()
        scopes: list[tuple[int, int]] = []
        size = 0
        for waiting in islice(commit.waiting, len(commit.receipts), None):
            submission = waiting.submission
            events = submission.events
            first = number + size
            repeats = self._repeats(commit, submission, first)
            if repeats:
                events = events.rows([row for row in range(len(events)) if row not in repeats])
            commit.receipts.append(Receipt(first, repeats))
            counts.count(submission, repeats)
            if stored := len(events.type):
                columns.extend(events)
                size += stored
                if scopes and scopes[-1][0] == submission.scope_id:
                    stored += scopes.pop()[1]
                scopes.append((submission.scope_id, stored))
            if size >= _RECORD_EVENTS:
                break
        return scopes, columns

    def _repeats(self, commit: _Commit, submission: Submission, first: int) -> dict[int, Repeat]:
        """Return the rows whose key is taken, and take the keys of the others."""
        keyed = keyed_rows(submission.events)
        if not keyed:
            return {}
        found = _identities(submission.scope_id, Kind.USAGE, submission.events, keyed)
        taken = self._index.get({hashed for _, hashed, _ in found})
        repeats: dict[int, Repeat] = {}
        for row, hashed, meaning in found:
            entry = taken.get(hashed) or commit.new_keys.get(hashed)
            if entry is None:
                commit.new_keys[hashed] = Entry(first + row - len(repeats), meaning)
            else:
                repeats[row] = Repeat(entry.event_number, entry.fingerprint != meaning)
        return repeats

    def _pack(self, scopes: Sequence[tuple[int, int]], columns: Columns) -> bytes:
        """msgpack, inside a zstd frame where that is smaller; a lone event is not. The first bytes tell."""
        plain = _encode((scopes, columns))
        packed = self._compressor.compress(plain)
        return packed if len(packed) < len(plain) else plain

    def _index_keys(self, commit: _Commit) -> None:
        """After the commit, before the next one looks keys up. On the writer's thread."""
        self._last_number = commit.last_number
        self._position = commit.position
        try:
            self._index.put(commit.new_keys, commit.position)
        except LogUnavailable as error:  # the log has the events; the next commit tries again
            _logger.warning("key_index_behind", error=str(error), position=commit.position)

    def _answer(self, commit: _Commit, error: Exception | None) -> None:
        """Tell everybody whose submission this commit took, or would have taken had it begun."""
        if not commit.begun:
            self._asked = False
            commit.waiting += self._waiting
            self._waiting.clear()
        for waiting in commit.waiting:
            self._waiting_events -= waiting.submission.received
            self._waiting_bytes -= waiting.submission.size
        if error is None:
            telemetry.log_position.set(commit.position)
            self._news.set()
            self._news.clear()
            for waiting, receipt in zip(commit.waiting, commit.receipts, strict=True):
                if not waiting.future.done():
                    waiting.future.set_result(receipt)
        else:
            for waiting in commit.waiting:
                if not waiting.future.done():
                    waiting.future.set_exception(error)

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
            scopes, columns = _unpack(body)
            records.append(LogRecord(position, Kind(kind), received_at, first_number, scopes, columns))
        rows.close()
        return records

    def _catch_up_index(self) -> None:
        """Give the index the keys of all records after its own position."""
        while records := self._read(self._index.position, _REPLAY_EVENTS):
            for record in records:
                self._index.put(_keys_of(record), record.position)


def _refused(submission: Submission, receipt: Receipt) -> Sequence[Rejection]:
    return [*submission.rejections, *receipt.conflicts()] if receipt.repeats else submission.rejections


def _unpack(body: bytes) -> tuple[tuple[tuple[int, int], ...], Columns]:
    return _decode(zstandard.decompress(body) if body.startswith(zstandard.FRAME_HEADER) else body)


def _identities(
    scope_id: int, kind: Kind, events: Columns, keyed: Sequence[int]
) -> list[tuple[int, bytes, bytes]]:
    """Return row, key hash and fingerprint of the rows that have a key."""
    keys = [key for key in events.idempotency_key if key is not None]
    return list(zip(keyed, key_hashes(scope_id, kind, keys), fingerprints(events, keyed), strict=True))


def _keys_of(record: LogRecord) -> dict[bytes, Entry]:
    """Return the index entries of a record's keys."""
    entries: dict[bytes, Entry] = {}
    start = 0
    for scope_id, count in record.scopes:
        events = record.events.rows(range(start, start + count))
        for row, hashed, meaning in _identities(scope_id, record.kind, events, keyed_rows(events)):
            entries[hashed] = Entry(record.first_number + start + row, meaning)
        start += count
    return entries
