"""Reading a request's body: bounded, before and after decompression, and only in accepted types."""

import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import zstandard

from meterhouse import pools
from meterhouse.http import routing
from meterhouse.http.edge import Receive, Request
from meterhouse.model.errors import PayloadTooLarge, UnsupportedMediaType, ValidationFailed

SINGLE_BYTES: Final = 256 * 1024
BULK_BYTES: Final = 10 * 1024 * 1024
_INLINE_BYTES: Final = 64 * 1024  # a larger body is decompressed in a thread
_PIECE_BYTES: Final = 256  # may become 8 MB of zstd, whose objects cannot be given a limit
_MAX_PARTS: Final = 1_000
_GZIP: Final = 16 + zlib.MAX_WBITS

JSON: Final = routing.JSON.encode()
NDJSON: Final = routing.NDJSON.encode()


def media_type(request: Request, *accepted: bytes) -> bytes:
    """Return the body's type without parameters; none given is JSON.

    Raises UnsupportedMediaType, naming what is accepted.
    """
    given = request.headers.get(b"content-type")
    if given is None or given == JSON:
        return JSON
    kind = given.partition(b";")[0].strip().lower()
    if kind not in (accepted or (JSON,)):
        names = " or ".join(each.decode() for each in accepted or (JSON,))
        raise UnsupportedMediaType(f"Content-Type must be {names}, not {kind.decode('latin-1')}.")
    return kind


async def read(request: Request, limit_bytes: int) -> bytes:
    """Return the body, decompressed and without a UTF-8 byte order mark.

    Raises PayloadTooLarge, before reading where Content-Length tells; UnsupportedMediaType for an
    encoding other than gzip or zstd; ValidationFailed where it does not decompress.
    """
    encoding = request.headers.get(b"content-encoding")
    if encoding is not None and (encoding := encoding.strip().lower()) not in (b"identity", *_BEGIN):
        raise UnsupportedMediaType(
            f"Content-Encoding must be gzip or zstd or absent, not {encoding.decode('latin-1')}."
        )
    announced = request.headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    body = await _whole(request.receive, limit_bytes)
    begin = _BEGIN.get(encoding or b"identity")
    if begin is not None and len(body) <= _INLINE_BYTES:
        body = _inflate(body, limit_bytes, begin)
    elif begin is not None:
        body = await pools.BODIES.run(_inflate, body, limit_bytes, begin)
    return body.removeprefix(BOM_UTF8)


async def _whole(receive: Receive, limit_bytes: int) -> bytes:
    message = await receive()
    if not message.get("more_body") and message["type"] == "http.request":  # most are in one piece
        whole: bytes = message.get("body", b"")
        if len(whole) > limit_bytes:
            raise _too_large(limit_bytes)
        return whole
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ConnectionError
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()


class _Part(Protocol):
    """A gzip member or a zstd frame that is being decompressed."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def _inflate(body: bytes, limit_bytes: int, begin: Callable[[], _Part]) -> bytes:
    """Decompress every part: what `cat a.gz b.gz` makes is one body (RFC 1952 §2.2, RFC 8878 §3.1).

    Piece by piece, so that what one piece becomes is bounded too.
    """
    plain = bytearray()
    at = parts = 0
    while at < len(body):
        part = begin()
        parts += 1
        if parts > _MAX_PARTS:
            raise ValidationFailed.of("", f"The compressed body has more than {_MAX_PARTS} parts")
        while not part.eof:
            piece = body[at : at + _PIECE_BYTES]
            if not piece:
                raise ValidationFailed.of("", "The compressed body ends too early")
            at += len(piece)
            try:
                plain += part.decompress(piece)
            except (zlib.error, zstandard.ZstdError):
                raise ValidationFailed.of(
                    "", "The body does not decompress; is it what Content-Encoding says?"
                ) from None
            if len(plain) > limit_bytes:
                raise _too_large(limit_bytes)
        at -= len(part.unused_data)
    return bytes(plain)


_BEGIN: Final[Mapping[bytes, Callable[[], _Part]]] = {
    b"gzip": lambda: zlib.decompressobj(_GZIP),
    b"zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
}


def _too_large(limit_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body may have at most {limit_bytes} bytes, uncompressed; send less.")
