"""A server of a few lines that counts each key once; in this process, or on a port for other processes."""

import gzip
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import httpx

from meterhouse_sdk import EventBuffer, Meterhouse

NEVER = 3_600.0  # a delay that no test waits for
KEY = "sk_sandbox_0123456789"
Server = Callable[[httpx.Request], httpx.Response]
WAIT_SECONDS = 30.0  # for what happens at once; a test that waits so long fails


class StandIn:
    """away: answers 503. unknown: customers it rejects. most_bytes: above it, 413.

    provider: the provider of every key, as `/v1/sdk/platform-config` answers.
    """

    provider: ClassVar = {"providerRef": "prv_1", "environment": "sandbox"}

    def __init__(self) -> None:
        self.away = False
        self.unknown: set[str] = set()
        self.most_bytes = 10_000_000
        self.events: dict[str, dict[str, Any]] = {}  # Any: JSON
        self.sent: Counter[str] = Counter()  # how often each key came
        self.batches: list[int] = []
        self.refused_requests = 0
        self._changed = threading.Condition()

    def client(self) -> Meterhouse:
        return Meterhouse("sk_sandbox_1", "http://stand.in", transport=httpx.MockTransport(self._handle))

    def wait_for(self, happened: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(happened, WAIT_SECONDS)

    def answer(self, body: bytes) -> tuple[int, dict[str, Any]]:
        with self._changed:
            self._changed.notify_all()
            if self.away or len(body) > self.most_bytes:
                self.refused_requests += 1
                return (
                    (503, {}) if self.away else (413, {"code": "payload_too_large", "message": "Too large"})
                )
            results = [self._store(json.loads(line)) for line in body.splitlines()]
            self.batches.append(len(results))
            return 200, {"stored": 0, "duplicates": 0, "rejected": 0, "results": results}

    def _store(self, event: dict[str, Any]) -> dict[str, Any]:
        key = event["idempotencyKey"]
        self.sent[key] += 1
        if event.get("customerRef") in self.unknown:
            errors = [{"path": "customerRef", "message": "Customer not found"}]
            return {"status": "rejected", "code": "customer_not_found", "errors": errors}
        status = "duplicate" if key in self.events else "stored"
        self.events.setdefault(key, event)
        return {"status": status, "eventId": f"evt_{key}"}

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(503) if self.away else httpx.Response(200, json=self.provider)
        status, answer = self.answer(plain(request.headers.get("content-encoding"), request.read()))
        return httpx.Response(status, json=answer)


class StandInOnPort(StandIn):
    """The same on a free port of 127.0.0.1."""

    def __enter__(self) -> Self:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(*stand_in.answer(plain(self.headers.get("Content-Encoding"), body)))

            def do_GET(self) -> None:
                self._answer(503 if stand_in.away else 200, stand_in.provider)

            def _answer(self, status: int, answer: object) -> None:
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def plain(encoding: str | None, body: bytes) -> bytes:
    return gzip.decompress(body) if encoding == "gzip" else body


@contextmanager
def opened(
    stand_in: StandIn, spool_dir: Path | None = None, **knobs: Any
) -> Iterator[EventBuffer]:  # Any: knobs
    """Sends only when a batch is full, or when asked to, unless the knobs say otherwise."""
    buffer = EventBuffer(stand_in.client(), spool_dir=spool_dir, **({"max_delay_seconds": NEVER} | knobs))
    try:
        yield buffer
    finally:
        stand_in.away = False
        stand_in.most_bytes = 10_000_000
        buffer.close(WAIT_SECONDS)


def add(buffer: EventBuffer, units: object = 1, **fields: Any) -> str:  # Any: fields of an event
    plain: dict[str, Any] = {"type": "usage.api_call", "customer_ref": "cus_1", "units": units}
    return buffer.add(**(plain | fields))


def blocking(server: Server) -> tuple[Meterhouse, list[float]]:
    waits: list[float] = []
    return Meterhouse(KEY, "http://h", transport=httpx.MockTransport(server), sleep=waits.append), waits


def problem(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"statusCode": status, "code": code, "message": code})
