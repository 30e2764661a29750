"""Promise 5: an acknowledged event is in every answer within a second, also while others come in.

How soon is measured by `make bench`. Here nothing is timed: the events must come to be seen while the load
goes on, and the consumer must not be told to wait as long as the promise.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from meterhouse.settings import Settings
from tests.e2e.server import Server
from tests.e2e.wait import until

pytestmark = pytest.mark.alone

EVENT = {"type": "usage.api_call", "customerRef": "cus_3C4D5E6F", "units": 1}
PROBES = 20


@contextmanager
def load(server: Server, key: str) -> Iterator[list[int]]:
    """Publish in bulk for as long as the context lasts; yield how many events each request stored."""
    stored: list[int] = []
    ended = threading.Event()

    def publish() -> None:
        with server.client(key) as client:
            while not ended.is_set():
                answer = client.post("/v1/sdk/events/bulk", json={"events": [EVENT] * 200})
                stored.append(answer.json()["stored"])

    publishing = threading.Thread(target=publish)
    publishing.start()
    try:
        yield stored
    finally:
        ended.set()
        publishing.join()


def answers(client: httpx.Client, type_: str, event_id: str) -> bool:
    """Whether the event is in every kind of answer."""
    asked = {"type": type_}
    usage = client.get("/v1/usage", params=asked | {"granularity": "minute"}).json()
    by_type = client.get("/v1/usage", params={"groupBy": "type", "top": 1000}).json()
    page = client.get("/v1/events", params=asked).json()
    return (
        usage["total"] == 7
        and {"type": type_} in [series["group"] for series in by_type["series"]]
        and [event["eventId"] for event in page["events"]] == [event_id]
        and client.get(f"/v1/events/{event_id}").status_code == 200
    )


def test_every_acknowledged_event_is_seen_while_others_come_in(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        key = server.key()
        with server.client(key) as client, load(server, key) as stored:
            until(lambda: len(stored) > 0, "the load is on")
            for number in range(PROBES):
                type_ = f"usage.probe{number}"
                before = len(stored)
                answer = client.post("/v1/sdk/events", json=EVENT | {"type": type_, "units": 7})
                assert answer.status_code == 201
                event_id = answer.json()["eventId"]
                until(lambda: answers(client, type_, event_id), f"{type_} is seen")  # noqa: B023 - called here
                until(lambda: len(stored) > before, "the load goes on")  # noqa: B023 - called here
        expected = sum(stored) + PROBES
        with server.client(key) as client:
            count = {"aggregate": "count"}
            until(
                lambda: client.get("/v1/usage", params=count).json()["total"] == expected,
                "every acknowledged event is counted, and nothing else",
            )


def test_the_consumer_waits_for_a_small_part_of_the_second() -> None:
    assert Settings().consumer_pause_ms <= 250
