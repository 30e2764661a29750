"""The schema of meterhouse.db: numbered scripts that bring it up to date, and a check that it is as they say.

A script never changes once it is on the main branch; a test holds the hash of each.
"""

import sqlite3
from contextlib import closing
from importlib.resources import files
from typing import Final

_ONLY_IF: Final = "-- only if: "
_PARTS: Final = """
    SELECT 'table ' || made.name, 'column ' || field.name,
           field.cid || field.type || field."notnull" || coalesce(field.dflt_value, '') || field.pk
    FROM sqlite_schema AS made, pragma_table_xinfo(made.name) AS field
    WHERE made.type = 'table' AND made.name NOT LIKE 'sqlite_%'
    UNION ALL
    SELECT 'index ' || made.name, 'column ' || coalesce(field.name, 'rowid'),
           made.tbl_name || field.seqno || field."desc" || listed."unique" || listed.partial
    FROM sqlite_schema AS made, pragma_index_list(made.tbl_name) AS listed,
         pragma_index_xinfo(made.name) AS field
    WHERE made.type = 'index' AND listed.name = made.name AND made.sql IS NOT NULL AND field.key
    UNION ALL
    SELECT made.type || ' ' || made.name, '', ''
    FROM sqlite_schema AS made WHERE made.type IN ('trigger', 'view')
"""
_REMEDY: Final = "Restore the last backup (docs/operating.md), or report this sentence."


def scripts() -> list[str]:
    """Return the text of each migration, in order; the first one makes version 1."""
    found = sorted(
        (file for file in (files("meterhouse.stores.embedded") / "schema").iterdir()),
        key=lambda file: file.name,
    )
    return [file.read_text(encoding="utf-8") for file in found if file.name.endswith(".sql")]


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema to this code's version, one numbered script and one transaction at a time.

    A script whose first line is `-- only if: QUERY` runs only where the query returns a row; the version
    counts it in either case.

    Raises RuntimeError with a sentence: a newer Meterhouse wrote the file, and nothing is changed; or the
    schema is not the one that these scripts make.
    """
    known = scripts()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(known):
        raise RuntimeError(
            f"meterhouse.db has schema {version}, this Meterhouse knows {len(known)}: "
            "install the version that wrote it, or a newer one."
        )
    for number, script in enumerate(known[version:], start=version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {_body(connection, script)}; PRAGMA user_version = {number}; COMMIT;"
        )
    if found := difference(connection):
        raise RuntimeError(f"meterhouse.db has schema {len(known)}, but {found}. {_REMEDY}")


def difference(connection: sqlite3.Connection) -> str | None:
    """Return a difference between a schema and the one that its version's scripts make, None for none.

    Tables and indexes that no script makes are not looked at; they change no answer.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        for script in scripts()[:version]:
            fresh.executescript(_body(fresh, script))
        expected = _parts(fresh)
    found = _parts(connection)
    differing = [
        key
        for key in expected.keys() | found.keys()
        if expected.get(key) != found.get(key) and _matters(key, expected)
    ]
    # A lost column moves those behind it: the loss says more than the move.
    first = min(differing, key=lambda key: (key in expected and key in found, key), default=None)
    return first and _told(first, expected, found)


_Parts = dict[tuple[str, str], str]
"""By object (`table log`) and part of it (`column body`): how it is defined."""


def _matters(key: tuple[str, str], expected: _Parts) -> bool:
    """Return False for a table or an index that no script makes."""
    name, part = key
    return not part or any(name == each for each, _ in expected)


def _told(key: tuple[str, str], expected: _Parts, found: _Parts) -> str:
    name, part = key
    if key in expected and key in found:
        return f"{part} of its {name} has another definition"
    if key in found:
        return (
            f"its {name} has {part}, which does not belong there"
            if part
            else f"it has {name}, which does not belong there"
        )
    return f"its {name} lacks {part}" if any(name == each for each, _ in found) else f"it lacks {name}"


def _body(connection: sqlite3.Connection, script: str) -> str:
    """Return the statements of a script for a database: none where its condition does not hold."""
    first, _, _ = script.partition("\n")
    if first.startswith(_ONLY_IF) and connection.execute(first.removeprefix(_ONLY_IF)).fetchone() is None:
        return "SELECT 1"
    return script


def _parts(connection: sqlite3.Connection) -> _Parts:
    return {(name, part): detail for name, part, detail in connection.execute(_PARTS)}
