"""Times that were written by a clock which was ahead. Times are microseconds since 1970."""

from typing import Final

CLOCK_SLACK_US: Final = 60_000_000
"""Clocks of one machine's processes, and small corrections of its clock, differ by less than this."""


def is_ahead(at: int, now_us: int) -> bool:
    """Return whether something that has happened at `at` was written by a clock that was ahead.

    Its credentials and holds have ended: how old they really are is unknown.
    """
    return at > now_us + CLOCK_SLACK_US
