"""Directories that survive a power cut: a new name is on disk once the directory above it was synced."""

import os
from collections.abc import Iterator
from pathlib import Path


def make_private(directory: Path) -> None:
    """Make a directory for its owner alone, and missing ones above it; on disk when this returns.

    A directory that is there stays as it is.
    """
    missing = [*_missing(directory.absolute())]
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for made in missing:
        sync(made.parent)


def sync(path: Path) -> None:
    """Return once the content of a file, or the names in a directory, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _missing(directory: Path) -> Iterator[Path]:
    while not directory.is_dir():
        yield directory
        directory = directory.parent
