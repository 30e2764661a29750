"""A real web server for the tests, and readers that hang up."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from sdk.python.tests.stand_in import WAIT_SECONDS


@contextmanager
def served(app: Any) -> Iterator[int]:  # Any: an ASGI application
    """Serve an application in a thread; yield its port."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    config = uvicorn.Config(app, log_level="error", lifespan="off", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def read(port: int, path: str, until: bytes | None = None, headers: str = "") -> bytes:
    """Read an answer until it has these bytes, and hang up; None: to its end."""
    with socket.create_connection(("127.0.0.1", port), WAIT_SECONDS) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n"
        connection.sendall(request.encode())
        found = b""
        while (until is None or until not in found) and (more := connection.recv(4096)):
            found += more
    return found
