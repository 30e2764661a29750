"""Access logs of Apache, nginx and Traefik: the common and the combined format, with more around them."""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from meterhouse.cli.importing.clients import ABSENT, Head, read_head, with_forwarded
from meterhouse.cli.importing.envelopes import Envelopes
from meterhouse.cli.importing.lines import MAX_ROW_BYTES, fault_of, lines, text_of
from meterhouse.cli.importing.rows import Blank, Read, Row, Unclear, Unreadable

COLUMNS: Final = (
    "address", "identity", "user", "time", "request", "method", "path", "protocol",
    "status", "bytes", "referer", "agent", "host", "peer", "forwarded",
)  # fmt: skip
_QUOTED: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_TEXT: Final = rf"({_QUOTED}|-)"
_LINE: Final = re.compile(
    rf"(.+?) \[([^\[\]]{{1,60}})\] {_TEXT} (\d{{1,3}}|-) (\d+|-)(?: {_TEXT} {_TEXT})?((?: .*)?)", re.ASCII
)
_ANY_QUOTED: Final = re.compile(_QUOTED)
_ESCAPE: Final = re.compile(r"(?:\\x[0-9a-fA-F]{2})+|\\.")
_CONTROLS: Final = {"\\n": "\n", "\\r": "\r", "\\t": "\t", "\\b": "\b", "\\v": "\v", "\\f": "\f"}


class AccessLog:
    """The lines of a file. The client is the first of the addresses that a line forwards."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._envelopes = Envelopes()
        self._forwarded = 0

    def read(self) -> Read:
        """Yield every line. The reader of a column decides what its `-` means."""
        for number, raw in lines(self._file):
            text = text_of(raw) if len(raw) <= MAX_ROW_BYTES else None
            if text is None:
                yield Unreadable(number, raw, fault_of(raw))
            elif text.strip():
                yield self._row(number, raw, text)
            else:
                yield Blank(number)

    def notes(self) -> Iterator[str]:
        """Yield sentences about the lines that were read."""
        if self._forwarded:
            yield (
                f"The client of {self._forwarded} lines is the first of the addresses that they forward "
                "(--customer peer takes the address that connected)."
            )

    def _row(self, number: int, raw: bytes, text: str) -> Row | Unreadable:
        try:
            text = self._envelopes.inside(text)
            if (found := _LINE.fullmatch(text)) is None:
                return Unreadable(number, raw, "is not a line of an access log in combined format")
            values = _values(*found.groups())
        except ValueError as error:
            return Unreadable(number, raw, str(error))
        self._forwarded += values["forwarded"] != ABSENT and isinstance(values["address"], str)
        return Row(number, raw, values)


def is_access_log(line: bytes) -> bool:
    """Whether it looks like a line of an access log, whatever its client."""
    try:
        text = Envelopes().inside(line.decode())
    except ValueError:  # also bytes that are not UTF-8
        return False
    return _LINE.fullmatch(text) is not None


def _values(*fields: str | None) -> dict[str, str | Unclear]:
    before, time, request, status, size, referer, agent, after = (each or ABSENT for each in fields)
    head = _head(before, after)
    request = _plain(request)
    method, path, protocol = ABSENT, ABSENT, ABSENT
    if len(parts := request.split(" ")) == 3:
        method, path, protocol = parts
    return {
        "address": head.address,
        "identity": head.identity,
        "user": _unescaped(head.user),
        "time": time,
        "request": request,
        "method": method,
        "path": path,
        "protocol": protocol,
        "status": status,
        "bytes": size,
        "referer": _plain(referer),
        "agent": _plain(agent),
        "host": head.host,
        "peer": head.peer,
        "forwarded": head.forwarded,
    }


def _head(before: str, after: str) -> Head:
    """Return the fields before the time, with the client of a forwarded list at the end of the line."""
    head = read_head(before)
    if head.forwarded != ABSENT or '"' not in after:
        return head
    fields = enumerate(_ANY_QUOTED.findall(after))
    return next(filter(None, (with_forwarded(head, _plain(field), i) for i, field in fields)), head)


def _plain(text: str) -> str:
    return _unescaped(text[1:-1]) if text.startswith('"') else text


def _unescaped(text: str) -> str:
    r"""Undo the escapes of both servers for quotes, backslashes and other bytes: `\"`, `\xc3`."""
    return _ESCAPE.sub(lambda found: _character(found[0]), text) if "\\" in text else text


def _character(escape: str) -> str:
    if escape.startswith("\\x") and len(escape) > 2:
        return bytes.fromhex(escape.replace("\\x", "")).decode("utf-8", "backslashreplace")
    return _CONTROLS.get(escape, escape[1:])
