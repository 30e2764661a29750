"""Publishing without waiting: events are taken at once and sent in bulk by a background thread."""

import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from meterhouse_sdk._client import Meterhouse
from meterhouse_sdk._errors import BufferClosed, NotDelivered
from meterhouse_sdk._exit import at_exit, not_at_exit
from meterhouse_sdk._lanes import Spool
from meterhouse_sdk._new_event import NewEvent, to_line
from meterhouse_sdk._outbox import Limits, Outbox, RejectedEvent
from meterhouse_sdk._publish import MAX_BULK_EVENTS, new_key
from meterhouse_sdk._queue import MemoryQueue, Queue
from meterhouse_sdk._sender import Sender
from meterhouse_sdk._settings import Settings

_GRACE_SECONDS: Final = 0.5  # for the thread to end after its deadline
_logger: Final = logging.getLogger("meterhouse_sdk")


class EventBuffer:
    """Takes events at once, from any thread or from asyncio, and delivers each exactly once.

    With a `spool_dir` an event is on disk before `add` returns: it survives the death of the process, and
    is sent by the next process that opens a buffer on that directory (at the start, and every 30 s).
    A power cut may lose what was added within the last second, or `max_delay_seconds` where that is longer;
    while a request waits for its answer, what was added since it began, too. Without one, what waits is lost
    with the process.

    client: where to, also the `settings` of an AsyncMeterhouse; None: as `Meterhouse()`, from the
        environment. The buffer uses connections of its own.
    spool_dir: on a local disk. Providers, and sandbox and live, are kept apart in it.
    max_batch_events, max_delay_seconds: a batch is sent when so many wait, or the oldest has so long.
    max_memory_events: how many may wait without a spool_dir. With one, memory holds a single batch.
    max_spool_bytes: how much may wait on disk, for each process.
    on_rejected: told of each event the server refuses for good, in the background thread; it may add
        events, but not flush.
    exit_timeout_seconds: how long the end of the process may be held up to deliver the rest: its normal
        end, and SIGTERM where the program has no handler for it and makes the buffer in its main thread.

    A forked child has a buffer of its own, empty; what waits in the parent is sent by the parent.
    """

    def __init__(  # noqa: PLR0913 - every knob by its name
        self,
        client: Meterhouse | Settings | None = None,
        *,
        spool_dir: str | os.PathLike[str] | None = None,
        max_batch_events: int = 1_000,
        max_delay_seconds: float = 1.0,
        max_memory_events: int = 100_000,
        max_spool_bytes: int = 1 << 30,
        on_rejected: Callable[[RejectedEvent], object] | None = None,
        exit_timeout_seconds: float = 5.0,
    ) -> None:
        """Raises OSError where the spool_dir cannot be used, AuthenticationError without a key."""
        if not 1 <= max_batch_events <= MAX_BULK_EVENTS:
            raise ValueError(f"max_batch_events must be 1 to {MAX_BULK_EVENTS}, the most a request takes")
        if max_delay_seconds < 0 or max_memory_events < 1 or max_spool_bytes < 1:
            raise ValueError("max_delay_seconds must be 0 or more, the other bounds 1 or more")
        self._client = client if isinstance(client, Meterhouse) else _client(client)
        self._spool = None
        if spool_dir is not None:
            self._spool = Spool(Path(spool_dir), self._client.settings, max_spool_bytes)
        self._limits = Limits(max_batch_events, max_delay_seconds)
        self._max_memory_events = max_memory_events
        self._on_rejected = on_rejected
        self._exit_timeout_seconds = exit_timeout_seconds
        self._closed = False
        self._reported_rejections = 0
        self._forget()
        outbox = self._open()
        if self._spool is not None:
            self._start(outbox)  # to send what other processes left behind
        at_exit(self._close_at_exit)
        if sys.platform != "win32":
            os.register_at_fork(after_in_child=_Forked(self))

    def add(  # noqa: PLR0913 - the fields of an event
        self,
        *,
        type: str,  # noqa: A002 - the field's name everywhere
        customer_ref: str | None = None,
        external_ref: str | None = None,
        units: int | Decimal,
        product_ref: str | None = None,
        timestamp: datetime | None = None,
        idempotency_key: str | None = None,
        properties: Mapping[str, Any] | None = None,  # Any: JSON
    ) -> str:
        """Take one event and return its idempotency key; never waits for the network.

        See `NewEvent` for the fields. Without a timestamp it happened now; that time is no part of its
        meaning, so the same key again is the same event. Without a key it gets one now, so that it counts
        once however often it is sent.

        Raises TypeError, ValidationFailed, BufferFull, BufferClosed: the event was not taken.
        """
        event = NewEvent(
            type=type,
            customer_ref=customer_ref,
            external_ref=external_ref,
            units=units,
            product_ref=product_ref,
            timestamp=timestamp,
            buffered_at=datetime.now(UTC) if timestamp is None else None,
            idempotency_key=new_key() if idempotency_key is None else idempotency_key,
            properties=properties,
        )
        outbox = self._outbox or self._open()
        outbox.add(to_line(event))
        if self._thread is None:
            self._start(outbox)
        return event.idempotency_key or ""

    def flush(self, timeout_seconds: float = 30.0) -> None:
        """Return when the server has stored every event added before, and every one found in the spool.

        Blocks; from asyncio, `await asyncio.to_thread(buffer.flush)`. Tries at once, also while backing off.
        Raises NotDelivered: some still wait after `timeout_seconds`, or the server has rejected some since
        the last flush. Waiting ones go on being sent.
        """
        outbox = self._outbox or self._open()
        deadline = time.monotonic() + timeout_seconds
        self._start(outbox)
        with outbox.lock:
            target = outbox.hurry()
            while not outbox.settled(target) and (remaining := deadline - time.monotonic()) > 0:
                outbox.progress.wait(remaining)
            rejected = outbox.rejected_events - self._reported_rejections
            self._reported_rejections = outbox.rejected_events
            if rejected or not outbox.settled(target):
                raise _not_delivered(outbox.unsettled(target), rejected, outbox)

    def close(self, timeout_seconds: float = 5.0) -> int:
        """Take no more events and deliver what waits; return how many stay on disk for the next process.

        Gives up at the first failure, or after `timeout_seconds`. Again is a no-op that returns 0.
        Raises NotDelivered where events are lost, since there is no spool_dir.
        """
        if self._closed:
            return 0
        self._closed = True
        not_at_exit(self._close_at_exit)
        outbox, thread = self._outbox, self._thread
        if outbox is None:
            return 0
        outbox.close(time.monotonic() + timeout_seconds)
        if thread is None:
            outbox.queue.close()
        else:
            thread.join(timeout_seconds + _GRACE_SECONDS)
        waiting = outbox.waiting_events()
        if waiting and self._spool is None:
            raise _not_delivered(waiting, 0, outbox)
        return waiting

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def waiting_events(self) -> int:
        """Events added in this process that the server has not answered for yet."""
        return 0 if self._outbox is None else self._outbox.waiting_events()

    @property
    def delivered_events(self) -> int:
        """Events the server has stored, those found in the spool included."""
        return 0 if self._outbox is None else self._outbox.delivered_events

    @property
    def rejected_events(self) -> int:
        """Events the server has refused for good."""
        return 0 if self._outbox is None else self._outbox.rejected_events

    @property
    def rejected(self) -> Sequence[RejectedEvent]:
        """The last 1000 rejected events, with the reasons."""
        return () if self._outbox is None else tuple(self._outbox.rejected)

    @property
    def last_error(self) -> Exception | None:
        """Why events are waiting; None while the server takes them."""
        return None if self._outbox is None else self._outbox.last_error

    def _forget(self) -> None:
        """Begin with nothing, in a new process."""
        self._outbox: Outbox | None = None
        self._sender: Sender | None = None
        self._thread: threading.Thread | None = None
        self._opening = threading.RLock()
        self._reported_rejections = 0

    def _open(self) -> Outbox:
        """Return the outbox of this process, made when it is first needed."""
        with self._opening:
            if self._closed:
                raise BufferClosed("The buffer was closed; this event was not taken.")
            if self._outbox is None:
                self._outbox = Outbox(self._queue(), self._limits)
            return self._outbox

    def _queue(self) -> Queue:
        if self._spool is None:
            return MemoryQueue(self._max_memory_events)
        return self._spool.create()

    def _start(self, outbox: Outbox) -> None:
        with self._opening:
            if self._thread is not None or self._closed:
                return
            connect = self._client.without_retries
            self._sender = Sender(outbox, connect, self._spool, self._on_rejected or _ignore)
            thread = threading.Thread(target=self._sender.run, name="meterhouse-buffer", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the interpreter is ending
                outbox.failed(error, 0.0)
            else:
                self._thread = thread

    def _close_at_exit(self) -> None:
        try:
            left = self.close(self._exit_timeout_seconds)
        except NotDelivered as error:
            _logger.error(  # noqa: TRY400 - the sentence says it all
                "%d events are lost, since the process ends and there is no spool_dir: %s",
                error.waiting_events,
                error,
            )
        else:
            if left:
                _logger.warning(
                    "%d events wait in %s, where they are kept for the next process", left, self._spool
                )

    def _after_fork(self) -> None:
        if self._sender is not None:
            self._sender.abandon()
        elif self._outbox is not None:
            self._outbox.queue.abandon()
        self._forget()


class _Forked:
    """Called in a forked child, before anything else runs there; keeps no buffer alive."""

    def __init__(self, buffer: EventBuffer) -> None:
        self._buffer = weakref.ref(buffer)

    def __call__(self) -> None:
        buffer = self._buffer()
        if buffer is not None:
            buffer._after_fork()  # noqa: SLF001 - the other half of the same thing


def _client(settings: Settings | None) -> Meterhouse:
    if settings is None:
        return Meterhouse()
    return Meterhouse(settings.api_key, settings.base_url, timeout_seconds=settings.timeout_seconds)


def _not_delivered(waiting: int, rejected: int, outbox: Outbox) -> NotDelivered:
    parts = []
    if waiting or not rejected:
        parts.append(f"{waiting} events are not delivered yet ({outbox.last_error or 'out of time'})")
    if rejected:
        last = outbox.rejected[-1]
        parts.append(
            f"{rejected} were rejected, the last one for {last.code}: {'; '.join(map(str, last.errors))}"
        )
    failed = NotDelivered("; ".join(parts), waiting_events=waiting, rejected_events=rejected)
    failed.__cause__ = outbox.last_error
    return failed


def _ignore(_: RejectedEvent) -> None:
    """`EventBuffer.rejected` has it."""
