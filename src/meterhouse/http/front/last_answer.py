"""The answer that ends a connection, as bytes: no route and no ASGI application is there to give it."""

import itertools
import secrets
from collections.abc import Sequence
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from meterhouse.http import problems
from meterhouse.model.errors import MeterhouseError

_PREFIX: Final = secrets.token_hex(4)
_count: Final = itertools.count()


def last_answer(error: MeterhouseError, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return a whole response with a new request id. headers: those that every response has."""
    request_id = f"req_{_PREFIX}{next(_count):08x}"
    status, body, extra = problems.render(error, request_id)
    every = [
        *headers,
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id.encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
        *((name.encode(), value.encode()) for name, value in extra.items()),
    ]
    lines = [b"%s: %s\r\n" % header for header in every]
    return b"".join([STATUS_LINE[status], *lines, b"\r\n", body])
