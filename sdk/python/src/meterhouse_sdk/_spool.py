"""Events that wait on disk: they outlive the process, and another process with the same provider sends them.

    <lane>/lock              held (flock) by the process that owns the lane
           00000001.ndjson   events, one a line, oldest first
           00000002.ndjson   …

`_lanes` says where lanes lie and which process may send which lane.

A lane belongs to one process at a time. The kernel releases its lock when the process dies, however it
dies; any other process may then adopt the lane. An event is written before `append` returns, by one
`write` into the page cache: the death of the process loses none. What a power cut may lose is what was
written since the last `sync`. A file is emptied or deleted once its events are answered for; after a crash
some of them may be sent again, with their keys, which count once.
"""

import logging
import os
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from meterhouse_sdk._errors import BufferFull
from meterhouse_sdk._queue import MAX_BATCH_BYTES, Batch

if sys.platform == "win32":

    def _take_lock(descriptor: int) -> None:  # noqa: ARG001 - as below
        raise OSError("a spool_dir needs flock, which Windows does not have")

else:
    import fcntl

    def _take_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_MAX_SEGMENT_BYTES: Final = 8 * 1024 * 1024
_SEGMENTS: Final = 8  # at least so many fit into the bound, so that space is given back while sending
_BYTES_PER_EVENT: Final = 512  # a guess of what to read for so many events
_MIN_READ_BYTES: Final = 64 * 1024  # more than the longest event has
_logger: Final = logging.getLogger("meterhouse_sdk")


class Segment(Struct):
    """One file of a lane. `descriptor` is open as long as something in it may not be synced."""

    path: Path
    size_bytes: int
    descriptor: int | None = None


class Lane:
    """The queue of one process on disk; see `_queue.Queue` for what its methods promise."""

    def __init__(self, directory: Path, lock: int, segments: list[Segment], max_bytes: int) -> None:
        self.directory = directory
        self._lock_descriptor: int | None = lock
        self._segments = deque(segments)
        self._max_bytes = max_bytes
        self._segment_bytes = min(_MAX_SEGMENT_BYTES, max(max_bytes // _SEGMENTS, 1))
        self._read_at = 0  # in the first segment
        self._size_bytes = sum(segment.size_bytes for segment in segments)
        self._synced = True
        self._number = len(segments)
        self._waiting_events = sum(_count_lines(segment.path) for segment in segments)
        self._lock = threading.Lock()

    @classmethod
    def create(cls, root: Path, max_bytes: int) -> "Lane":
        """Make a new lane of this process. Raises OSError where the directory does not allow it."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}"
        unfinished = root / f".{name}"  # nobody adopts it before it is locked
        unfinished.mkdir(mode=0o700)
        lock = os.open(unfinished / "lock", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        _take_lock(lock)
        return cls(unfinished.rename(root / name), lock, [], max_bytes)

    @classmethod
    def adopt(cls, directory: Path) -> "Lane | None":
        """Take over a lane whose process is gone; None where it is not, or somebody else was faster."""
        try:
            lock = os.open(directory / "lock", os.O_RDWR)
        except PermissionError:  # another user's
            return None
        except FileNotFoundError:
            with suppress(OSError):  # what is left of one that died while it closed
                directory.rmdir()
            return None
        try:
            _take_lock(lock)
            if os.path.samestat(os.fstat(lock), (directory / "lock").stat()):  # else: adopted and finished
                paths = sorted(directory.glob("*.ndjson"))
                return cls(directory, lock, [Segment(path, path.stat().st_size) for path in paths], 0)
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(lock)
        return None

    def append(self, line: bytes) -> None:
        with self._lock:
            if self._size_bytes + len(line) + 1 > self._max_bytes:
                raise BufferFull(
                    f"The spool {self.directory} has reached its {self._max_bytes} bytes; "
                    "this event was not taken."
                )
            try:
                self._write(line + b"\n")
            except OSError as error:
                raise BufferFull(
                    f"The spool cannot be written ({error}); this event was not taken."
                ) from error
            self._waiting_events += 1

    def _write(self, data: bytes) -> None:
        segment = self._segments[-1] if self._segments else None
        if segment is None or segment.descriptor is None or segment.size_bytes >= self._segment_bytes:
            segment = self._new_segment()
        assert segment.descriptor is not None  # noqa: S101 - a new one is open
        written_bytes = os.write(segment.descriptor, data)
        if written_bytes != len(data):  # the disk is full
            try:
                os.ftruncate(segment.descriptor, segment.size_bytes)
            except OSError:
                _close(segment)  # a torn line ends it; the next event begins a new one
            raise OSError(f"only {written_bytes} of {len(data)} bytes were written")
        segment.size_bytes += written_bytes
        self._size_bytes += written_bytes
        self._synced = False

    def _new_segment(self) -> Segment:
        self._number += 1
        path = self.directory / f"{self._number:08d}.ndjson"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        segment = Segment(path, 0, descriptor)
        self._segments.append(segment)
        return segment

    def take(self, most_events: int) -> Batch:
        with self._lock:
            self._delete_finished()
            if not self._segments:
                return Batch((), 0)
            head, start = self._segments[0], self._read_at
            available_bytes = head.size_bytes - start
        size_bytes = min(max(most_events * _BYTES_PER_EVENT, _MIN_READ_BYTES), MAX_BATCH_BYTES)
        with head.path.open("rb") as file:
            file.seek(start)
            chunk = file.read(min(available_bytes, size_bytes))
        *lines, rest = chunk.split(b"\n", most_events)
        if rest and len(lines) < most_events and (not lines or len(chunk) == available_bytes):
            lines.append(rest)  # torn by a power cut, or no line at all: the sender looks at what it is
            return Batch(tuple(lines), start + len(chunk))
        return Batch(tuple(lines), start + len(chunk) - len(rest))

    def drop(self, batch: Batch) -> None:
        with self._lock:
            self._read_at = batch.end
            self._waiting_events = max(0, self._waiting_events - len(batch.lines))
            self._delete_finished()

    def waiting_events(self) -> int:
        return self._waiting_events

    def sync(self) -> None:
        with self._lock:
            if self._synced:
                return
            self._synced = True
            full = [each for each in list(self._segments)[:-1] if each.descriptor is not None]
            descriptors = [os.dup(each.descriptor) for each in self._segments if each.descriptor is not None]
            for segment in full:
                _close(segment)
        descriptors.append(os.open(self.directory, os.O_RDONLY))  # the names of new files
        for descriptor in descriptors:
            os.fsync(descriptor)
            os.close(descriptor)

    def close(self) -> None:
        with self._lock:
            if self._lock_descriptor is None:
                return
            try:
                self._delete_finished()
                empty = self._size_bytes == self._read_at
                for segment in self._segments:
                    _close(segment)
                    if empty:
                        segment.path.unlink(missing_ok=True)
                if empty:
                    (self.directory / "lock").unlink(missing_ok=True)
                    with suppress(FileNotFoundError):  # who found no lock in it may have removed it
                        self.directory.rmdir()
            finally:
                os.close(self._lock_descriptor)
                self._lock_descriptor = None

    def abandon(self) -> None:
        for segment in self._segments:
            _close(segment)
        if self._lock_descriptor is not None:
            os.close(self._lock_descriptor)
            self._lock_descriptor = None

    def _delete_finished(self) -> None:
        """Give back the space of whatever is answered for; the file that is being written is emptied."""
        while self._segments and self._read_at >= self._segments[0].size_bytes:
            head = self._segments[0]
            if len(self._segments) == 1 and head.descriptor is not None:
                if self._read_at:
                    os.ftruncate(head.descriptor, 0)
                    self._size_bytes -= head.size_bytes
                    head.size_bytes = self._read_at = 0
                return
            _close(head)
            self._size_bytes -= head.size_bytes
            head.path.unlink(missing_ok=True)
            self._segments.popleft()
            self._read_at = 0


def orphans(root: Path) -> Iterator[Lane]:
    """Adopt, oldest first, every lane of a process that is gone."""
    for directory in sorted(root.glob("[0-9]*")):
        lane = Lane.adopt(directory)
        if lane is not None:
            _logger.info("adopted %d events from %s", lane.waiting_events(), directory)
            yield lane


def _close(segment: Segment) -> None:
    if segment.descriptor is not None:
        os.close(segment.descriptor)
        segment.descriptor = None


def _count_lines(path: Path) -> int:
    """Count events, a torn one at the end too."""
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            count += block.count(b"\n")
            last = block[-1:]
    return count + (last != b"\n")
