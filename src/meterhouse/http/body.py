"""Reading a request's body: bounded, before and after decompression, and only in accepted types."""

import asyncio
import zlib
from typing import Final

import zstandard

from meterhouse.http.edge import Receive, Request
from meterhouse.model.errors import PayloadTooLarge, UnsupportedMediaType, ValidationFailed

SINGLE_BYTES: Final = 256 * 1024
BULK_BYTES: Final = 10 * 1024 * 1024
_INLINE_BYTES: Final = 64 * 1024  # a larger body is decompressed in a thread
_PIECE_BYTES: Final = 256  # which may be 8 MB decompressed: zstd's objects cannot be given a limit
_GZIP: Final = 16 + zlib.MAX_WBITS

JSON: Final = b"application/json"
NDJSON: Final = b"application/x-ndjson"


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
    """Return the body as it was before compression.

    Raises PayloadTooLarge, before reading where Content-Length tells; UnsupportedMediaType for an
    encoding other than gzip or zstd; ValidationFailed where it does not decompress.
    """
    encoding = request.headers.get(b"content-encoding")
    if encoding is not None and (encoding := encoding.strip().lower()) not in (b"identity", b"gzip", b"zstd"):
        raise UnsupportedMediaType(
            f"Content-Encoding must be gzip or zstd or absent, not {encoding.decode('latin-1')}."
        )
    announced = request.headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    body = await _whole(request.receive, limit_bytes)
    if encoding is None or encoding == b"identity":
        return body
    inflate = _gunzip if encoding == b"gzip" else _unzstd
    if len(body) <= _INLINE_BYTES:
        return inflate(body, limit_bytes)
    return await asyncio.to_thread(inflate, body, limit_bytes)


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


def _gunzip(body: bytes, limit_bytes: int) -> bytes:
    """Decompress every member: what `cat a.gz b.gz` makes is one body (RFC 1952 §2.2)."""
    plain = b""
    while body:
        member = zlib.decompressobj(_GZIP)
        try:
            plain += member.decompress(body, limit_bytes + 1 - len(plain))
        except zlib.error as error:
            raise ValidationFailed.of("", f"The body is not gzip: {error}") from None
        if len(plain) > limit_bytes:
            raise _too_large(limit_bytes)
        if not member.eof:
            raise ValidationFailed.of("", "The gzip body ends too early")
        body = member.unused_data
    return plain


def _unzstd(body: bytes, limit_bytes: int) -> bytes:
    """Decompress every frame (RFC 8878 §3.1)."""
    plain = bytearray()
    at = 0
    while at < len(body):
        frame = zstandard.ZstdDecompressor().decompressobj()
        while not frame.eof:
            piece = body[at : at + _PIECE_BYTES]
            if not piece:
                raise ValidationFailed.of("", "The zstd body ends too early")
            at += len(piece)
            try:
                plain += frame.decompress(piece)
            except zstandard.ZstdError as error:
                raise ValidationFailed.of("", f"The body is not zstd: {error}") from None
            if len(plain) > limit_bytes:
                raise _too_large(limit_bytes)
        at -= len(frame.unused_data)
    return bytes(plain)


def _too_large(limit_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body may have at most {limit_bytes} bytes, uncompressed; send less.")
