"""Real traffic recorded by others, where this machine has it: METERHOUSE_TEST_DATA, else ../shared/data."""

import os
from pathlib import Path

import pytest

_DIRECTORY = Path(__file__).parents[1] / ".." / "shared" / "data"


def recorded(name: str) -> Path:
    """Return the file's path. Skips the test where it is absent."""
    path = Path(os.environ.get("METERHOUSE_TEST_DATA") or _DIRECTORY) / name
    if not path.is_file():
        pytest.skip(f"needs {name} in METERHOUSE_TEST_DATA ({path.parent})")
    return path
