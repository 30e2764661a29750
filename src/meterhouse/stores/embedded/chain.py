"""The chain of the log: each record carries a checksum over itself and the checksum of the record before.

A record that is older than checksums counts as one that follows nothing; digests cover it (`digests`).
docs/decisions/0015-log-chain.md has the reasons and the figures.
"""

import sqlite3
import struct
from collections.abc import Iterator
from hashlib import sha256
from typing import Final, NamedTuple

from meterhouse.model.errors import LogDamaged
from meterhouse.model.event import Kind
from meterhouse.stores.embedded.database import is_disk_error
from meterhouse.stores.embedded.records import MeterBody, UsageBody, is_whole, unpack

STREAM: Final = 0
"""The embedded log is the one stream of its deployment."""
NOTHING: Final = bytes(16)
"""The checksum before the first record."""
_head: Final = struct.Struct(">QQ16sqqQB").pack
_COLUMNS: Final = "position, kind, received_at, first_number, events, body, checksum"
_READ: Final = f"SELECT {_COLUMNS} FROM log WHERE position > ? ORDER BY position"
_READ_METER: Final = f"SELECT {_COLUMNS} FROM log WHERE position > ? AND kind = 'meter' ORDER BY position"


Record = tuple[int, str, int, int, int, bytes]
"""Position, kind, received_at, first_number, events, body."""
_Row = tuple[int, str, int, int, int, bytes, bytes | None]


def checksum(record: Record, before: bytes) -> bytes:
    """Return a record's checksum: the first 16 bytes of SHA-256 over all of it, and over the one before."""
    position, kind, received_at, first_number, events, body = record
    name = kind.encode()
    made = sha256(_head(STREAM, position, before, received_at, first_number, events, len(name)))
    made.update(name)
    made.update(body)
    return made.digest()[:16]


class Stored(NamedTuple):
    """A record as it lies in the log. checksum: of this record, also where the log does not hold it.

    proven: whether the log holds its checksum, and it matches.
    """

    position: int
    kind: Kind
    received_at: int
    first_number: int
    events: int
    packed: bytes
    checksum: bytes
    proven: bool

    def body(self) -> UsageBody | MeterBody:
        """Raises LogDamaged: it cannot be read, or holds another number of events than the record says."""
        try:
            body = unpack(self.kind, self.packed)
            whole = is_whole(body, self.events)
        except Exception as error:  # each library has errors of its own, and a damaged body finds them all
            raise LogDamaged(self.position, f"its body cannot be read ({type(error).__name__})") from error
        if not whole:
            raise LogDamaged(self.position, "its body does not hold the events that it says")
        return body


def records(connection: sqlite3.Connection, after: int, *, only_meter: bool = False) -> Iterator[Stored]:
    """Yield the records after a position, in order, each checked before anybody uses it.

    Raises LogDamaged, naming the position: a record is missing, unreadable, or not as it was written.
    """
    begun_after = begins_after(connection)
    last, before = after, None
    rows = _rows(connection, _READ_METER if only_meter else _READ, after)
    while (row := _next(rows, last)) is not None:
        position = row[0]
        if position != last + 1:
            if not only_meter:
                raise LogDamaged(last + 1, "it is missing", position - 1)
            before = None
        if before is None:
            before = _before(connection, position, begun_after)
        try:
            stored = _checked(row, before, begun_after)
        except LogDamaged:
            if position == after + 1 and position > 1:
                _check_alone(connection, position - 1, begun_after)  # its checksum may be the damaged one
            raise
        yield stored
        last, before = position, stored.checksum if stored.proven or position == begun_after else NOTHING


def newest(connection: sqlite3.Connection) -> Stored | None:
    """Return the last record, None for an empty log. Raises LogDamaged."""
    (position,) = connection.execute("SELECT coalesce(max(position), 0) FROM log").fetchone()
    return next(records(connection, position - 1)) if position else None


def begins_after(connection: sqlite3.Connection) -> int:
    """Return the position of the last record without a checksum, 0 for none. Raises LogDamaged."""
    found = connection.execute("SELECT begins_after FROM log_chain").fetchall()
    if len(found) != 1:
        raise LogDamaged(1, "the table log_chain does not say which records have checksums")
    return int(found[0][0])


def _rows(connection: sqlite3.Connection, query: str, after: int) -> sqlite3.Cursor:
    try:
        return connection.execute(query, (after,))  # which reads the first row
    except sqlite3.Error as error:
        raise _unreadable(error, after + 1) from error


def _next(rows: sqlite3.Cursor, last: int) -> _Row | None:
    try:
        row: _Row | None = rows.fetchone()
    except sqlite3.Error as error:
        raise _unreadable(error, last + 1) from error
    return row


def _unreadable(error: sqlite3.Error, position: int) -> Exception:
    """Return the error to raise: the given one where the disk failed, else LogDamaged."""
    if is_disk_error(error) and error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
        return error
    return LogDamaged(position, f"SQLite cannot read it ({error})")


def _one(connection: sqlite3.Connection, position: int) -> _Row:
    """Raises LogDamaged: there is no record at a position."""
    found = _next(_rows(connection, f"{_READ} LIMIT 1", position - 1), position - 1)
    if found is None or found[0] != position:
        (before,) = connection.execute(
            "SELECT coalesce(max(position), 0) FROM log WHERE position < ?", (position,)
        ).fetchone()
        raise LogDamaged(before + 1, "it is missing", position)
    return found


def _before(connection: sqlite3.Connection, position: int, begun_after: int) -> bytes:
    """Return the checksum that the record at a position follows."""
    if position == 1 or position <= begun_after:
        return NOTHING
    found = _one(connection, position - 1)
    if position - 1 == begun_after:
        return _checked(found, NOTHING, begun_after).checksum
    if not isinstance(found[6], bytes) or len(found[6]) != len(NOTHING):
        raise LogDamaged(position - 1, "it has lost its checksum")
    return found[6]


def _check_alone(connection: sqlite3.Connection, position: int, begun_after: int) -> None:
    """Raises LogDamaged: the record does not match the checksum that it holds."""
    _checked(_one(connection, position), _before(connection, position, begun_after), begun_after)


def _checked(row: _Row, before: bytes, begun_after: int) -> Stored:
    """Return a row as a record. Raises LogDamaged: it is not as it was written."""
    position, kind, received_at, first_number, events, body, held = row
    proven = position > begun_after
    if not proven and held is not None:
        raise LogDamaged(position, "it has a checksum, and no record of its age has one")
    try:
        made = checksum((position, kind, received_at, first_number, events, body), before)
    except (TypeError, ValueError, AttributeError, struct.error) as error:
        raise LogDamaged(position, "a column has a value of another type") from error
    if proven and held != made:
        raise LogDamaged(position, "it is not as it was written: its checksum does not match")
    try:
        return Stored(position, Kind(kind), received_at, first_number, events, body, made, proven)
    except ValueError:
        raise LogDamaged(position, "its kind is unknown") from None
