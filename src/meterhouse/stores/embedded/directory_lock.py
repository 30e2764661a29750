"""One server per data directory. The kernel releases the lock however the process ends."""

import fcntl
import os
from pathlib import Path


class DirectoryLock:
    """Held from construction until `close`. Makes the directory when it is absent.

    Raises RuntimeError with a sentence for the operator when another server holds it.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise RuntimeError(
                f"Another Meterhouse serves {directory}: stop it, or give this one its own --data."
            ) from None

    def close(self) -> None:
        os.close(self._file)
