"""The ledger as a fold over the log: every entry that the log holds, applied in order."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from itertools import islice
from typing import Final

from meterhouse.model.entry import Credited, Ended, Entry, Held
from meterhouse.stores.embedded import chain
from meterhouse.stores.embedded.accounts.apply import Applier
from meterhouse.stores.embedded.accounts.layout import OF_THIS_LEDGER, LedgerState, Swept
from meterhouse.stores.embedded.accounts.rows import Rows
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.records import MeterBody

_PAGE_RECORDS: Final = 20


def fold(
    reader: sqlite3.Connection, accounts: Accounts, report: Callable[[int], None] = lambda _: None
) -> int:
    """Give a ledger what the log has after its position; return how many entries that were.

    report: is told each position of the log that is done. Raises LogDamaged.
    """
    entries = 0
    number, clock = accounts.state()
    open_ = _Open() if accounts.follower.position == 0 else None
    for stored in _records(reader, accounts.follower.position):
        position, received_at = stored.position, stored.received_at
        record = stored.body()
        assert isinstance(record, MeterBody)  # noqa: S101 - as its kind says
        clock = max(clock, received_at)
        rows = Rows(accounts, reader)
        applier = Applier(rows, received_at)
        swept = None
        for entry in record.entries:
            applier.apply(entry)
            if isinstance(entry, Credited | Held):
                number = max(number, entry.number)
        if open_ is not None:
            swept = accounts.swept = open_.swept(record.entries, rows.used_up, received_at)
        elif accounts.swept.expires_at > received_at + 1:  # the clock was set back
            swept = accounts.swept = Swept(received_at + 1, 0)
        entries += len(record.entries)
        changes = rows.changes(LedgerState(number, clock), swept)
        accounts.follower.put(changes, position, stored.first_number)
        report(position)
    return entries


def _records(reader: sqlite3.Connection, after: int) -> Iterator[chain.Stored]:
    """Yield the records that changed the ledger. Raises LogDamaged.

    Page by page: one long read would keep SQLite's write-ahead log from being folded in.
    """
    while page := list(islice(chain.records(reader, after, only_meter=True), _PAGE_RECORDS)):
        yield from page
        after = page[-1].position


def last_number(reader: sqlite3.Connection) -> int:
    """Return the highest number that the newest record gave, to an event, a hold or a credit movement.

    Numbers of later records are higher. 0 for an empty log. Raises LogDamaged.
    """
    newest = chain.newest(reader)
    if newest is None:
        return 0
    record = newest.body()
    entries = record.entries if isinstance(record, MeterBody) else []
    given = [each.number for each in entries if isinstance(each, Credited | Held)]
    return max([newest.first_number + newest.events - 1, *given])


class _Open:
    """The holds that the log leaves open and the expiring grants of which it leaves credits, of a log that is
    read from its beginning."""

    def __init__(self) -> None:
        self._by_time: list[tuple[int, int]] = []
        self._open: set[int] = set()

    def swept(self, entries: list[Entry], used_up: Iterable[int], at: int) -> Swept:
        """Take a record's entries, which were decided at a time; return up to where nothing is left to do.

        used_up: the numbers of grants.
        """
        for entry in entries:
            if isinstance(entry, Held | Credited) and entry.expires_at is not None:
                self._open.add(entry.number)
                heappush(self._by_time, (entry.expires_at, entry.number))
            elif isinstance(entry, Ended):
                self._open.discard(entry.number)
        self._open.difference_update(used_up)
        while self._by_time and self._by_time[0][1] not in self._open:
            heappop(self._by_time)
        time, number = min([(at, 1), *self._by_time[:1]])
        return Swept(time, number - 1)


def differing(one: Accounts, other: Accounts) -> int:
    """Return how many of the ledgers' keys are not the same in both."""
    return len(set(_everything(one)) ^ set(_everything(other)))


def _everything(accounts: Accounts) -> list[tuple[bytes, bytes]]:
    return [each for each in accounts.follower.scan(b"", b"\xff") if each[0] not in OF_THIS_LEDGER]
