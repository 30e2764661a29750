"""Promise 1, stored means stored, and promise 2, counted once: `kill -9` at random moments under load."""

import random
import threading
import uuid
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.e2e.server import Server
from tests.e2e.threads import going_on
from tests.e2e.wait import until

pytestmark = pytest.mark.alone

CUSTOMER = "cus_3C4D5E6F"
SENDERS = 4


class Load:
    """Clients that publish, singly and in bulk, and note what was acknowledged under which key."""

    def __init__(self, server: Server, key: str) -> None:
        self._server = server
        self._key = key
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.acknowledged: dict[str, str] = {}
        """Event id by idempotency key."""

    def running(self) -> AbstractContextManager[None]:
        works = [partial(self._send, bulk) for bulk in (1, 1, 7, 200)[:SENDERS]]
        return going_on(works, self._stop)

    def _send(self, count: int) -> None:
        with self._server.client(self._key) as client:
            while not self._stop.is_set():
                keys = [str(uuid.uuid4()) for _ in range(count)]
                try:
                    found = publish(client, keys)
                except httpx.TransportError:
                    return  # the server was killed; whether these are stored nobody knows
                with self._lock:
                    self.acknowledged |= found


def publish(client: httpx.Client, keys: list[str]) -> dict[str, str]:
    """Publish an event for each key; return the event ids. Raises httpx.TransportError."""
    events = [
        {"type": "usage.api_call", "customerRef": CUSTOMER, "units": 1, "idempotencyKey": key} for key in keys
    ]
    if len(events) == 1:
        answer = client.post("/v1/sdk/events", json=events[0])
        assert answer.status_code in (200, 201), answer.text
        return {keys[0]: answer.json()["eventId"]}
    answer = client.post("/v1/sdk/events/bulk", json={"events": events})
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    return {key: result["eventId"] for key, result in zip(keys, results, strict=True)}


def assert_nothing_is_lost_and_nothing_counted_twice(
    server: Server, key: str, acknowledged: dict[str, str]
) -> None:
    with server.client(key) as client:
        keys = list(acknowledged)
        for start in range(0, len(keys), 1000):
            again = publish(client, keys[start : start + 1000])
            assert again == {each: acknowledged[each] for each in again}
        tally = client.get("/v1/ingest").json()["total"]
        assert tally["received"] == tally["stored"] + tally["duplicates"] + tally["rejected"]
        assert tally["rejected"] == 0

        def answered() -> dict[str, object]:
            return dict(client.get("/v1/usage", params={"aggregate": "count"}).json())

        until(lambda: answered().get("total") == tally["stored"], "the warehouse agrees with the log")


def crash(tmp_path: Path, times: int) -> None:
    chance = random.Random(times)
    with Server(tmp_path / "data") as server:
        key = server.key()
        load = Load(server, key)
        for _ in range(times):
            before = len(load.acknowledged)
            wanted = before + chance.randrange(1, 3000)
            with load.running():
                until(lambda wanted=wanted: len(load.acknowledged) >= wanted, "the load has come so far")  # type: ignore[misc]
                server.kill()
            server.start()
        assert_nothing_is_lost_and_nothing_counted_twice(server, key, load.acknowledged)


def test_no_acknowledged_event_is_lost_or_counted_twice_by_kill_9(tmp_path: Path) -> None:
    crash(tmp_path, times=5)


@pytest.mark.soak
def test_no_acknowledged_event_is_lost_or_counted_twice_by_200_times_kill_9(tmp_path: Path) -> None:
    crash(tmp_path, times=200)
