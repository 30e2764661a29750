"""What was sent, and what came back."""

import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from meterhouse.model.event import from_microseconds
from meterhouse_sdk import EventResult, LimitCheck

_WINDOW_SECONDS: Final = 5.0


class Board:
    """Counts, as one line of text."""

    def __init__(self) -> None:
        self.sent = 0
        self._statuses: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()
        self._recent: deque[tuple[float, int]] = deque()
        self._at = 0
        self._metered = self._checks = self._denied = 0

    def note(self, results: Sequence[EventResult], at: int) -> None:
        """at: the time in the simulation, microseconds."""
        self.sent += len(results)
        self._at = at
        self._statuses.update(result.status for result in results)
        self._codes.update(result.code or "rejected" for result in results if result.status == "rejected")
        now = time.monotonic()
        self._recent.append((now, len(results)))
        while self._recent[0][0] < now - _WINDOW_SECONDS:
            self._recent.popleft()

    def note_metered(self, events: int, checks: Sequence[LimitCheck]) -> None:
        """Count calls that counted towards limits, and the answers of limit checks."""
        self._metered += events
        self._checks += len(checks)
        self._denied += sum(not each.within_limits for each in checks)

    def __rich__(self) -> str:
        seconds = max(1.0, time.monotonic() - self._recent[0][0]) if self._recent else 1.0
        rate = sum(events for _, events in self._recent) / seconds
        return f"{self.line()}, {rate:,.0f}/s"

    def line(self) -> str:
        statuses = self._statuses
        codes = ", ".join(f"{code} {events:,}" for code, events in self._codes.most_common())
        reasons = f" ({codes})" if codes else ""
        at = f"{from_microseconds(self._at):%Y-%m-%d %H:%M} UTC: " if self.sent else ""
        return (
            f"{at}{self.sent:,} sent, "
            f"{statuses['stored']:,} stored, {statuses['duplicate']:,} there already, "
            f"{statuses['rejected']:,} refused{reasons}; "
            f"{self._metered:,} metered, {self._checks:,} limits checked, {self._denied:,} of them reached"
        )
