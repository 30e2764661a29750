"""What one commit of the log stores: all that waited, in the order it came, as few records."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from meterhouse.model.errors import LogUnavailable, Refused
from meterhouse.model.event import Columns, Kind, Receipt, Rejection, Repeat, Submission, next_number
from meterhouse.model.identity import keyed_rows
from meterhouse.model.ledger import Action, Outcomes, Recording, Track
from meterhouse.stores.embedded import tally
from meterhouse.stores.embedded.accounts.book import Book
from meterhouse.stores.embedded.accounts.layout import Changes, LedgerState, Swept
from meterhouse.stores.embedded.accounts.recorder import Recorder
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.chain import NOTHING, checksum
from meterhouse.stores.embedded.database import is_disk_error, own_error
from meterhouse.stores.embedded.key_index import Entry, KeyIndex
from meterhouse.stores.embedded.records import MeterBody, Packer, UsageBody, identities

_RECORD_EVENTS: Final = 16_384  # a record is closed once it holds this many
_BEYOND: Final = 1_000_000  # no record of the same transaction has a position so far on
_MOST_DUE: Final = 5_000  # holds that one commit ends, which takes about 100 ms


@dataclass(slots=True)
class Waiting:
    """Work that somebody waits for, and what became of it."""

    work: Submission | Recording
    future: asyncio.Future[Receipt] | asyncio.Future[Sequence[Outcomes]]
    result: Receipt | Sequence[Outcomes] | None = None
    error: Exception | None = None


@dataclass(slots=True)
class Commit:
    """What is stored together, until everybody who waits for it has been told.

    position, checksum, last_number, ledger: the log's, as they are before; once stored, as they are after it.
    mark: the first number of the record at `position`.
    new_keys, changes, swept, opened_until: for key index and ledger, once the commit is on disk.
    """

    begun: bool = False
    waiting: list[Waiting] = field(default_factory=list)
    position: int = 0
    checksum: bytes = NOTHING
    last_number: int = 0
    mark: int = 0
    ledger: LedgerState = field(default_factory=lambda: LedgerState(0, 0))
    new_keys: dict[bytes, Entry] = field(default_factory=dict)
    changes: Changes = field(default_factory=dict)
    swept: Swept | None = None
    opened_until: int | None = None


class CommitStore:
    """The writer's thread's alone."""

    def __init__(self, index: KeyIndex, accounts: Accounts) -> None:
        self._index = index
        self._accounts = accounts
        self._packer = Packer()

    def store(self, commit: Commit, connection: sqlite3.Connection, now_us: int) -> None:
        """Write all that waits, inside a transaction; each gets its result or its error.

        An error while submissions are stored fails no recording, and the other way round.
        Raises the disk's error: nothing is stored.
        """
        submissions = sum(isinstance(each.work, Submission) for each in commit.waiting)
        if submissions in (0, len(commit.waiting)):  # the transaction's own savepoint undoes it
            self._store_submissions(commit, connection, now_us)
            self._store_recordings(commit, connection, now_us)
            return
        for work, store in ((Submission, self._store_submissions), (Recording, self._store_recordings)):
            before = commit.position, commit.checksum, commit.last_number, commit.mark
            connection.execute("SAVEPOINT part")
            try:
                store(commit, connection, now_us)
            except Exception as error:
                if is_disk_error(error):
                    raise
                connection.execute("ROLLBACK TO part")
                commit.position, commit.checksum, commit.last_number, commit.mark = before
                _fail(commit, work, own_error(error))
            connection.execute("RELEASE part")

    def probe(self, connection: sqlite3.Connection, position: int, now_us: int) -> None:
        """Write a record as `store` does, and take it back. position: the log's. Raises sqlite3.Error."""
        connection.execute("SAVEPOINT probe")
        try:
            beyond = Commit(position=position + _BEYOND)
            self._add(beyond, connection, UsageBody((), Columns.empty()), now_us, now_us)
        finally:
            connection.execute("ROLLBACK TO probe")
            connection.execute("RELEASE probe")

    def _store_submissions(self, commit: Commit, connection: sqlite3.Connection, now_us: int) -> None:
        submissions = [(each, each.work) for each in commit.waiting if isinstance(each.work, Submission)]
        counts = tally.Counts()
        waiting = deque(submissions)
        while waiting:
            number = next_number(commit.last_number, now_us)
            scopes, columns = self._collect(commit, waiting, number, counts)
            if columns:
                body = UsageBody(tuple(scopes), columns)
                self._add(commit, connection, body, number, now_us)
        for each, submission in submissions:
            if each.error is None and (refused := _refused(submission, each.result)):
                tally.keep(connection, submission.scope_id, refused, now_us)
        counts.write(connection, now_us)

    def _store_recordings(self, commit: Commit, connection: sqlite3.Connection, now_us: int) -> None:
        recordings = [(each, each.work) for each in commit.waiting if isinstance(each.work, Recording)]
        if not recordings:
            return
        number = next_number(commit.last_number, now_us)
        try:
            while (decided := self._decide(commit, connection, recordings, now_us, number)) is None:
                recordings = [pair for pair in recordings if isinstance(pair[0].error, Refused | None)]
        except LogUnavailable as error:  # usage events do not need the ledger
            for each, _ in recordings:
                each.error = error
            return
        recorder, counts = decided
        counts.write(connection, now_us)
        commit.swept = recorder.swept
        commit.opened_until = recorder.opened_until
        commit.new_keys.update(recorder.new_keys)
        if body := recorder.finish():
            self._add(commit, connection, body, number, now_us)
            commit.ledger = recorder.state
            commit.last_number = max(commit.last_number, commit.ledger.last_number)
            commit.changes = recorder.changes()

    def _decide(
        self,
        commit: Commit,
        connection: sqlite3.Connection,
        recordings: Sequence[tuple[Waiting, Recording]],
        at: int,
        number: int,
    ) -> tuple[Recorder, tally.Counts] | None:
        """Decide recordings in order. number: of the first event.

        None: some failed as nobody foresaw, half done maybe. They have their errors, and the others are to be
        decided anew without them: a fault takes nobody with it.
        """
        counts = tally.Counts()
        actions = [action for _, recording in recordings for action in recording.actions]
        book = self._book(commit, connection, at, actions)
        book.end_due(_MOST_DUE)
        recorder = Recorder(book, self._index, commit.ledger, range(number, number + 2 * len(actions)))
        failed = False
        for each, recording in recordings:
            try:
                each.result = recorder.record(recording, counts)
            except Refused as error:
                each.error = error
            except Exception as error:
                if _is_of_all(error):
                    raise
                each.error = own_error(error)
                failed = True
        return None if failed else (recorder, counts)

    def _book(
        self, commit: Commit, connection: sqlite3.Connection, at: int, actions: Sequence[Action]
    ) -> Book:
        book = Book(self._accounts, connection, at, commit.ledger.clock)
        try:
            book.prepare(action for action in actions if isinstance(action, Track))
        except Exception as error:
            if _is_of_all(error):
                raise
            # The recording at fault fails alone when it is decided.
            return Book(self._accounts, connection, at, commit.ledger.clock)
        return book

    def _add(
        self,
        commit: Commit,
        connection: sqlite3.Connection,
        body: UsageBody | MeterBody,
        number: int,
        received_at: int,
    ) -> None:
        """Write one record. number: of its first event."""
        events = len(body.events)
        kind = Kind.USAGE if isinstance(body, UsageBody) else Kind.METER
        record = (commit.position + 1, kind, received_at, number, events, self._packer.pack(body))
        made = checksum(record, commit.checksum)
        connection.execute(
            "INSERT INTO log (position, kind, received_at, first_number, events, body, checksum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*record, made),
        )
        commit.position += 1
        commit.checksum = made
        commit.mark = number
        commit.last_number = max(commit.last_number, number + events - 1)

    def _collect(
        self, commit: Commit, waiting: deque[tuple[Waiting, Submission]], number: int, counts: tally.Counts
    ) -> tuple[list[tuple[int, int]], Columns]:
        """Take the next submissions until a record is full; give their rows numbers from `number` on."""
        columns = Columns.empty()
        scopes: list[tuple[int, int]] = []
        size = 0
        while waiting and size < _RECORD_EVENTS:
            each, submission = waiting.popleft()
            events = submission.events
            first = number + size
            try:
                repeats = self._repeats(commit, submission, first)
            except LogUnavailable as error:  # events without keys do not need the key index
                each.error = error
                continue
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

    def _repeats(self, commit: Commit, submission: Submission, first: int) -> dict[int, Repeat]:
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


def _is_of_all(error: Exception) -> bool:
    """Whether an error is of the stores, and not of one recording."""
    return isinstance(error, LogUnavailable) or is_disk_error(error)


def _fail(commit: Commit, work: type[Submission | Recording], error: Exception) -> None:
    """Give an error to every caller that waits for this kind of work, and forget its effects."""
    if work is Submission:
        commit.new_keys.clear()
    for each in commit.waiting:
        if isinstance(each.work, work):
            each.error = each.error or error


def _refused(submission: Submission, receipt: object) -> Sequence[Rejection]:
    if isinstance(receipt, Receipt) and receipt.repeats:
        return [*submission.rejections, *receipt.conflicts()]
    return submission.rejections
