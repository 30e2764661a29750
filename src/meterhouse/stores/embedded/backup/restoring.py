"""Restore: a backup becomes the meterhouse.db of an empty data directory."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from msgspec import Struct

from meterhouse.model.event import Kind
from meterhouse.stores.embedded.backup import copying, manifest
from meterhouse.stores.embedded.backup.manifest import Manifest
from meterhouse.stores.embedded.directories import sync
from meterhouse.stores.embedded.directory_lock import DirectoryLock
from meterhouse.stores.embedded.records import unpack

_DATABASE: Final = "meterhouse.db"
_PARTIAL: Final = "meterhouse.db.restoring"
_NO_DATA: Final = {"lock", "lost+found", _PARTIAL}
"""Names that an empty directory may have; the last one is from a restore that was interrupted."""
_AFTER_CUT: Final = {
    "log_chain": "UPDATE log_chain SET begins_after = min(begins_after, :position)",
    "log_digest": "DELETE FROM log_digest WHERE last_position > :position",
}
"""By table: how its rows follow when the log ends at an earlier position."""


class Restored(Struct, frozen=True):
    """position, events: of the restored log. last_position: of the backup."""

    position: int
    last_position: int
    events: int


def restore(
    source: Path, data: Path, to_position: int | None, report: Callable[[int, int], None]
) -> Restored:
    """Check every file of a backup, then restore it into an empty or missing directory.

    to_position: leave out the log records after it; None restores all.
    report: is told the position that is restored, and the last one.
    A failure leaves no meterhouse.db in the directory, and a further restore begins again.
    Raises RuntimeError with a sentence.
    """
    found = manifest.read(source)
    if found is None:
        raise RuntimeError(f"{source} holds no backup: it has no {manifest.NAME}.")
    position = found.position if to_position is None else to_position
    if not 0 <= position <= found.position:
        raise RuntimeError(f"--to-position must be from 0 to {found.position}, where this backup ends.")
    for file in found.files:
        manifest.check(source, file)
    if data.exists() and (
        others := sorted(path.name for path in data.iterdir() if path.name not in _NO_DATA)
    ):
        raise RuntimeError(
            f"{data} is not empty ({others[0]}): restore into an empty directory or a new one, "
            "and keep this one until the restored server has been checked."
        )
    with closing(DirectoryLock(data)):
        partial = data / _PARTIAL
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        shutil.copyfile(source / found.catalog.name, partial)
        _fill(source, found, position, partial, lambda reached: report(reached, position))
        events = _check(partial, position)
        sync(partial)
        partial.rename(data / _DATABASE)
        sync(data)
    return Restored(position, found.position, events)


def _fill(source: Path, found: Manifest, position: int, partial: Path, report: Callable[[int], None]) -> None:
    """Add the log records up to `position`, and let the bookkeeping follow where it is not the last."""
    left_out: Counter[int] = Counter()
    with copying.opened(partial, new=False) as connection:
        for segment in found.log:
            copying.attach_source(connection, source / segment.file.name, immutable=True)
            after, until = segment.first_position - 1, min(segment.last_position, position)
            copying.copy_log(connection, "main", after, until, report)
            left_out += _events_after(connection, position)
            connection.execute("DETACH source")
        if position < found.position:
            connection.execute("BEGIN")
            for scope_id, events in left_out.items():
                _count_less(connection, scope_id, events)
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
            for table, statement in _AFTER_CUT.items():
                if table in tables:
                    connection.execute(statement, {"position": position})
            connection.execute("COMMIT")


def _check(partial: Path, position: int) -> int:
    """Return the events of the restored log. Raises RuntimeError: it is not the log up to `position`."""
    with copying.reading(partial) as connection:
        complaint = copying.damage(connection)
        log = copying.extent(connection, "main")
    if complaint or (log.records, log.last) != (position, position):
        raise RuntimeError(
            f"The restored log has {log.records} records, and {position} were expected"
            f"{f' ({complaint})' if complaint else ''}. Use another backup."
        )
    return log.events


def _events_after(connection: sqlite3.Connection, position: int) -> Counter[int]:
    """Return the events of the source's records after a position, by scope."""
    events: Counter[int] = Counter()
    for kind, body in connection.execute("SELECT kind, body FROM source.log WHERE position > ?", (position,)):
        for scope_id, count in unpack(Kind(kind), body).scopes:
            events[scope_id] += count
    return events


def _count_less(connection: sqlite3.Connection, scope_id: int, events: int) -> None:
    """Take events that were left out from the tally, from the newest hour back: as if never received."""
    hours = connection.execute(
        "SELECT hour, events FROM ingest_tally WHERE scope_id = ? AND code = 'stored' ORDER BY hour DESC",
        (scope_id,),
    ).fetchall()
    for hour, stored in hours:
        less = min(events, stored)
        if not less:
            break
        connection.execute(
            "UPDATE ingest_tally SET events = events - ?"
            " WHERE scope_id = ? AND hour = ? AND code IN ('stored', 'received')",
            (less, scope_id, hour),
        )
        events -= less
