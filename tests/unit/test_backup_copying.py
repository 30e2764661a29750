"""A backup copies every kind of table, index and column that SQLite has, as a migration may bring it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from meterhouse.stores.embedded.backup import copying

SCHEMA = """
CREATE TABLE log (position INTEGER PRIMARY KEY, kind TEXT, events INTEGER, body BLOB NOT NULL) STRICT;
CREATE INDEX log_of_meter ON log (position) WHERE kind = 'meter';
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
CREATE TABLE sorted (name TEXT PRIMARY KEY, value) STRICT, WITHOUT ROWID;
CREATE TABLE computed (a INTEGER, "b c" INTEGER AS (a * 2) VIRTUAL, d INTEGER AS (a + 1) STORED);
CREATE TABLE plain (at INTEGER);
CREATE VIRTUAL TABLE words USING fts5 (name, content = '', tokenize = 'trigram');
CREATE VIRTUAL TABLE texts USING fts5 (name);
CREATE VIEW doubled AS SELECT "b c" FROM computed;
CREATE TRIGGER kept BEFORE DELETE ON counted BEGIN SELECT raise(ABORT, 'kept'); END;
CREATE TRIGGER seen AFTER INSERT ON counted BEGIN INSERT INTO plain VALUES (new.id); END;
INSERT INTO log VALUES (1, 'usage', 3, x'01'), (2, 'meter', 2, zeroblob(100)), (3, 'usage', 1, x'03');
INSERT INTO counted VALUES (7, 'seven'), (9, NULL);
INSERT INTO sorted VALUES ('x', 'X');
INSERT INTO computed VALUES (21);
INSERT INTO plain (rowid, at) VALUES (500, 1);
INSERT INTO words (rowid, name) VALUES (1, 'Annabel');
INSERT INTO texts VALUES ('Bertram');
PRAGMA user_version = 41;
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA.replace("value)", "value ANY)"))
    return path


@pytest.fixture
def copied(source: Path, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with copying.opened(tmp_path / "copy.db") as connection:
        copying.attach_source(connection, source)
        connection.execute("BEGIN")
        copying.copy_other_tables(connection)
        connection.execute("COMMIT")
        reached: list[int] = []
        copying.copy_log(connection, "main", 0, 3, reached.append)
        assert reached == [3]
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        yield connection


def test_copy_has_the_same_schema_and_rows(source: Path, copied: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(source)) as connection:
        objects = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"
        assert copied.execute(objects).fetchall() == connection.execute(objects).fetchall()
        rows = {
            name: connection.execute(f"SELECT * FROM {name}").fetchall()
            for name in ("log", "counted", "sorted", "computed", "doubled", "texts", "sqlite_sequence")
        }
        plain = connection.execute("SELECT rowid, at FROM plain").fetchall()
    assert {name: copied.execute(f"SELECT * FROM {name}").fetchall() for name in rows} == rows
    assert copied.execute("SELECT rowid, at FROM plain").fetchall() == plain
    assert copied.execute("PRAGMA user_version").fetchone() == (41,)
    assert copying.damage(copied) is None


def test_copy_works_on_as_its_source(copied: sqlite3.Connection) -> None:
    assert copied.execute("SELECT rowid FROM words WHERE words MATCH 'nabe'").fetchall() == [(1,)]
    copied.execute("INSERT INTO counted (name) VALUES ('next')")
    assert copied.execute("SELECT max(id) FROM counted").fetchone() == (10,)
    assert copied.execute("SELECT count(*) FROM plain WHERE at = 10").fetchone() == (1,)
    with pytest.raises(sqlite3.IntegrityError, match="kept"):
        copied.execute("DELETE FROM counted")


def test_records_of_an_older_schema_keep_the_default_of_a_newer_column(source: Path, tmp_path: Path) -> None:
    with copying.opened(tmp_path / "newer.db") as connection:
        copying.attach_source(connection, source)
        connection.execute(
            "CREATE TABLE log (position INTEGER PRIMARY KEY, kind, events, body, checksum DEFAULT 'none')"
        )
        copying.copy_records(connection, "main", 1, 3)
        rows = connection.execute("SELECT position, checksum FROM main.log").fetchall()
    assert rows == [(2, "none"), (3, "none")]


def test_pieces_cover_every_record_once(tmp_path: Path) -> None:
    path = tmp_path / "large.db"
    sizes = [1, copying.PIECE_BYTES // 3, copying.PIECE_BYTES * 2, 5, copying.PIECE_BYTES // 2, 7]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE log (position INTEGER PRIMARY KEY, events INTEGER, body BLOB)")
        connection.executemany("INSERT INTO log VALUES (?, 1, zeroblob(?))", enumerate(sizes, start=1))
        connection.commit()
    with copying.opened(tmp_path / "copy.db") as connection:
        copying.attach_source(connection, path)
        found = list(copying.pieces(connection, 0, len(sizes)))
        extents = [copying.extent(connection, "source", *piece) for piece in found]
    assert [start for start, _ in found] == [0, *(end for _, end in found[:-1])]
    assert len(found) > 1
    assert sum(extent.records for extent in extents) == len(sizes)
