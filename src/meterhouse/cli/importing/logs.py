"""Access logs of Apache and nginx in combined format; the common format, and more at the end, will do."""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from meterhouse.cli.importing.lines import MAX_ROW_BYTES, fault_of, lines, text_of
from meterhouse.cli.importing.rows import Row, Unreadable

COLUMNS: Final = (
    "address", "identity", "user", "time", "request", "method", "path", "protocol",
    "status", "bytes", "referer", "agent",
)  # fmt: skip
_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
_COMBINED: Final = re.compile(
    rf"(\S+) (\S+) (.+?) \[([^\]]+)\] {_QUOTED} (\d{{3}}|-) (\d+|-)(?: {_QUOTED} {_QUOTED})?(?: .*)?",
    re.ASCII,
)
_ESCAPE: Final = re.compile(r"(?:\\x[0-9a-fA-F]{2})+|\\.")
_CONTROLS: Final = {"\\n": "\n", "\\r": "\r", "\\t": "\t", "\\b": "\b", "\\v": "\v", "\\f": "\f"}


def read(file: BinaryIO) -> Iterator[Row | Unreadable]:
    """Yield every line but blank ones. What a `-` stands for is left to whoever asks for the column."""
    for number, raw in lines(file):
        text = text_of(raw) if len(raw) <= MAX_ROW_BYTES else None
        if text is None:
            yield Unreadable(number, raw, fault_of(raw))
        elif found := _COMBINED.fullmatch(text):
            yield Row(number, raw, _values(*found.groups()))
        elif text.strip():
            yield Unreadable(number, raw, "is not a line of an access log in combined format")


def is_access_log(line: bytes) -> bool:
    text = text_of(line)
    return text is not None and _COMBINED.fullmatch(text) is not None


def _values(*fields: str | None) -> dict[str, str]:
    address, identity, user, time, request, status, size, referer, agent = (each or "-" for each in fields)
    request = _plain(request)
    method, path, protocol = "-", "-", "-"
    if len(parts := request.split(" ")) == 3:
        method, path, protocol = parts
    values = (address, identity, _plain(user), time, request, method, path, protocol, status, size)
    return dict(zip(COLUMNS, (*values, _plain(referer), _plain(agent)), strict=True))


def _plain(text: str) -> str:
    r"""Undo what both servers write for quotes, backslashes and bytes that are not ASCII: `\"`, `\xc3`."""
    return _ESCAPE.sub(lambda found: _unescaped(found[0]), text) if "\\" in text else text


def _unescaped(escape: str) -> str:
    if escape.startswith("\\x") and len(escape) > 2:
        return bytes.fromhex(escape.replace("\\x", "")).decode("utf-8", "backslashreplace")
    return _CONTROLS.get(escape, escape[1:])
