"""What the tests of the front's limits share: its settings, its metrics, the memory of its process."""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.server import COMMAND, Server
from tests.e2e.wire import Wire

EVENT = b'{"type":"usage.api_call","customerRef":"cus_3C4D5E6F","units":1}'
_SAMPLE = re.compile(r'^meterhouse_http_(\w+?)(?:_total)?(?:\{reason="(\w+)"\})? ([0-9.e+]+)$', re.MULTILINE)


def server(directory: Path, **settings: int) -> Server:
    """Return a server with these settings, which writes its log to `log` in the directory."""
    environment = {f"METERHOUSE_{name.upper()}": str(value) for name, value in settings.items()}
    log = directory / "log"
    program = ("sh", "-c", 'exec "$@" 2>>"$0"', str(log), *COMMAND)
    return Server(directory / "data", program=program, environment=environment)


def metrics(server: Server) -> Mapping[str, float]:
    """Return the front's metrics; those of what was turned away by their reasons."""
    with Wire(server.url) as wire:
        wire.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        found = _SAMPLE.findall(wire.rest().decode())
    return {reason or name: float(value) for name, reason, value in found if "created" not in name}


def publish(key: str, body: bytes = EVENT, path: str = "/v1/sdk/events") -> bytes:
    """Return a request that publishes `body`."""
    return post(key, path, b"Content-Length: %d" % len(body)) + body


def post(key: str, path: str, *headers: bytes) -> bytes:
    """Return the headers of a POST request."""
    lines = [b"POST %s HTTP/1.1" % path.encode(), b"Host: x", b"Authorization: Bearer %s" % key.encode()]
    return b"\r\n".join([*lines, *headers, b"", b""])


def megabytes(server: Server) -> float:
    """Return the memory that the server's process has."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024
