"""Copying between SQLite files: log records piece by piece, every other table whole.

Every statement takes the tables and columns that the source has, so that migrations need no change here.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

PIECE_BYTES: Final = 16 * 1024 * 1024
"""Each piece is one transaction with an fsync: a larger one delays the server's own fsyncs."""
_BUSY_SECONDS: Final = 10.0


class Extent(NamedTuple):
    """The records of a stretch of the log. first, last: positions, 0 without records."""

    records: int
    first: int
    last: int
    events: int


@contextmanager
def opened(path: Path, *, new: bool = True) -> Iterator[sqlite3.Connection]:
    """Open a file that nobody else uses, for writing. It is a whole database only once this has ended.

    new: replace the file by an empty one.
    """
    if new:
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
    uri = path.absolute().as_uri()
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)) as connection:
        _write_unlogged(connection, "main")
        yield connection


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file of a backup, which does not change."""
    uri = f"{path.absolute().as_uri()}?immutable=1"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        yield connection


def attach_source(connection: sqlite3.Connection, path: Path, *, immutable: bool = False) -> None:
    """Attach a file as `source`, for reading. immutable: nobody writes it."""
    mode = "immutable=1" if immutable else "mode=ro"
    connection.execute("ATTACH ? AS source", (f"{path.absolute().as_uri()}?{mode}",))


def attach_segment(connection: sqlite3.Connection, path: Path) -> None:
    """Attach a new file as `segment`, with the source's table `log` without its records and indexes."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    connection.execute("ATTACH ? AS segment", (path.absolute().as_uri(),))
    _write_unlogged(connection, "segment")
    (sql,) = connection.execute("SELECT sql FROM source.sqlite_schema WHERE name = 'log'").fetchone()
    connection.execute(str(sql).replace("CREATE TABLE ", "CREATE TABLE segment.", 1))


def extent(connection: sqlite3.Connection, schema: str, after: int = 0, until: int | None = None) -> Extent:
    """Return the records at positions after `after`, up to and with `until` or to the end."""
    row = connection.execute(
        "SELECT count(*), coalesce(min(position), 0), coalesce(max(position), 0), coalesce(sum(events), 0)"
        f" FROM {schema}.log WHERE position > ? AND position <= ?",
        (after, 2**63 - 1 if until is None else until),
    ).fetchone()
    return Extent(*row)


def pieces(connection: sqlite3.Connection, after: int, until: int) -> Iterator[tuple[int, int]]:
    """Yield (after, until) of consecutive stretches of the source's log, each of about PIECE_BYTES."""
    while after < until:
        room, last = PIECE_BYTES, after
        rows = connection.execute(
            "SELECT position, length(body) FROM source.log WHERE position > ? AND position <= ?"
            " ORDER BY position",
            (after, until),
        )
        with closing(rows):
            for position, size in rows:
                last, room = position, room - size
                if room <= 0:
                    break
        if last == after:
            return
        yield after, last
        after = last


def copy_records(connection: sqlite3.Connection, schema: str, after: int, until: int) -> None:
    """Copy the source's records after `after`, up to and with `until`. Columns it has not stay at default."""
    columns = ", ".join(_columns(connection, "source", "log"))
    connection.execute(
        f"INSERT INTO {schema}.log ({columns}) SELECT {columns} FROM source.log"
        " WHERE position > ? AND position <= ? ORDER BY position",
        (after, until),
    )


def copy_log(
    connection: sqlite3.Connection, schema: str, after: int, until: int, report: Callable[[int], None]
) -> None:
    """Copy records as `copy_records` does, a transaction a piece. report: is told the position reached."""
    for start, end in pieces(connection, after, until):
        connection.execute("BEGIN")
        copy_records(connection, schema, start, end)
        connection.execute("COMMIT")
        report(end)


def copy_other_tables(connection: sqlite3.Connection) -> None:
    """Copy the source's schema and the rows of every table except the log into `main`. In a transaction.

    Raises RuntimeError: a table has another count of rows than its source.
    """
    tables = connection.execute(
        "SELECT name, sql FROM source.sqlite_schema"
        " WHERE type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
    ).fetchall()
    for name, sql in tables:
        connection.execute(sql)
        if name != "log":
            _copy_rows(connection, name)
    for (sql,) in connection.execute(
        "SELECT sql FROM source.sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY rowid"
    ).fetchall():
        connection.execute(sql)
    # As VACUUM does: these have no pages of their own, and must not run while rows are copied.
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "INSERT INTO main.sqlite_schema SELECT type, name, tbl_name, rootpage, sql FROM source.sqlite_schema"
        " WHERE type IN ('view', 'trigger') OR (type = 'table' AND rootpage = 0)"
    )
    connection.execute("PRAGMA writable_schema = OFF")
    for pragma in ("user_version", "application_id"):
        (value,) = connection.execute(f"PRAGMA source.{pragma}").fetchone()
        connection.execute(f"PRAGMA main.{pragma} = {value}")


def damage(connection: sqlite3.Connection) -> str | None:
    """Return SQLite's complaint about a file, None for a sound one."""
    found = [text for (text,) in connection.execute("PRAGMA integrity_check(3)")]
    return None if found == ["ok"] else "; ".join(found)


def _copy_rows(connection: sqlite3.Connection, name: str) -> None:
    table = _quoted(name)
    (without_rowid,) = connection.execute(
        "SELECT wr FROM pragma_table_list WHERE schema = 'source' AND name = ?", (name,)
    ).fetchone()
    columns = ", ".join([*([] if without_rowid else ["rowid"]), *_columns(connection, "source", name)])
    connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM source.{table}")
    counts = connection.execute(
        f"SELECT (SELECT count(*) FROM main.{table}), (SELECT count(*) FROM source.{table})"
    ).fetchone()
    if counts[0] != counts[1]:
        raise RuntimeError(f"The table {name} has {counts[1]} rows, and {counts[0]} were copied.")


def _columns(connection: sqlite3.Connection, schema: str, table: str) -> list[str]:
    """Return the quoted names of a table's columns, without those that SQLite computes."""
    found = connection.execute(f"PRAGMA {schema}.table_xinfo({_quoted(table)})").fetchall()
    return [_quoted(name) for _, name, _, _, _, _, hidden in found if not hidden]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _write_unlogged(connection: sqlite3.Connection, schema: str) -> None:
    """No journal: the file counts for nothing until the manifest, or its final name, makes it count."""
    connection.execute(f"PRAGMA {schema}.journal_mode = OFF")
    connection.execute(f"PRAGMA {schema}.synchronous = FULL")
