"""Checks of the headers of a request. Pure: no connection, no clock."""

from collections.abc import Sequence
from typing import Final

from meterhouse.http.front.bounds import Bounds, Reason
from meterhouse.model.errors import BadRequest, HeadersTooLarge, MeterhouseError, PayloadTooLarge

Headers = Sequence[tuple[bytes, bytes]]
Objection = tuple[Reason, MeterhouseError]

_AROUND_BYTES: Final = 4  # ": " and the end of a header's line


def objection(headers: Headers, bounds: Bounds, *, may_lack_host: bool) -> Objection | None:
    """Return why a request's headers are refused, None where they are fine. Names are in lower case.

    may_lack_host: the request is of HTTP/1.0. The parser has refused a Content-Length that is no number.
    """
    names = [name for name, _ in headers]
    if len(names) > bounds.headers:
        return headers_too_large(bounds)
    if names.count(b"host") != 1 and (b"host" in names or not may_lack_host):
        return Reason.MALFORMED, BadRequest("Send exactly one Host header.")
    if b"transfer-encoding" in names and _values(headers, b"transfer-encoding") != [b"chunked"]:
        sentence = (
            "Transfer-Encoding must be chunked alone; say with Content-Encoding how a body is compressed."
        )
        return Reason.MALFORMED, BadRequest(sentence)
    if b"content-length" in names and int(_values(headers, b"content-length")[0]) > bounds.body_bytes:
        return body_too_large(bounds)
    if b"upgrade" in names and b"websocket" in _values(headers, b"upgrade"):
        return Reason.WEBSOCKET, BadRequest("This server has no WebSocket; send requests of HTTP/1.1.")
    return None


def size(url: bytes, headers: Headers) -> int:
    """Return about how many bytes a request's first line and headers take."""
    return len(url) + sum(len(name) + len(value) + _AROUND_BYTES for name, value in headers)


def headers_too_large(bounds: Bounds) -> Objection:
    sentence = (
        f"A request may have at most {bounds.headers} headers, and {bounds.header_bytes} bytes in its first "
        "line and headers; send fewer."
    )
    return Reason.HEADERS_TOO_LARGE, HeadersTooLarge(sentence)


def body_too_large(bounds: Bounds) -> Objection:
    return Reason.BODY_TOO_LARGE, PayloadTooLarge(
        f"A body may have at most {bounds.body_bytes} bytes, as it is sent; send less at once."
    )


def _values(headers: Headers, wanted: bytes) -> list[bytes]:
    return [value.strip().lower() for name, value in headers if name == wanted]
