"""The text of a file as UTF-8: decompressed, without its byte order mark, which may say UTF-16 or UTF-32."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from io import BufferedReader, RawIOBase
from typing import Final

import zstandard

DAMAGED: Final = (OSError, EOFError, zlib.error, zstandard.ZstdError)
"""Errors while a file is read: the rest of it is lost."""
_CHUNK_BYTES: Final = 256 * 1024
START_BYTES: Final = 64 * 1024
"""How much of a file `peek` gives, where it has so much."""
_COMPRESSED_BYTES: Final = 16 * 1024  # becomes a thousand times as much at worst
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_OTHERS: Final = {
    b"PK\x03\x04": "a zip archive or a spreadsheet; unpack it, or save the sheet as CSV",
    b"BZh91A": "compressed with bzip2; decompress it first",
    b"\xfd7zXZ": "compressed with xz; decompress it first",
    b"\xd0\xcf\x11\xe0": "a spreadsheet; save it as CSV",
    b"PAR1\x15": "a Parquet file; write it as CSV or NDJSON",
}
_MARKS: Final = (  # the mark of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LONGEST_MAGIC: Final = 6


def text_bytes(file: BufferedReader) -> BufferedReader:
    """Return the file's text as UTF-8. Raises ValueError with a sentence: it is no text that can be read.

    A read of a damaged file raises one of DAMAGED.
    """
    file = _with_start(_decompressed(file))
    start = file.peek(_LONGEST_MAGIC)[:_LONGEST_MAGIC]
    for magic, kind in _OTHERS.items():
        if start.startswith(magic):
            raise ValueError(f"The file is {kind}.")
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return BufferedReader(_Chunks(_recoded(file, mark, encoding)), _CHUNK_BYTES)
    if b"\0" in start[:4]:
        raise ValueError("The file is UTF-16 without a byte order mark, or no text; save it as UTF-8.")
    if start.startswith(codecs.BOM_UTF8):
        file.read(len(codecs.BOM_UTF8))
    return file


def _decompressed(file: BufferedReader) -> BufferedReader:
    start = file.peek(_LONGEST_MAGIC)
    if start.startswith(_GZIP):
        return BufferedReader(gzip.GzipFile(fileobj=file))  # a larger buffer loses more at a damage
    if start.startswith(_ZSTD):
        return BufferedReader(_Chunks(_from_zstd(file)), _CHUNK_BYTES)
    return file


def _with_start(file: BufferedReader) -> BufferedReader:
    """Make a `peek` give the start of the file, however few bytes its first read gives."""
    start: list[bytes] = []
    failure: Exception | None = None
    try:
        while sum(map(len, start)) < START_BYTES and (chunk := file.read1(START_BYTES)):
            start.append(chunk)
    except DAMAGED as error:
        failure = error

    def chunks() -> Iterator[bytes]:
        yield b"".join(start)
        if failure is not None:
            raise failure
        while chunk := file.read1(_CHUNK_BYTES):
            yield chunk

    return BufferedReader(_Chunks(chunks()), _CHUNK_BYTES)


def _from_zstd(file: BufferedReader) -> Iterator[bytes]:
    """Yield the content of the frames. The library's own reader takes a truncated frame for a whole one."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    begun = False
    while chunk := file.read1(_COMPRESSED_BYTES):
        while chunk:
            yield frame.decompress(chunk)
            begun, chunk = not frame.eof, frame.unused_data
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
    if begun:
        raise EOFError("Compressed file ended before the end of its last frame")


def _recoded(file: BufferedReader, mark: bytes, encoding: str) -> Iterator[bytes]:
    file.read(len(mark))
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := file.read1(_CHUNK_BYTES):
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeDecodeError:
        raise OSError(f"it is not {encoding.upper()}, as its byte order mark says") from None


class _Chunks(RawIOBase):
    """A file made of the pieces that an iterator yields."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
