"""The front of the server, plain ASGI: paths, HEAD, request ids, errors, metrics; hot routes; the framework.

Hot routes are answered here, because the framework costs more than storing an event (design §5). All other
requests go to the framework. Both paths share the functions of `auth`, `body` and `problems`.
"""

import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import structlog
from msgspec import Struct

from meterhouse import telemetry
from meterhouse.http import problems
from meterhouse.model.errors import MeterhouseError

ASGIScope = MutableMapping[str, Any]  # Any: as the ASGI specification has it
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[ASGIScope, Receive, Send], Awaitable[None]]

_SLASHES: Final = re.compile("/{2,}")
_CLIENT_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
_SAFETY_HEADERS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
"""Of every answer: it may have secrets and figures, and it is of the type that it says."""
_logger = structlog.get_logger()


class Request(Struct, gc=False):
    """The parts of a request that hot routes read."""

    headers: dict[bytes, bytes]
    receive: Receive
    query: bytes


class Answer(Struct, gc=False):
    """A whole JSON response."""

    status: int
    body: bytes


HotRoute = Callable[[Request], Awaitable[Answer]]


class Edge:
    """An ASGI application that answers `hot` routes, by method and path, and hands all others to `framework`.

    `//` and a trailing slash name the same path as without them; HEAD is answered as GET without the body.
    allow: returns the value of a path's Allow header, empty for an unknown path; it answers OPTIONS.
    """

    def __init__(
        self, hot: Mapping[tuple[str, str], HotRoute], allow: Callable[[str], str], framework: ASGIApp
    ) -> None:
        self._hot = hot
        self._allow = allow
        self._framework = framework
        self._prefix = secrets.token_hex(4)
        self._count = itertools.count()

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._framework(scope, receive, send)
            return
        path: str = scope["path"]
        if "//" in path or path.endswith("/", 1):
            scope, path = _with_plain_path(scope)
        if scope["method"] == "HEAD":
            scope, send = _as_get(scope, send)
        headers = dict(scope["headers"])
        request_id = self._request_id(headers)
        hot = self._hot.get((scope["method"], path))
        if hot is not None:
            await self._answer_hot(
                hot, Request(headers, receive, scope["query_string"]), path, request_id, send
            )
        elif scope["method"] == "OPTIONS" and (allowed := self._allow(path)):
            headers_out = [(b"allow", allowed.encode()), (b"x-request-id", request_id), *_SAFETY_HEADERS]
            await send({"type": "http.response.start", "status": 204, "headers": headers_out})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._hand_on(scope, receive, send, request_id)

    async def _answer_hot(
        self, route: HotRoute, request: Request, path: str, request_id: bytes, send: Send
    ) -> None:
        started = time.perf_counter()
        extra: list[tuple[bytes, bytes]] = []
        try:
            answer = await route(request)
        except ConnectionError:  # the client went away before its body was whole
            return
        except MeterhouseError as error:
            answer, extra = _problem(error, request_id)
            problems.let_go(error)
        except Exception as error:
            _logger.exception("request_failed", path=path, request_id=request_id.decode())
            answer, extra = _problem(MeterhouseError(), request_id)
            problems.let_go(error)
        telemetry.observe_request(path, answer.status, time.perf_counter() - started)
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", b"%d" % len(answer.body)),
                    (b"x-request-id", request_id),
                    *_SAFETY_HEADERS,
                    *extra,
                ],
            }
        )
        await send({"type": "http.response.body", "body": answer.body})

    async def _hand_on(self, scope: ASGIScope, receive: Receive, send: Send, request_id: bytes) -> None:
        started = time.perf_counter()
        scope.setdefault("state", {})["request_id"] = request_id.decode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = dict(message["headers"])  # files of the dashboard may be kept
                added = [header for header in _SAFETY_HEADERS if header[0] not in own]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id), *added]
                route = scope.get("path_template") or "unmatched"
                telemetry.observe_request(route, message["status"], time.perf_counter() - started)
            await send(message)

        await self._framework(scope, receive, send_with_id)

    def _request_id(self, headers: dict[bytes, bytes]) -> bytes:
        """Return the client's own id where it is harmless in a log, else a new one."""
        given = headers.get(b"x-request-id")
        if given is not None and _CLIENT_REQUEST_ID.fullmatch(given):
            return given
        return f"req_{self._prefix}{next(self._count):08x}".encode()


def _with_plain_path(scope: ASGIScope) -> tuple[ASGIScope, str]:
    """Return the request without doubled and trailing slashes in its path: clients join base URLs that end
    in a slash (contract §1)."""
    path = _plain(scope["path"])
    raw = _plain(scope["raw_path"].decode("latin-1")).encode("latin-1")
    return {**scope, "path": path, "raw_path": raw}, path


def _plain(path: str) -> str:
    return _SLASHES.sub("/", path).rstrip("/") or "/"


def _as_get(scope: ASGIScope, send: Send) -> tuple[ASGIScope, Send]:
    """Return a HEAD request as the GET that it asks about, and a `send` that leaves out the body
    (RFC 9110 §9.3.2)."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return {**scope, "method": "GET"}, send_head


def _problem(error: MeterhouseError, request_id: bytes) -> tuple[Answer, list[tuple[bytes, bytes]]]:
    status, body, headers = problems.render(error, request_id.decode())
    return Answer(status, body), [(name.encode(), value.encode()) for name, value in headers.items()]
