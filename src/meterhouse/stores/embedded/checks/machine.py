"""What the data directory stands on: disk, file system, permissions, things left behind."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from meterhouse.model.finding import Finding, Health
from meterhouse.stores.embedded import swap
from meterhouse.stores.embedded.rebuild import BESIDE

_LEAST_FREE_BYTES: Final = 1024**3
_LEAST_FREE_PERCENT: Final = 5
_IN_MEMORY: Final = ("tmpfs", "ramfs")
_FIRST_START: Final = "first-start.txt"  # written by `serve`
_MOUNTS: Final = Path("/proc/self/mountinfo")


def disk(data: Path) -> Finding:
    usage = shutil.disk_usage(data)
    percent = 100 * usage.free // usage.total
    sentence = f"{_gigabytes(usage.free)} free of {_gigabytes(usage.total)} ({percent} %)"
    if usage.free < _LEAST_FREE_BYTES or percent < _LEAST_FREE_PERCENT:
        remedy = "Make room: on a full disk every event is answered with 503."
        return Finding("disk", Health.PROBLEM, sentence, remedy)
    return Finding("disk", Health.OK, sentence)


def file_system(data: Path) -> Finding:
    """Whether what is stored survives the machine."""
    subject = "file system"
    try:
        name = _file_system_of(data.resolve())
    except (OSError, ValueError) as error:
        return Finding(subject, Health.UNSEEN, f"this system does not say which it is: {error}")
    if name in _IN_MEMORY:
        remedy = "Stored events are lost when the machine stops: move the directory to a disk."
        return Finding(subject, Health.WARNING, f"{name}, which is memory", remedy)
    return Finding(subject, Health.OK, name)


def permissions(data: Path) -> Finding:
    """Whether this user can use every file, and nobody else can."""
    subject = "permissions"
    directory = data.stat()
    for path in (data, *sorted(data.rglob("*"))):
        try:
            found = path.lstat()
        except FileNotFoundError:  # a server at work
            continue
        if not os.access(path, os.R_OK | os.W_OK):
            remedy = f"Give it to the user that serves: chown -R USER {data}"
            return Finding(subject, Health.PROBLEM, f"this user may not read and write {path}", remedy)
        if found.st_uid != directory.st_uid:
            remedy = f"Give it to the user that serves: chown -R USER {data}"
            return Finding(subject, Health.PROBLEM, f"{path} belongs to another user than {data}", remedy)
        if found.st_mode & stat.S_IWOTH and not stat.S_ISLNK(found.st_mode):
            return Finding(subject, Health.PROBLEM, f"anybody may write {path}", f"chmod o-w {path}")
    if directory.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        sentence = f"other users may look into {data}, which holds what your customers are called and use"
        return Finding(subject, Health.WARNING, sentence, f"chmod 700 {data}")
    return Finding(subject, Health.OK, "this user can read and write every file, and nobody else can")


def leftovers(data: Path, *, in_use: bool) -> Iterator[Finding]:
    """Yield a warning for each thing that an accident left behind.

    in_use: a server or a rebuild has the directory; its temporary files are no leftovers.
    """
    for path in sorted(data.glob("*.unreadable-*")):
        sentence = f"{path.name} was set aside because it could not be read ({_gigabytes(_size(path))})"
        yield Finding(
            "leftover", Health.WARNING, sentence, "Nothing needs it; delete it when it is looked at."
        )
    if (data / _FIRST_START).exists():
        sentence = f"{_FIRST_START} still holds the first key, in clear text"
        yield Finding(
            "leftover", Health.WARNING, sentence, "Keep the key somewhere safe and delete the file."
        )
    if in_use:
        return
    for path in swap.leftovers(data):
        sentence = f"{path.name} is from a rebuild that was interrupted ({_gigabytes(_size(path))})"
        yield Finding("leftover", Health.WARNING, sentence, "The next start finishes or deletes it.")
    for path in sorted(data.glob(f"{BESIDE}*")):
        sentence = f"{path.name} is from a rebuild that was interrupted ({_gigabytes(_size(path))})"
        yield Finding("leftover", Health.WARNING, sentence, "The next rebuild deletes it.")


def _file_system_of(path: Path) -> str:
    """Return the type of the file system whose mount point is the longest above a path."""
    best, name = -1, ""
    for line in _MOUNTS.read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        mounted = Path(before.split(" ")[4].replace("\\040", " "))
        if path.is_relative_to(mounted) and len(mounted.parts) >= best:
            best, name = len(mounted.parts), after.split(" ")[0]
    if best < 0:
        raise ValueError(f"nothing is mounted above {path}")
    return name


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a directory."""
    try:
        if path.is_dir():
            return sum(file.stat().st_size for file in path.rglob("*"))
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1024**3:.1f} GiB"
