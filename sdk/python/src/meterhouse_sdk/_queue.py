"""What waits to be sent: the promise that disk and memory both keep, and the one in memory."""

import threading
from collections import deque
from typing import Final, Protocol

from msgspec import Struct

from meterhouse_sdk._errors import BufferFull

MAX_BATCH_BYTES: Final = 8 * 1024 * 1024  # less than the server takes at once


class Batch(Struct, frozen=True):
    """The oldest waiting events, as `to_line` wrote them. `end` is the queue's own mark of where they end."""

    lines: tuple[bytes, ...]
    end: int


class Queue(Protocol):
    """Events that wait, oldest first. Any thread appends; one thread takes and drops."""

    def append(self, line: bytes) -> None:
        """Take an event. Raises BufferFull: it was not taken, the others still wait."""
        ...

    def take(self, most_events: int) -> Batch:
        """Return the oldest events, at most so many and 8 MB; they go on waiting. No lines: none wait."""
        ...

    def drop(self, batch: Batch) -> None:
        """Forget the batch that was taken last: the server has answered for each of its events."""
        ...

    def sync(self) -> None:
        """Return when what waits now would outlive a power cut, where the queue can promise that at all."""
        ...

    def close(self) -> None:
        """Let go of files and locks. What waits on disk stays there for the next process."""
        ...

    def abandon(self) -> None:
        """`close`, in a forked child: leave alone whatever belongs to the parent."""
        ...


class MemoryQueue:
    """Keeps at most `max_events`, and loses them with the process."""

    def __init__(self, max_events: int) -> None:
        self._max_events = max_events
        self._lines: deque[bytes] = deque()
        self._lock = threading.Lock()

    def append(self, line: bytes) -> None:
        with self._lock:
            if len(self._lines) >= self._max_events:
                raise BufferFull(
                    f"{self._max_events} events are waiting in memory and there is no spool_dir for more; "
                    "this event was not taken."
                )
            self._lines.append(line)

    def take(self, most_events: int) -> Batch:
        lines: list[bytes] = []
        size_bytes = 0
        with self._lock:
            for line in self._lines:
                size_bytes += len(line) + 1
                if len(lines) == most_events or size_bytes > MAX_BATCH_BYTES:
                    break
                lines.append(line)
        return Batch(tuple(lines), len(lines))

    def drop(self, batch: Batch) -> None:
        with self._lock:
            for _ in range(batch.end):
                self._lines.popleft()

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass

    def abandon(self) -> None:
        pass
