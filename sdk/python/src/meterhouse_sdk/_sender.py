"""The background thread: takes batches, sends them, notes the answers; waits while the server is away."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from meterhouse_sdk._answers import EventResult
from meterhouse_sdk._client import Meterhouse
from meterhouse_sdk._error import FieldError, MeterhouseError
from meterhouse_sdk._errors import PayloadTooLarge
from meterhouse_sdk._lanes import Spool
from meterhouse_sdk._new_event import from_line
from meterhouse_sdk._outbox import Outbox, RejectedEvent
from meterhouse_sdk._protocol import RetryPolicy
from meterhouse_sdk._publish import publish_lines
from meterhouse_sdk._queue import Queue
from meterhouse_sdk._spool import Lane  # noqa: TC001 - as the other modules are imported

WHILE_AWAY: Final = RetryPolicy(
    max_retries=2**63, first_wait_seconds=0.5, longest_wait_seconds=30.0, longest_retry_after_seconds=600.0
)
_SYNC_SECONDS: Final = 1.0  # how old the last sync may be when a request begins, or the server is away
_ADOPT_SECONDS: Final = 30.0  # how often to look for lanes of processes that died
_logger: Final = logging.getLogger("meterhouse_sdk")


class _Sendable(Struct, rename="camel"):
    """The least a line must have: without a key it could be counted twice."""

    idempotency_key: str


_sendable: Final = msgspec.json.Decoder(_Sendable)


class Sender:
    """What the thread does, in `run`; it ends when the outbox is closing.

    spool: has the lanes that ended processes have left; None without a spool.
    report: is told of every rejected event, in this thread, before the event is given up.
    """

    def __init__(
        self,
        outbox: Outbox,
        connect: Callable[[], Meterhouse],
        spool: Spool | None,
        report: Callable[[RejectedEvent], object],
    ) -> None:
        self._outbox = outbox
        self._connect = connect
        self._spool = spool
        self._report = report
        self._client: Meterhouse | None = None
        self._foreign: list[Lane] = []
        self._own_turn = True
        self._failures = 0
        self._told: type[Exception] | None = None
        self._most_events = outbox.limits.max_batch_events
        self._adopt_at = 0.0
        self._sync_at = 0.0

    def run(self) -> None:
        try:
            while not self._finished():
                self._step()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        for queue in (self._outbox.queue, *self._foreign):
            try:
                queue.sync()
                queue.close()
            except OSError:
                _logger.exception("the spool could not be closed")
        if self._client is not None:
            self._client.close()

    def abandon(self) -> None:
        """In a forked child: let go of the parent's files."""
        for queue in (self._outbox.queue, *self._foreign):
            queue.abandon()

    def _step(self) -> None:
        try:
            if time.monotonic() >= max(self._adopt_at, self._outbox.retry_at):
                self._look_for_orphans()
            queue = self._due()
            if queue is None:
                self._rest()
            else:
                self._sync()
                self._send(queue)
        except Exception as error:  # noqa: BLE001 - the thread must outlive every error; the events wait
            self._failed(error)

    def _finished(self) -> bool:
        outbox = self._outbox
        with outbox.lock:
            if not outbox.closing:
                return False
            nothing_waits = outbox.waiting_events() == 0 and outbox.foreign_events == 0
            return nothing_waits or outbox.gave_up or time.monotonic() >= outbox.close_by

    def _look_for_orphans(self) -> None:
        """Adopt lanes. Raises MeterhouseError when the server must name the provider first and is away."""
        if self._spool is not None:
            self._client = self._client or self._connect()
            self._foreign.extend(self._spool.orphans(self._client))
        self._adopt_at = time.monotonic() + _ADOPT_SECONDS
        self._outbox.found(self._foreign_events())

    def _due(self) -> Queue | None:
        """Return the queue whose turn it is; None when no batch is due now. Both get their turns."""
        if self._seconds_to_rest() != 0:
            return None
        own_is_due = self._outbox.due_in_seconds() == 0
        self._own_turn = own_is_due and (self._own_turn or not self._foreign)
        queue = self._outbox.queue if self._own_turn else self._foreign[0]
        self._own_turn = not self._own_turn
        return queue

    def _seconds_to_rest(self) -> float | None:
        """Return 0 when a batch is due; None when there is nothing to wait for but new events."""
        with self._outbox.lock:
            backing_off = max(0.0, self._outbox.retry_at - time.monotonic())
            if self._foreign:
                return backing_off
            due = self._outbox.due_in_seconds()
            return due if due is None else max(due, backing_off)

    def _rest(self) -> None:
        outbox = self._outbox
        away = outbox.last_error is not None
        if away:
            self._sync()
        with outbox.lock:
            seconds = self._seconds_to_rest()
            if seconds == 0 or outbox.closing:
                return
            longest = max(0.0, (self._sync_at if away else self._adopt_at) - time.monotonic())
            outbox.work.wait(longest if seconds is None else min(seconds, longest))

    def _sync(self) -> None:
        if time.monotonic() >= self._sync_at:
            self._outbox.queue.sync()
            self._sync_at = time.monotonic() + _SYNC_SECONDS

    def _send(self, queue: Queue) -> None:
        self._client = self._client or self._connect()
        self._outbox.taking()
        batch = queue.take(self._most_events)
        own = queue is self._outbox.queue
        if not batch.lines:
            self._finish_lane(own=own)
            return
        lines = [line for line in batch.lines if _is_sendable(line)]
        rejected = [_damaged(line) for line in batch.lines if line and not _is_sendable(line)]
        try:
            results = self._client.carry_out(publish_lines(lines)) if lines else ()
        except PayloadTooLarge as error:
            if len(lines) > 1:  # a proxy takes less than the server does
                self._most_events = len(lines) // 2
                return
            results = (EventResult(status="rejected", code=error.code, errors=_errors(error)),)
        self._recovered()
        rejected += _rejected(lines, results)
        for each in rejected:
            self._tell(each)
        queue.drop(batch)
        if self._spool is not None:
            self._spool.note_provider(self._client)
        delivered = sum(result.status != "rejected" for result in results)
        self._outbox.settle(len(batch.lines) * own, self._foreign_events(), rejected, delivered)

    def _finish_lane(self, *, own: bool) -> None:
        if own:
            raise OSError("Events have gone from the spool; did something else write or delete there?")
        self._foreign.pop(0).close()
        self._outbox.found(self._foreign_events())

    def _foreign_events(self) -> int:
        return sum(max(1, lane.waiting_events()) for lane in self._foreign)

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        asked = error.retry_after_seconds if isinstance(error, MeterhouseError) else None
        longest = WHILE_AWAY.longest_retry_after_seconds
        wait_seconds = WHILE_AWAY.wait_seconds(self._failures, None if asked is None else min(asked, longest))
        if type(error) is not self._told:
            self._told = type(error)
            _logger.warning("events are not delivered and wait: %s", error, exc_info=_surprise(error))
        self._outbox.failed(error, wait_seconds or 0.0)

    def _recovered(self) -> None:
        if self._failures:
            _logger.info("events are delivered again, after %d failures", self._failures)
        self._failures, self._told = 0, None
        self._most_events = min(self._outbox.limits.max_batch_events, 2 * self._most_events)

    def _tell(self, rejected: RejectedEvent) -> None:
        faults = "; ".join(map(str, rejected.errors))
        _logger.warning("the server rejected an event: %s: %s", rejected.code, faults)
        try:
            self._report(rejected)
        except Exception:
            _logger.exception("on_rejected failed")


def _is_sendable(line: bytes) -> bool:
    try:
        _sendable.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _damaged(line: bytes) -> RejectedEvent:
    fault = FieldError("", f"{len(line)} bytes of the spool are no event: a power cut, or another writer")
    return RejectedEvent(None, line, "damaged_spool", (fault,))


def _rejected(lines: Sequence[bytes], results: Sequence[EventResult]) -> list[RejectedEvent]:
    return [
        RejectedEvent(from_line(line), line, result.code or "rejected", result.errors)
        for line, result in zip(lines, results, strict=True)
        if result.status == "rejected"
    ]


def _errors(error: MeterhouseError) -> tuple[FieldError, ...]:
    return error.errors or (FieldError("", error.message),)


def _surprise(error: Exception) -> Exception | None:
    """Errors that are not ours are bugs: their traceback belongs in the log."""
    return None if isinstance(error, MeterhouseError) else error
