"""NDJSON, one object a line; and JSON, an array of objects or single ones. Numbers keep all digits."""

import codecs
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from io import BufferedReader
from typing import Any, BinaryIO, Final

import msgspec

from meterhouse.cli.importing.lines import MAX_ROW_BYTES, fault_of, lines
from meterhouse.cli.importing.rows import Blank, Read, Row, Unreadable

_decode: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode  # Any: any JSON value
_value: Final = json.JSONDecoder(parse_int=str, parse_float=str, strict=False).raw_decode  # finds the end
_CHUNK_BYTES: Final = 256 * 1024
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_BETWEEN: Final = re.compile(r"[ \t\r\n,]*")


def read_lines(file: BinaryIO) -> Read:
    """Yield every line."""
    for number, raw in lines(file):
        if len(raw) > MAX_ROW_BYTES:
            yield Unreadable(number, raw, fault_of(raw))
        elif raw.strip():
            yield _row(number, raw)
        else:
            yield Blank(number)


def read_values(file: BufferedReader) -> Read:
    """Yield every value of arrays, and every value outside of them. Their `line` counts the values.

    Nothing is read after a value that is not JSON. Raises EOFError: an array does not end.
    """
    for number, (text, is_value) in enumerate(_Values(file), 1):
        raw = text.encode("utf-8", "surrogateescape").replace(b"\r\n", b"\n")
        if is_value:
            yield _row(number, raw)
        else:
            reason = f"is not JSON, or longer than {MAX_ROW_BYTES} bytes; nothing after it was read"
            yield Unreadable(number, raw[:MAX_ROW_BYTES], reason)


def is_object(line: bytes) -> bool:
    """Whether the line is an object of its own."""
    return isinstance(_row(1, line), Row)


class _Values:
    """The texts of a file's values, without the arrays around them; at last a text that is no value."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._at = 0
        self._in_array = False

    def __iter__(self) -> Iterator[tuple[str, bool]]:
        while self._skip():
            if self._text[self._at] == ("]" if self._in_array else "["):
                self._in_array = not self._in_array
                self._at += 1
                continue
            end = self._end_of_value()
            yield self._text[self._at : end], end is not None
            if end is None:
                return
            self._at = end
        if self._in_array:
            raise EOFError("the JSON array does not end")

    def _skip(self) -> bool:
        """Skip the separators between values. Returns False at the end of the file."""
        while True:
            found = (_BETWEEN if self._in_array else _SPACE).match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return True
            if not self._more():
                return False

    def _end_of_value(self) -> int | None:
        """Return where the value ends that begins here; None where there is none."""
        while True:
            try:
                end = _value(self._text, self._at)[1]
            except (ValueError, RecursionError):
                end = None
            if end is not None and end < len(self._text):
                return end
            if len(self._text) - self._at > MAX_ROW_BYTES or not self._more():
                return end

    def _more(self) -> bool:
        chunk = self._file.read1(_CHUNK_BYTES)
        self._text = self._text[self._at :] + self._decoder.decode(chunk, final=not chunk)
        self._at = 0
        return bool(chunk)


def _row(number: int, raw: bytes) -> Row | Unreadable:
    if len(raw) > MAX_ROW_BYTES:
        return Unreadable(number, raw, fault_of(raw))
    try:
        return Row(number, raw, _decode(raw))
    except UnicodeDecodeError:
        return Unreadable(number, raw, fault_of(raw))
    except (msgspec.DecodeError, RecursionError) as error:
        return Unreadable(number, raw, f"is not a JSON object: {_plain(error)}")


def _plain(error: Exception) -> str:
    """Leave out the decoder's own notation for the place."""
    return str(error).partition(" - at `")[0]
