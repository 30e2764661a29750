"""Files of a projection that cannot be used: kept for a look, the newest of each alone."""

import shutil
import time
from pathlib import Path
from typing import Final

MARK: Final = "unreadable"


def set_aside(path: Path) -> None:
    """Rename a file or a directory to `NAME.unreadable-<time>`, and delete the copies set aside before it.

    A path that does not exist is left alone. Raises OSError.
    """
    if not path.exists():
        return
    older = list(path.parent.glob(f"{path.name}.{MARK}-*"))
    path.rename(path.with_name(f"{path.name}.{MARK}-{time.time_ns()}"))
    for copy in older:
        delete(copy)


def delete(path: Path) -> None:
    """Delete a file or a directory, also one that was deleted in part."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
