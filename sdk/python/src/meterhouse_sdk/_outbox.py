"""What the adding threads and the sending thread share: the queue, what is asked, what became of it."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from meterhouse_sdk._error import FieldError
from meterhouse_sdk._errors import BufferClosed
from meterhouse_sdk._new_event import NewEvent
from meterhouse_sdk._queue import Queue

_KEPT_REJECTIONS: Final = 1_000


class RejectedEvent(Struct, frozen=True):
    """An event the server refused for good; it is not sent again.

    event: with the idempotency key it was sent with; None where `line` was damaged on disk.
    line: the JSON that was sent, or what was found.
    """

    event: NewEvent | None
    line: bytes
    code: str
    errors: tuple[FieldError, ...]


class Limits(Struct, frozen=True):
    """When a batch is sent: so many events wait, or the oldest has waited so long."""

    max_batch_events: int
    max_delay_seconds: float


def due_in_seconds(
    waiting_events: int, waited_seconds: float, limits: Limits, *, urgent: bool
) -> float | None:
    """Return how long from now the next batch is to be sent; None: when something was added."""
    if waiting_events == 0:
        return None
    if urgent or waiting_events >= limits.max_batch_events:
        return 0.0
    return max(0.0, limits.max_delay_seconds - waited_seconds)


class Outbox:
    """Counts every event: added = waiting + delivered + rejected, at any moment.

    `lock` guards everything here; `work` tells the sender that something changed, `progress` tells those
    who wait for the sender. `foreign_events` were left behind by other processes and wait to be sent, too;
    None before it is known how many there are. Times are seconds by `clock`.
    """

    def __init__(self, queue: Queue, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.queue = queue
        self.limits = limits
        self.lock = threading.RLock()
        self.work = threading.Condition(self.lock)
        self.progress = threading.Condition(self.lock)
        self.added_events = 0
        self.delivered_events = 0
        self.rejected_events = 0
        self.foreign_events: int | None = None
        self.rejected: deque[RejectedEvent] = deque(maxlen=_KEPT_REJECTIONS)
        self.last_error: Exception | None = None
        self.closing = False
        self.close_by = 0.0
        self.retry_at = 0.0  # do not try before; by `clock`
        self.gave_up = False  # closing, and the server did not take the last batch
        self._settled_events = 0
        self._taking = (0, 0.0)
        self._urgent_up_to = 0
        self._waiting_since = 0.0
        self._clock = clock

    def add(self, line: bytes) -> None:
        """Raises BufferFull, BufferClosed: the event was not taken."""
        with self.lock:
            if self.closing:
                raise BufferClosed("The buffer was closed; this event was not taken.")
            self.queue.append(line)
            self.added_events += 1
            waiting_events = self.waiting_events()
            if waiting_events == 1:
                self._waiting_since = self._clock()
            if waiting_events == 1 or waiting_events % self.limits.max_batch_events == 0:
                self.work.notify_all()

    def waiting_events(self) -> int:
        return self.added_events - self._settled_events

    def due_in_seconds(self) -> float | None:
        """When to send this process's own events; `foreign_events` are always due."""
        return due_in_seconds(
            self.waiting_events(),
            self._clock() - self._waiting_since,
            self.limits,
            urgent=self.closing or self._urgent_up_to > self._settled_events,
        )

    def hurry(self) -> int:
        """Have all that was added until now sent at once; return how many events that are since the start."""
        with self.lock:
            self._urgent_up_to = self.added_events
            self.retry_at = 0.0
            self.work.notify_all()
            return self.added_events

    def settled(self, up_to: int) -> bool:
        """Whether the server has answered for the first `up_to` events, and for everything foreign."""
        return self.unsettled(up_to) == 0 and self.foreign_events is not None

    def unsettled(self, up_to: int) -> int:
        """Return how many of these the server has not answered for."""
        return max(0, up_to - self._settled_events) + (self.foreign_events or 0)

    def found(self, foreign_events: int) -> None:
        """Note how many events of other processes wait."""
        with self.lock:
            self.foreign_events = foreign_events
            self.progress.notify_all()

    def taking(self) -> None:
        """Note that a batch is taken from the queue now: what is added later is younger than this."""
        with self.lock:
            self._taking = (self.added_events, self._clock())

    def settle(
        self, own_events: int, foreign_events: int, rejected: list[RejectedEvent], delivered: int
    ) -> None:
        """Note the server's answer: so many of this process's events are done, so many foreign ones wait."""
        with self.lock:
            self._settled_events += own_events
            self.foreign_events = foreign_events
            if self._settled_events >= self._taking[0]:
                self._waiting_since = self._taking[1]
            self.delivered_events += delivered
            self.rejected_events += len(rejected)
            self.rejected.extend(rejected)
            self.last_error = None
            self.progress.notify_all()

    def failed(self, error: Exception, wait_seconds: float) -> None:
        """Note that a batch could not be sent; it still waits."""
        with self.lock:
            self.last_error = error
            self.retry_at = self._clock() + wait_seconds
            self.gave_up = self.closing
            self.progress.notify_all()

    def close(self, deadline: float) -> None:
        """Take no more events, and send what waits until `deadline` (by `clock`) or the first failure."""
        with self.lock:
            self.closing = True
            self.close_by = deadline
            self.hurry()
