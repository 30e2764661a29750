"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable

LONGEST_SECONDS = 60.0
_BETWEEN_SECONDS = 0.02


def until(condition: Callable[[], bool], what: str, seconds: float = LONGEST_SECONDS) -> None:
    """Return once the condition holds. Raises AssertionError, naming it, when it does not come to hold."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain until {what}"
        time.sleep(_BETWEEN_SECONDS)  # between two looks; the condition decides, not the clock
