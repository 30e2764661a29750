"""Making the ledger again from the log: every entry is applied to emptied tables, in one transaction."""

import sqlite3
from collections.abc import Callable
from typing import Final

from meterhouse.model.entry import Credited, Held
from meterhouse.model.event import Kind
from meterhouse.stores.embedded.accounts.book import Book
from meterhouse.stores.embedded.records import MeterBody, unpack

TABLES: Final = ("usage_total", "balance", "credit_entry", "hold")
_BOOK_RECORDS: Final = 500


def rebuild(connection: sqlite3.Connection, report: Callable[[int, int], None]) -> tuple[int, dict[str, int]]:
    """Return how many entries were applied, and how many rows of each table were not as they are now.

    report: is told how many records of the log are done, and how many there are.
    Inside a transaction: whoever began it decides whether the new ledger stays.
    """
    (last,) = connection.execute("SELECT coalesce(max(position), 0) FROM log").fetchone()
    for table in TABLES:
        connection.execute(f"CREATE TEMP TABLE old_{table} AS SELECT * FROM main.{table}")
        connection.execute(f"DELETE FROM main.{table}")
    connection.execute("UPDATE ledger_state SET last_number = 0, clock = 0")
    entries, number, position = 0, 0, 0
    while records := connection.execute(
        "SELECT position, received_at, body FROM log"
        " WHERE kind = ? AND position > ? ORDER BY position LIMIT ?",
        (Kind.METER, position, _BOOK_RECORDS),
    ).fetchall():
        book = Book(connection, 0)
        for position, received_at, body in records:  # noqa: B007 - the next page begins after the last
            book.at = received_at
            meter_body = unpack(Kind.METER, body)
            assert isinstance(meter_body, MeterBody)  # noqa: S101 - as its kind says
            for entry in meter_body.entries:
                book.apply(entry)
                if isinstance(entry, Credited | Held):
                    number = entry.number
        entries += len(book.entries)
        book.flush(number)
        report(position, last)
    differences = {table: _differing(connection, table) for table in TABLES}
    for table in TABLES:
        connection.execute(f"DROP TABLE old_{table}")
    return entries, {table: rows for table, rows in differences.items() if rows}


def _differing(connection: sqlite3.Connection, table: str) -> int:
    """Return how many rows are in one of old and new, and not in the other."""
    (rows,) = connection.execute(
        f"SELECT (SELECT count(*) FROM (SELECT * FROM main.{table} EXCEPT SELECT * FROM old_{table}))"
        f" + (SELECT count(*) FROM (SELECT * FROM old_{table} EXCEPT SELECT * FROM main.{table}))"
    ).fetchone()
    return int(rows)
