"""The state that all connections share: which are open, and how many request bytes are in memory."""

import asyncio
import itertools
from collections import Counter, deque
from time import monotonic
from typing import Final, Protocol

from meterhouse import telemetry
from meterhouse.http.front.bounds import SWEEP_SECONDS, Bounds, Reason, State, open_descriptors
from meterhouse.model.errors import MeterhouseError, TooManyConnections

_SWEEPS_BETWEEN_COUNTS: Final = 20  # listing 10 000 descriptors takes milliseconds
_MOST_REFUSED: Final = 8  # newcomers above the limit that may read their refusal at the same time
_TOGETHER: Final = 200  # connections that the sweep checks before it lets other work run
_LEAST_SECONDS_BETWEEN_SCANS: Final = 0.05


class Open(Protocol):
    """An open connection, as the front sees it."""

    address: str
    since: float
    """When its present state began, by the monotonic clock."""

    def state(self) -> State: ...

    def check(self, now: float) -> None:
        """End the connection if its state has lasted too long."""

    def turn_away(self, reason: Reason, error: MeterhouseError) -> None:
        """Answer the error, where that is possible, and take no further request."""

    def close(self) -> None:
        """Close the connection without a word."""


class Front:
    """Admits connections, ends those that wait too long, and counts the request bytes in memory."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.held_bytes = 0
        self._open: dict[Open, None] = {}  # ordered by their beginning
        self._by_address: Counter[str] = Counter()
        self._idle: deque[tuple[Open, float]] = deque()  # a scan's result, the longest idle first
        self._next_scan = 0.0
        self._other_descriptors = open_descriptors()
        self._most = bounds.most_connections(self._other_descriptors)
        for reason in Reason:
            telemetry.http_turned_away.labels(reason.value)  # shows zeros
        telemetry.http_connections.set_function(lambda: len(self._open))
        telemetry.http_connections_most.set_function(lambda: self._most)
        telemetry.http_request_bytes.set_function(lambda: self.held_bytes)

    def opened(self, connection: Open) -> None:
        """Take a new connection, or turn it away. At the limit, the longest idle one is closed for it."""
        self._open[connection] = None
        most = self.bounds.address_connections
        if most:
            self._by_address[connection.address] += 1
            if self._by_address[connection.address] > most:
                connection.turn_away(Reason.ADDRESS_FULL, TooManyConnections())
                return
        if len(self._open) > self._most:
            self._make_room(connection)

    def closed(self, connection: Open) -> None:
        """Forget a connection. Forgetting it twice is harmless."""
        if connection in self._open:
            del self._open[connection]
            if self.bounds.address_connections:
                self._by_address[connection.address] -= 1
                if not self._by_address[connection.address]:
                    del self._by_address[connection.address]

    async def sweep(self) -> None:
        """Check every connection twice a second, for ever. There are no timers per request."""
        for number in itertools.count():
            await asyncio.sleep(SWEEP_SECONDS)
            if number % _SWEEPS_BETWEEN_COUNTS == 0:
                self._other_descriptors = open_descriptors() - len(self._open)
            self._most = self.bounds.most_connections(self._other_descriptors)
            for checked, connection in enumerate(list(self._open), 1):
                if connection in self._open:
                    connection.check(monotonic())
                if checked % _TOGETHER == 0:
                    await asyncio.sleep(0)

    def _make_room(self, newcomer: Open) -> None:
        idle = self._longest_idle(newcomer)
        if idle is None and len(self._open) > self._most + _MOST_REFUSED:
            telemetry.http_turned_away.labels(Reason.CONNECTIONS_FULL.value).inc()
            newcomer.close()  # a flood; its answers would use up the descriptors that are in reserve
        elif idle is None:
            newcomer.turn_away(Reason.CONNECTIONS_FULL, TooManyConnections())
        else:
            telemetry.http_turned_away.labels(Reason.IDLE_LONGEST.value).inc()
            self.closed(idle)
            idle.close()

    def _longest_idle(self, newcomer: Open) -> Open | None:
        """Return None where no connection is idle. One scan serves many calls, so a flood stays cheap."""
        found = self._next_idle()
        now = monotonic()
        if found is None and now >= self._next_scan:
            self._next_scan = now + _LEAST_SECONDS_BETWEEN_SCANS
            idle = (each for each in self._open if each is not newcomer and each.state() is State.IDLE)
            self._idle = deque(sorted(((each, each.since) for each in idle), key=lambda pair: pair[1]))
            found = self._next_idle()
        return found

    def _next_idle(self) -> Open | None:
        while self._idle:
            connection, since = self._idle.popleft()
            still = connection in self._open and connection.since == since
            if still and connection.state() is State.IDLE:
                return connection
        return None
