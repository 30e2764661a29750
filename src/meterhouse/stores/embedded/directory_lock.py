"""One server per data directory. The kernel releases the lock however the process ends."""

import os
from pathlib import Path

from meterhouse.stores.embedded.directories import make_private

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class DirectoryInUse(RuntimeError):
    """Another server holds the directory."""


class DirectoryLock:
    """Held from construction until `close`. Makes the directory when it is absent.

    Raises DirectoryInUse; RuntimeError: this system has no such lock. Both carry a sentence for the operator.
    """

    def __init__(self, directory: Path) -> None:
        if fcntl is None:
            raise RuntimeError(
                "Meterhouse runs on Linux and macOS. This system cannot lock the data directory (flock); "
                "on Windows, run it in WSL 2 or in a container."
            )
        make_private(directory)
        self._file = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise DirectoryInUse(
                f"Another Meterhouse serves {directory}: stop it, or give this one its own --data."
            ) from None

    def close(self) -> None:
        os.close(self._file)
