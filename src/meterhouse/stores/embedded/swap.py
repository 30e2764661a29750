"""Putting a projection that was made beside the old one in its place, and finishing after a crash in between.

Everything here is done by a process that holds the data directory's lock.
"""

from pathlib import Path
from typing import Final

from meterhouse.stores.embedded.directories import sync
from meterhouse.stores.embedded.set_aside import delete

_DIRECTORIES: Final = ("keys", "ledger")
_PROJECTIONS: Final = (*_DIRECTORIES, "warehouse.duckdb")
_FRESH: Final = ".new"
_OLD: Final = ".old"


def fresh(path: Path) -> Path:
    """Return where the new one of a directory is made."""
    return path.with_name(path.name + _FRESH)


def swap_directory(path: Path) -> None:
    """Put the closed directory at `fresh(path)` in the place of `path`.

    After a crash at any point `finish` leaves one of the two.
    """
    old = path.with_name(path.name + _OLD)
    delete(old)
    path.rename(old)
    fresh(path).rename(path)
    sync(path.parent)
    delete(old)


def finish(data: Path) -> None:
    """Finish or remove a swap that a crash interrupted."""
    for path in (data / name for name in _DIRECTORIES):
        old = path.with_name(path.name + _OLD)
        if old.exists() and not path.exists() and fresh(path).exists():
            fresh(path).rename(path)  # it was whole before the old one was moved away
            sync(data)
        delete(old)
        delete(fresh(path))


def leftovers(data: Path) -> list[Path]:
    """Return the paths that `finish` would finish or remove."""
    beside = [data / f"{name}{end}" for name in _DIRECTORIES for end in (_FRESH, _OLD)]
    return [path for path in beside if path.exists()]


def check_log_is_there(data: Path) -> None:
    """Raises RuntimeError with a sentence: there are projections, and the log that they were made of is gone.

    A new log beside them would lead to their being thrown away, and they are the last copy.
    """
    log = data / "meterhouse.db"
    beside = log.with_name(log.name + "-wal")
    if _size(log) or _size(beside):
        return
    found = [name for name in _PROJECTIONS if _size(data / name)]
    if found:
        gone = "is empty" if log.exists() else "is missing"
        raise RuntimeError(
            f"{log} {gone}, and {', '.join(found)} beside it {'was' if len(found) == 1 else 'were'} made "
            f"from it: nothing was changed. {REMEDY}"
        )


def check_log_has_records(data: Path, end: int, positions: dict[str, int]) -> None:
    """Raises RuntimeError as `check_log_is_there`: the log has no record, and a projection is of records.

    end: the log's last position. positions: of the projections, by their names for people.
    """
    ahead = [name for name, position in positions.items() if position > 0]
    if end == 0 and ahead:
        raise RuntimeError(
            f"{data / 'meterhouse.db'} holds no event, and the {' and the '.join(ahead)} beside it "
            f"{'was' if len(ahead) == 1 else 'were'} made from events: nothing was changed. {REMEDY}"
        )


REMEDY: Final = (
    "Put meterhouse.db back, or restore the last backup into an empty directory; "
    "to begin with no events, give another --data."
)


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a directory; 0 where it is missing."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    return path.stat().st_size if path.exists() else 0
