"""Whether meterhouse.db is whole, and its books balance. Reads only, also beside a running server."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

from meterhouse.model.event import from_microseconds, to_microseconds
from meterhouse.model.finding import Finding, Health
from meterhouse.stores.embedded.digests import Examined, examine
from meterhouse.stores.embedded.migrations import difference, scripts

_RESTORE: Final = "Stop the server, keep the file, and restore the last backup (docs/operating.md, Backup)."
_BUSY_SECONDS: Final = 10.0
_CLOCK_SLACK_US: Final = 1_000_000
_MOST_DAMAGES: Final = 1_000
_DAMAGES_SAID: Final = 3


def check(data: Path, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Yield every finding; after a file that cannot be read at all, no further one.

    now: the machine's clock.
    """
    path = data / "meterhouse.db"
    with closing(_open(path)) as connection:
        try:
            yield _schema(connection)
            yield _quick_check(connection)
            connection.execute("BEGIN")  # log and tally as of one moment, while events come in
            yield _positions(connection)
            yield _records(connection)
            yield _meter_index(connection)
            yield _numbers(connection)
            yield from _tally(connection)
            newest = _newest(connection)
            yield _clock(newest, now())  # read after the newest event, which may come at any moment
        except sqlite3.DatabaseError as error:
            yield Finding("meterhouse.db", Health.PROBLEM, f"SQLite cannot read it: {error}", _RESTORE)


def last_position(data: Path) -> int:
    """Return the position of the log's newest record, 0 for none. Raises sqlite3.DatabaseError."""
    with closing(_open(data / "meterhouse.db")) as connection:
        (position,) = connection.execute("SELECT coalesce(max(position), 0) FROM log").fetchone()
        return int(position)


def events_to(data: Path, position: int) -> int:
    """Return how many events the log holds up to a position. Raises sqlite3.DatabaseError."""
    with closing(_open(data / "meterhouse.db")) as connection:
        (events,) = connection.execute(
            "SELECT coalesce(sum(events), 0) FROM log WHERE position <= ?", (position,)
        ).fetchone()
        return int(events)


def scope_ids(data: Path) -> list[int]:
    """Return every scope. Raises sqlite3.DatabaseError."""
    with closing(_open(data / "meterhouse.db")) as connection:
        return [scope_id for (scope_id,) in connection.execute("SELECT id FROM scope")]


def _open(path: Path) -> sqlite3.Connection:
    """Not read-only: that could not make the files SQLite needs beside a log that nobody has open."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
    )
    connection.execute("PRAGMA query_only = ON")
    return connection


def _schema(connection: sqlite3.Connection) -> Finding:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    known = len(scripts())
    subject = "schema"
    if version > known:
        sentence = f"version {version}; this Meterhouse knows {known}"
        return Finding(
            subject, Health.PROBLEM, sentence, "Install the version that wrote it, or a newer one."
        )
    if version < known:
        sentence = f"version {version} of {known}"
        return Finding(
            subject, Health.WARNING, sentence, "The next start of the server brings it up to date."
        )
    if found := difference(connection):
        return Finding(subject, Health.PROBLEM, f"version {version}, but {found}", _RESTORE)
    return Finding(subject, Health.OK, f"version {version}")


def _quick_check(connection: sqlite3.Connection) -> Finding:
    found = [text for (text,) in connection.execute("PRAGMA quick_check(3)")]
    if found != ["ok"]:
        return Finding("meterhouse.db", Health.PROBLEM, f"damaged: {'; '.join(found)}", _RESTORE)
    return Finding("meterhouse.db", Health.OK, "SQLite finds no damage")


def _positions(connection: sqlite3.Connection) -> Finding:
    records, first, last = connection.execute(
        "SELECT count(*), coalesce(min(position), 1), coalesce(max(position), 0) FROM log"
    ).fetchone()
    if first != 1 or records != last:
        sentence = f"{records} records from position {first} to {last}: some are missing"
        return Finding("log", Health.PROBLEM, sentence, _RESTORE)
    return Finding("log", Health.OK, f"{records} records, none missing")


def _records(connection: sqlite3.Connection) -> Finding:
    """Whether each record is as it was written, by its checksum."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'log_chain'").fetchone():
        sentence = "they have no checksums before the next start, which begins the chain"
        return Finding("records", Health.UNSEEN, sentence)
    examined = Examined()
    damages = list(islice(examine(connection, examined), _MOST_DAMAGES))
    if damages:
        said = "; ".join(
            f"{'record' if each.first == each.last else 'records'} {each.positions}: {each.why}"
            for each in damages[:_DAMAGES_SAID]
        )
        more = len(damages) - _DAMAGES_SAID
        if more > 0:
            said += f"; and {more}{' or more' if len(damages) == _MOST_DAMAGES else ''} others"
        return Finding("records", Health.PROBLEM, f"damaged: {said}", _RESTORE)
    sentence = f"{examined.proven} of {examined.records} match the checksums that they were written with"
    older = examined.records - examined.proven
    if older:
        sentence += f"; {older} are older than checksums, and {examined.covered} of them match their digests"
    return Finding("records", Health.OK, sentence)


def _meter_index(connection: sqlite3.Connection) -> Finding:
    """The ledger is made from the records that this index finds."""
    by_index, by_table = (
        connection.execute(
            f"SELECT count(*), coalesce(sum(position), 0) FROM log {how} WHERE kind = 'meter'"
        ).fetchone()
        for how in ("INDEXED BY log_of_meter_events", "NOT INDEXED")
    )
    subject = "index of meter events"
    if by_index != by_table:
        sentence = f"it finds {by_index[0]} records, and the log has {by_table[0]}, or finds others"
        remedy = "Stop the server and make it again: sqlite3 meterhouse.db 'REINDEX log_of_meter_events'"
        return Finding(subject, Health.PROBLEM, sentence, remedy)
    return Finding(subject, Health.OK, f"{by_index[0]} records")


def _numbers(connection: sqlite3.Connection) -> Finding:
    found = connection.execute(
        "SELECT position FROM"
        " (SELECT position, first_number, events,"
        "  lag(first_number + events, 1, 0) OVER (ORDER BY position) AS free FROM log)"
        " WHERE first_number < free OR events < 0 LIMIT 1"
    ).fetchone()
    if found is not None:
        sentence = f"they do not increase at position {found[0]}: two events may have one id"
        return Finding("event numbers", Health.PROBLEM, sentence, _RESTORE)
    return Finding("event numbers", Health.OK, "strictly increasing")


def _tally(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Promise 7: received = stored + duplicates + rejected; and what was stored is in the log."""
    wrong = connection.execute(
        "SELECT scope_id, sum(events) FILTER (WHERE code = 'received') AS received,"
        " coalesce(sum(events) FILTER (WHERE code <> 'received'), 0) AS became"
        " FROM ingest_tally GROUP BY scope_id HAVING received IS NOT became"
    ).fetchall()
    for scope_id, received, became in wrong:
        sentence = f"of scope {scope_id}, {received or 0} events were received and {became} accounted for"
        yield Finding("tally", Health.PROBLEM, sentence, "Report it, with a copy of meterhouse.db.")
    (stored,) = connection.execute(
        "SELECT coalesce(sum(events), 0) FROM ingest_tally WHERE code = 'stored'"
    ).fetchone()
    (in_log,) = connection.execute("SELECT coalesce(sum(events), 0) FROM log").fetchone()
    if stored != in_log:
        sentence = f"{stored} events were counted as stored, and the log holds {in_log}"
        yield Finding("tally", Health.PROBLEM, sentence, _RESTORE)
    elif not wrong:
        sentence = f"received = stored + duplicates + rejected; {stored} stored, as many in the log"
        yield Finding("tally", Health.OK, sentence)


def _newest(connection: sqlite3.Connection) -> int:
    """Return when the newest event was received, microseconds since 1970; 0 without events."""
    (newest,) = connection.execute("SELECT coalesce(max(received_at), 0) FROM log").fetchone()
    return int(newest)


def _clock(newest: int, now: datetime) -> Finding:
    if newest - to_microseconds(now) > _CLOCK_SLACK_US:
        seconds = (newest - to_microseconds(now)) // 1_000_000
        sentence = (
            f"the newest event came at {from_microseconds(newest):%Y-%m-%d %H:%M:%S} UTC, "
            f"{seconds} seconds from now: the clock is behind now, or was ahead then"
        )
        remedy = "Synchronise the clock. If it was ahead, see `Clocks` in docs/operating.md."
        return Finding("clock", Health.PROBLEM, sentence, remedy)
    return Finding("clock", Health.OK, f"{now:%Y-%m-%d %H:%M:%S} UTC, after the newest event")
