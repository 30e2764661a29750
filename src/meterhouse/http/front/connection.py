"""One connection: uvicorn's protocol with limits, and with Meterhouse's own answers to broken requests.

`tests/unit/test_uvicorn_methods.py` holds the parts of uvicorn that this module overrides or relies on.
"""

import asyncio
from time import monotonic
from typing import Any, Final

import httptools
from uvicorn._types import HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from meterhouse import telemetry
from meterhouse.http.front.bounds import LINGER_SECONDS, SWEEP_SECONDS, Reason, State
from meterhouse.http.front.flow import PipelineFlow
from meterhouse.http.front.front import Front
from meterhouse.http.front.head import body_too_large, headers_too_large, objection
from meterhouse.http.front.head import size as size_of
from meterhouse.http.front.last_answer import last_answer
from meterhouse.model.errors import BadRequest, MeterhouseError, Overloaded, RequestTimeout

_SLICE_BYTES: Final = 32_768
_NOTED: Final = frozenset((b"host", b"expect", b"content-length", b"transfer-encoding", b"upgrade"))
_FEW_DIGITS: Final = 4  # of a Content-Length that no limit can be below
_PIPELINED_BYTES: Final = 4_096  # memory that the objects of a waiting request take
_WITHOUT_HOST: Final = "1.0"


class _TurnedAway(Exception):
    """Stops the parser in the middle of a request that was refused."""


class Connection(HttpToolsProtocol):
    """Keeps the bounds of its `front`. A whole request in one small piece costs a few comparisons.

    since: when the present state began, by the monotonic clock: the loop's own has milliseconds.
    """

    def __init__(
        self,
        front: Front,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # Any: as uvicorn has it
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._front = front
        self._bounds = front.bounds
        self._slice_bytes = min(_SLICE_BYTES, front.bounds.header_bytes)
        self.address = ""
        self.since = monotonic()
        self._waits_for: object = None  # the scope whose headers, or the cycle whose body, is not whole
        self._received = 0  # bytes of that part so far
        self._held = 0  # bytes of requests that have no answer yet
        self._requests = 0
        self._hosts = 0
        self._is_plain = True  # no request of this connection had headers that need a closer look
        self._ends = False
        self._said_last = False
        self._unsent = 0
        self._unsent_since = 0.0

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = PipelineFlow(transport, self.pipeline)
        self.address = self.client[0] if self.client else ""
        self._front.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._front.closed(self)
        self._release()
        super().connection_lost(exc)

    def data_received(self, data: bytes | memoryview) -> None:
        """Parse at most one slice at a time, then bound the request that it leaves unfinished."""
        if len(data) > self._slice_bytes or self._ends:
            self._take_slices(data)
            return
        rest = data
        while True:
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:  # an offer, such as h2c; ignored (RFC 9110 §7.8)
                rest = rest[upgrade.args[0] :]
                if rest:
                    continue
            except httptools.HttpParserError:
                self.turn_away(Reason.MALFORMED, BadRequest())
                return
            break
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.scope is not self.scope:
            self._bound_headers(len(data))
        elif cycle.more_body:
            self._bound_body(cycle, len(data))

    def _take_slices(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        for start in range(0, len(data), self._slice_bytes):
            if self._ends or self.transport.is_closing():
                return  # the bytes of a refused client are discarded
            self.data_received(view[start : start + self._slice_bytes])

    # Bounds of one request

    def _bound_headers(self, size: int) -> None:
        """Count the bytes of headers that are not whole yet."""
        scope: HTTPScope | None = self.scope
        if scope is None:  # no request has begun
            return
        if self._waits_for is not scope:
            self._waits_for, self._received, self.since = scope, 0, monotonic()
        self._received += size
        if self._received > self._bounds.header_bytes or len(self.headers) > self._bounds.headers:
            self.turn_away(*headers_too_large(self._bounds))
        else:
            self._hold(size)

    def _bound_body(self, cycle: RequestResponseCycle, size: int) -> None:
        """Count the bytes of a body that is not whole yet, with the framing of its chunks and trailers."""
        if self._waits_for is not cycle:
            self._waits_for, self._received = cycle, 0
            if not cycle.response_complete:
                self.since = monotonic()
        self._received += size
        if self._received > self._bounds.body_bytes + self._slice_bytes:  # the first slice has headers too
            self.turn_away(*body_too_large(self._bounds))
        elif len(self.headers) > self._bounds.headers:  # the trailers
            self.turn_away(*headers_too_large(self._bounds))
        elif not cycle.response_complete:
            self._hold(size)

    def on_header(self, name: bytes, value: bytes) -> None:
        """As uvicorn's, and note whether the headers need a closer look."""
        name = name.lower()
        if name in _NOTED:
            if name == b"host":
                self._hosts += 1
            elif name == b"expect":
                self.expect_100_continue = value.lower() == b"100-continue"
            elif name != b"content-length" or len(value) > _FEW_DIGITS:
                self._is_plain = False
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Check a request's headers as a whole, then let uvicorn start it."""
        bounds = self._bounds
        if (
            self._hosts != 1
            or not self._is_plain
            or self._ends
            or self._waits_for is self.scope
            or len(self.headers) > bounds.headers
        ):
            self._check_headers()
        self._hosts = 0
        super().on_headers_complete()
        self.headers = []  # takes the trailers, which no route sees
        self._requests += 1
        if self._requests >= bounds.connection_requests:
            self.cycle.keep_alive = False
        if self.pipeline:
            self._hold(_PIPELINED_BYTES)

    def _check_headers(self) -> None:
        """Look at headers that are not plain. Raises _TurnedAway."""
        lacks_host = self.parser.get_http_version() == _WITHOUT_HOST
        wrong = objection(self.headers, self._bounds, may_lack_host=lacks_host)
        # They came in several slices, of which the last has bytes of the body too.
        if self._waits_for is self.scope and size_of(self.url, self.headers) > self._bounds.header_bytes:
            wrong = headers_too_large(self._bounds)
        if wrong is not None:
            self.turn_away(*wrong)
        if self._ends:
            raise _TurnedAway

    def _should_upgrade(self) -> bool:
        return False

    def on_response_complete(self) -> None:
        """As uvicorn's, without its timer: the sweep ends idle connections."""
        self.server_state.total_requests += 1
        if self._held and not self.pipeline:
            self._release()
        if self.transport.is_closing():
            return
        self.since = monotonic()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._ends:
            self.transport.close()
        else:
            self.flow.resume_reading()

    # Bytes in memory

    def _hold(self, size: int) -> None:
        self._held += size
        self._front.held_bytes += size
        if self._front.held_bytes > self._bounds.requests_bytes:
            error = Overloaded("Too many bytes of requests are in memory; send the same request again.")
            self.turn_away(Reason.MEMORY_FULL, error)

    def _release(self) -> None:
        self._front.held_bytes -= self._held
        self._held = 0

    # The end

    def state(self) -> State:
        cycle: RequestResponseCycle | None = self.cycle
        scope: HTTPScope | None = self.scope
        if self._ends:
            return State.REFUSED if self._said_last else State.ANSWERING
        if scope is not None and (cycle is None or cycle.scope is not scope):
            return State.HEADERS
        if cycle is None or cycle.response_complete:
            return State.IDLE
        return State.BODY if cycle.more_body else State.ANSWERING

    def check(self, now: float) -> None:
        """End the connection if its present state has lasted too long."""
        bounds, state, seconds = self._bounds, self.state(), now - self.since
        if self._is_unread(now):
            telemetry.http_turned_away.labels(Reason.ANSWER_UNREAD.value).inc()
            self.transport.abort()
        elif state is State.IDLE and seconds > bounds.idle_seconds:
            self.close()
        elif state is State.REFUSED and seconds > LINGER_SECONDS:
            self.transport.abort()
        elif state not in (State.HEADERS, State.BODY):
            return
        elif self.flow.read_paused or (state is State.BODY and self.cycle.waiting_for_100_continue):
            self.since = min(now, self.since + SWEEP_SECONDS)  # the client waits for the server
        elif state is State.HEADERS and seconds > bounds.header_seconds:
            self._too_slow(Reason.HEADERS_TOO_SLOW, "headers", bounds.header_seconds)
        elif state is State.BODY and seconds > bounds.body_seconds:
            self._too_slow(Reason.BODY_TOO_SLOW, "body", bounds.body_seconds)

    def close(self) -> None:
        if self._unsent:
            self.transport.abort()  # `close` would wait until the client reads
        else:
            self.transport.close()

    def turn_away(self, reason: Reason, error: MeterhouseError) -> None:
        """Answer an error in the place of the unfinished request, and take no further one.

        Where earlier requests are still being answered, their answers are the connection's last.
        """
        if self._ends or self.transport.is_closing():
            return
        telemetry.http_turned_away.labels(reason.value).inc()
        state = self.state()
        cycle: RequestResponseCycle | None = self.cycle
        self._ends = True
        self.since = monotonic()
        if state is State.BODY and self.pipeline:
            self.pipeline.popleft()  # the refused request; those before it are answered
        elif cycle is not None and cycle.more_body and state in (State.BODY, State.IDLE):
            cycle.disconnected = True  # its route reads and writes no further
            cycle.message_event.set()
            cycle.body = bytearray()
            if cycle.response_started:
                self._linger()
            else:
                self._say(error)
        elif state is not State.ANSWERING and (cycle is None or cycle.response_complete):
            self._say(error)

    def _say(self, error: MeterhouseError) -> None:
        """Write an error as the last answer."""
        self.transport.write(last_answer(error, self.server_state.default_headers))
        self._linger()

    def _linger(self) -> None:
        """Send the end, and discard the client's bytes for a moment: a reset could overtake the answer
        (RFC 9112 §9.6)."""
        self._said_last = True
        self._release()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _is_unread(self, now: float) -> bool:
        """Whether the client has read nothing of its answer for too long."""
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        return unsent > 0 and now - self._unsent_since > self._bounds.unread_seconds

    def _too_slow(self, reason: Reason, part: str, seconds: int) -> None:
        self.turn_away(reason, RequestTimeout(f"The {part} did not arrive within {seconds} s; send faster."))
