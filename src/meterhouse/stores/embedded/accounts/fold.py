"""The ledger as a fold over the log: every entry that the log holds, applied in order."""

import sqlite3
from collections.abc import Callable

from meterhouse.model.entry import Credited, Held
from meterhouse.model.event import Kind
from meterhouse.stores.embedded.accounts.book import Book
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.records import MeterBody, unpack


def fold(
    reader: sqlite3.Connection, accounts: Accounts, report: Callable[[int], None] = lambda _: None
) -> int:
    """Give a ledger what the log has after its position; return how many entries that were.

    report: is told each position of the log that is done.
    """
    entries = 0
    number = accounts.state().last_number
    records = reader.execute(
        "SELECT position, received_at, body FROM log WHERE kind = ? AND position > ? ORDER BY position",
        (Kind.METER, accounts.follower.position),
    )
    for position, received_at, body in records:
        record = unpack(Kind.METER, body)
        assert isinstance(record, MeterBody)  # noqa: S101 - as its kind says
        book = Book(accounts, reader, received_at)
        for entry in record.entries:
            book.apply(entry)
            if isinstance(entry, Credited | Held):
                number = max(number, entry.number)
        entries += len(record.entries)
        accounts.follower.put(book.changes(number), position)
        report(position)
    return entries


def differing(one: Accounts, other: Accounts) -> int:
    """Return how many of the ledgers' keys are not the same in both."""
    return len(set(_everything(one)) ^ set(_everything(other)))


def _everything(accounts: Accounts) -> list[tuple[bytes, bytes]]:
    return [each for each in accounts.follower.scan(b"", b"\xff") if each[0] != b"position"]
