"""`python -m tests.power.toy FORGETS FOLDER`: a program that stores numbers and says so.

FORGETS: which of its syncs it leaves out: nothing, file, directory, content (of the file that it renames).
"""

import os
import sys
from pathlib import Path

NUMBERS = 8


def write_synced(path: Path, data: bytes, flags: int, *, sync: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)
    os.write(descriptor, data)
    if sync:
        os.fsync(descriptor)
    os.close(descriptor)


def sync_names(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def main(forgets: str, folder: Path) -> None:
    """Append each number to a log, and put the newest into a file of its own by a rename."""
    for number in range(NUMBERS):
        write_synced(folder / "log", b"%d\n" % number, os.O_APPEND, sync=forgets != "file")
        write_synced(folder / "new", b"%d" % number, os.O_TRUNC, sync=forgets != "content")
        (folder / "new").rename(folder / "newest")
        if forgets != "directory":
            sync_names(folder)
        os.write(1, b"stored %d\n" % number)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
