"""A clock that never steps back, for everything that money hangs on."""

from collections.abc import Callable
from datetime import datetime

from meterhouse.model.event import from_microseconds


class SteadyClock:
    """While the machine's clock is behind what it once said, this one stands still.

    So a period that has begun does not end again, and what has expired stays expired.
    floor: the newest time the ledger has decided by, microseconds since 1970.
    """

    def __init__(self, now: Callable[[], datetime], floor: int) -> None:
        self._now = now
        self._latest = from_microseconds(floor)

    def __call__(self) -> datetime:
        self._latest = max(self._latest, self._now())
        return self._latest
