"""Bytes to lines. Neither a long file nor a line of any length fills the memory."""

from collections.abc import Iterator
from typing import BinaryIO, Final

MAX_ROW_BYTES: Final = 1024 * 1024


def lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield each line's number, from 1, and its bytes without the line end.

    Of a line longer than MAX_ROW_BYTES only the beginning comes, one byte more than that.
    """
    number = 0
    while raw := file.readline(MAX_ROW_BYTES + 1):
        number += 1
        if len(raw) > MAX_ROW_BYTES and not raw.endswith(b"\n"):
            _skip_line(file)
        yield number, raw.removesuffix(b"\n").removesuffix(b"\r")


def text_of(raw: bytes) -> str | None:
    """Return the text of a line, or None where it is not UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def fault_of(raw: bytes) -> str:
    """Say why `text_of` gave None, or why the line is too long."""
    if len(raw) > MAX_ROW_BYTES:
        return f"is longer than {MAX_ROW_BYTES} bytes"
    return "is not UTF-8"


def _skip_line(file: BinaryIO) -> None:
    while (more := file.readline(MAX_ROW_BYTES)) and not more.endswith(b"\n"):
        pass
