"""HTTP by hand, for requests that no client library sends."""

import socket
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from tests.e2e.wait import LONGEST_SECONDS


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: Any  # Any: JSON; None where there is none


class Wire:
    """A connection to a server's URL."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=LONGEST_SECONDS)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_until_refused(self, data: bytes) -> None:
        """Send as much as the server takes."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def get(self, path: str = "/health") -> Reply:
        self.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return self.reply()

    def reply(self) -> Reply:
        """Read one answer. Raises EOFError where the connection is closed in its place."""
        line = self._file.readline()
        if not line:
            raise EOFError
        status = int(line.split()[1])
        headers: dict[str, str] = {}
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = self._file.read(int(headers.get("content-length", "0")))
        return Reply(status, headers, msgspec.json.decode(body) if body.startswith(b"{") else None)

    def rest(self) -> bytes:
        """Read to the end of the connection."""
        return self._file.read()

    def end(self) -> int | None:
        """Return the status of the last answer, None where the connection ends without one."""
        try:
            return self.reply().status
        except (EOFError, ConnectionResetError):
            return None

    def is_closed(self) -> bool:
        """Wait for the next byte, and return whether the connection ended instead."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True
