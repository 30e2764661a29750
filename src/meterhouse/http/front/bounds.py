"""The limits of the front, and the states of a connection that they apply to."""

import os
import resource
from enum import Enum, auto
from typing import Final

from msgspec import Struct

SWEEP_SECONDS: Final = 0.5
LINGER_SECONDS: Final = 2.0
"""How long a refused client may go on sending until its connection is reset."""

_LEAST_RESERVE: Final = 16
_MOST_RESERVE: Final = 1_024
_NO_LIMIT: Final = 1_048_576
_USUAL_DESCRIPTORS: Final = 64


class Bounds(Struct, frozen=True):
    """Every limit of the front. The settings of the same names describe them."""

    header_bytes: int = 32_768
    headers: int = 100
    header_seconds: int = 10
    body_bytes: int = 12_582_912
    body_seconds: int = 60
    requests_bytes: int = 134_217_728
    unread_seconds: int = 60
    idle_seconds: int = 75
    connection_requests: int = 100_000
    connections: int = 0
    address_connections: int = 0

    def most_connections(self, other_descriptors: int) -> int:
        """Return how many connections may be open now: the descriptor limit may change at run time.

        other_descriptors: open files that are no connections. A quarter of the rest, from 16 to 1024, stays
        free for further files, and for newcomers whose room is being made.
        """
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        rest = (_NO_LIMIT if soft == resource.RLIM_INFINITY else soft) - other_descriptors
        possible = max(rest - min(max(rest // 4, _LEAST_RESERVE), _MOST_RESERVE), 1)
        return min(self.connections, possible) if self.connections else possible


def open_descriptors() -> int:
    """Return how many files and sockets this process has open; 64 where the system does not tell."""
    try:
        return sum(1 for _ in os.scandir("/dev/fd"))
    except OSError:
        return _USUAL_DESCRIPTORS


class State(Enum):
    """The part that a connection waits for."""

    IDLE = auto()
    """The next request. It may be the first one."""
    HEADERS = auto()
    """The rest of a request's headers."""
    BODY = auto()
    """The rest of a request's body."""
    ANSWERING = auto()
    """The answer of this server."""
    REFUSED = auto()
    """The client's end: the server has sent its last answer and discards all further bytes."""


class Reason(Enum):
    """Why the front turned a client away; the label of the metric."""

    HEADERS_TOO_LARGE = "headers_too_large"
    HEADERS_TOO_SLOW = "headers_too_slow"
    BODY_TOO_LARGE = "body_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    MEMORY_FULL = "memory_full"
    ANSWER_UNREAD = "answer_unread"
    CONNECTIONS_FULL = "connections_full"
    ADDRESS_FULL = "address_full"
    IDLE_LONGEST = "idle_longest"
    MALFORMED = "malformed"
    WEBSOCKET = "websocket"
