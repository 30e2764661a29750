"""Making a backup: the log records that the directory lacks, and the other tables, as of one moment."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from meterhouse.stores.embedded.backup import copying, manifest
from meterhouse.stores.embedded.backup.manifest import Manifest, Segment
from meterhouse.stores.embedded.directories import sync
from meterhouse.stores.embedded.directory_lock import DirectoryInUse, DirectoryLock

_LOCK: Final = "lock"
_OURS: Final = re.compile(
    rf"{_LOCK}|{re.escape(manifest.NAME)}(\.new)?|(log-new|log-\d+-\d+|catalog-\d+)\.db(-journal)?"
)


def back_up(database: Path, target: Path, now: datetime, report: Callable[[int, int], None]) -> Manifest:
    """Bring the backup in `target` up to date, also while a server runs. The first one copies everything.

    report: is told the position that is copied, and the last one.
    A failure or a crash leaves the backup that was there before as it was.
    Raises RuntimeError with a sentence: the directory cannot be used, or the copy is not equal to the source.
    """
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_usable(target, manifest.read(target))  # before the lock makes a file there
    try:
        lock = DirectoryLock(target)
    except DirectoryInUse:
        raise RuntimeError(f"{target} is in use: another backup writes it. Wait for its end.") from None
    with closing(lock):
        before = manifest.read(target)
        _check_usable(target, before)
        _delete_leftovers(target, before)
        made = _write(database, target, before, now, report)
        manifest.write(target, made)
        _delete_leftovers(target, made)
    return made


def _write(
    database: Path, target: Path, before: Manifest | None, now: datetime, report: Callable[[int, int], None]
) -> Manifest:
    number = before.number + 1 if before else 1
    after = before.position if before else 0
    catalog, unnamed = target / f"catalog-{number}.db", target / "log-new.db"
    with copying.opened(catalog) as connection:
        copying.attach_source(connection, database)
        if before is not None:
            _check_same_log(connection, target, before)
        copying.attach_segment(connection, unnamed)
        reached = copying.extent(connection, "source", after).last
        # Records never change: only the tail and the other tables need one snapshot.
        copying.copy_log(connection, "segment", after, reached, lambda position: report(position, reached))
        connection.execute("BEGIN")
        wanted = copying.extent(connection, "source", after)
        copying.copy_records(connection, "segment", max(after, reached), wanted.last)
        copying.copy_other_tables(connection)
        connection.execute("COMMIT")
        (schema,) = connection.execute("PRAGMA main.user_version").fetchone()
    _check_sound(catalog)
    segments = before.log if before else ()
    if wanted.records:
        if (wanted.first, wanted.last) != (after + 1, after + wanted.records):
            raise RuntimeError(
                f"The log of {database} lacks records after position {after}. "
                f"`meterhouse doctor --data {database.parent}` says more."
            )
        copied = _check_sound(unnamed)
        if copied != wanted:
            raise RuntimeError(f"The copy of the log has {copied}, and the log {wanted}. Try again.")
        path = unnamed.rename(target / f"log-{wanted.first}-{wanted.last}.db")
        sync(path)
        segments = (*segments, Segment(manifest.stored(path), wanted.first, wanted.last, wanted.events))
    sync(catalog)
    return manifest.new(
        number=number,
        version=version("meterhouse"),
        made_at=now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        schema=schema,
        catalog=manifest.stored(catalog),
        log=segments,
    )


def _check_sound(path: Path) -> copying.Extent:
    """Return the records of a new file. Raises RuntimeError: SQLite finds damage in it."""
    with copying.reading(path) as connection:
        if complaint := copying.damage(connection):
            raise RuntimeError(f"The copy {path} is damaged: {complaint}. Check the disk, and try again.")
        return copying.extent(connection, "main")


def _check_usable(target: Path, before: Manifest | None) -> None:
    """Raises RuntimeError: the directory holds something else than a backup, or the backup lacks a file."""
    if before is None:
        others = sorted(path.name for path in target.iterdir() if not _is_ours(path))
        if others:
            raise RuntimeError(
                f"{target} has other files ({others[0]}): name a new directory, an empty one, "
                "or one with a backup of this log."
            )
        return
    for file in before.files:
        path = target / file.name
        if not path.is_file() or path.stat().st_size != file.size_bytes:
            raise RuntimeError(f"{path} is missing or damaged: make the next backup in a new directory.")


def _check_same_log(connection: sqlite3.Connection, target: Path, before: Manifest) -> None:
    """Raises RuntimeError: the last record of the backup is not in the source's log."""
    if not before.log:
        return
    with copying.reading(target / before.log[-1].file.name) as backup:
        kept = _record(backup, "main", before.position)
    found = _record(connection, "source", before.position)
    if kept is None or found is None or any(found.get(name) != value for name, value in kept.items()):
        raise RuntimeError(
            f"{target} holds a backup of another log: they differ at position {before.position}. "
            "Make the backup in a new directory."
        )


def _record(connection: sqlite3.Connection, schema: str, position: int) -> dict[str, object] | None:
    """Return a record by its columns, None where there is none."""
    cursor = connection.execute(f"SELECT * FROM {schema}.log WHERE position = ?", (position,))
    row = cursor.fetchone()
    return None if row is None else dict(zip((column[0] for column in cursor.description), row, strict=True))


def _delete_leftovers(target: Path, kept: Manifest | None) -> None:
    """Delete the files of an interrupted backup, and of the backup before."""
    names = {manifest.NAME, _LOCK, *(file.name for file in (kept.files if kept else ()))}
    for path in target.iterdir():
        if _is_ours(path) and path.name not in names:
            path.unlink()


def _is_ours(path: Path) -> bool:
    """Whether a backup writes files with such a name."""
    return _OURS.fullmatch(path.name) is not None
