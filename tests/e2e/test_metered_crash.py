"""Promise 2 for what is charged: `kill -9` under metered load, whose clients send again until they hear."""

import random
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.server import Server
from tests.e2e.threads import going_on
from tests.e2e.wait import until

pytestmark = pytest.mark.alone

ASKED = {"customerRef": "cus_3C4D5E6F", "productRef": "prd_content_api"}
GRANTED, EACH = 1_000_000_000, 3
BULKS = (1, 1, 8, 100)
"""How many usages each of the senders sends at once."""


class Load:
    """Clients that track usage, each usage under a key of its own until it is acknowledged."""

    def __init__(self, server: Server, key: str) -> None:
        self._server = server
        self._key = key
        self._stop = threading.Event()
        self._chance = random.Random(1)
        self.sent: list[dict[str, Any]] = []
        self.sent_again = 0

    def running(self) -> AbstractContextManager[None]:
        works = [partial(self._send, *each) for each in enumerate(BULKS)]
        return going_on(works, self._stop)

    def _send(self, sender: int, count: int) -> None:
        number = 0
        with self._server.client(self._key) as client:
            while not self._stop.is_set():
                usages = []
                for _ in range(count):
                    number += 1
                    units = self._chance.randint(0, 5)
                    usages.append(ASKED | {"units": units, "idempotencyKey": f"{sender}-{number}"})
                while not self._is_acknowledged(client, usages):
                    self.sent_again += 1
                    until(self._is_up, "the server is there again")
                self.sent += usages

    def _is_acknowledged(self, client: httpx.Client, usages: Sequence[dict[str, Any]]) -> bool:
        try:
            track(client, usages)
        except httpx.TransportError:  # it was killed; whether these are stored nobody knows
            return False
        return True

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"{self._server.url}/health").status_code == 200
        except httpx.TransportError:
            return False


def track(client: httpx.Client, usages: Sequence[dict[str, Any]]) -> None:
    path, body = ("/bulk", {"events": usages}) if len(usages) > 1 else ("", usages[0])
    answer = client.post(f"/v1/sdk/usages{path}", json=body)
    assert answer.status_code == 200, answer.text


def sell(client: httpx.Client) -> str:
    """Let the customer pay as it goes; return the purchase's ref."""
    plan = {"name": "Pay as you go", "type": "usage-based", "creditsPerUnit": EACH}
    made = client.post("/v1/sdk/products/prd_content_api/plans", json=plan).json()["reference"]
    granted = client.post("/v1/sdk/customers/cus_3C4D5E6F/credits", json={"credits": GRANTED})
    assert granted.status_code == 200, granted.text
    return str(client.post("/v1/sdk/activate", json=ASKED | {"planRef": made}).json()["purchaseRef"])


def assert_each_is_counted_once(client: httpx.Client, purchase: str, sent: Sequence[dict[str, Any]]) -> None:
    total = sum(each["units"] for each in sent)
    assert client.get(f"/v1/sdk/purchases/{purchase}").json()["usage"]["used"] == total
    balance = client.get("/v1/sdk/customers/cus_3C4D5E6F/balance").json()["credits"]
    assert balance == GRANTED - total * EACH
    tally = client.get("/v1/ingest").json()["total"]
    assert (tally["stored"], tally["rejected"]) == (len(sent), 0)
    assert tally["received"] == tally["stored"] + tally["duplicates"]


def crash(tmp_path: Path, times: int) -> None:
    chance = random.Random(times)
    with Server(tmp_path / "data") as server:
        key = server.key()
        with server.client(key) as client:
            purchase = sell(client)
        load = Load(server, key)
        with load.running():
            for _ in range(times):
                wanted = len(load.sent) + chance.randrange(1, 800)
                until(lambda wanted=wanted: len(load.sent) >= wanted, "the load has come so far")  # type: ignore[misc]
                server.kill()
                server.start()
        assert load.sent_again >= times
        with server.client(key) as client:
            assert_each_is_counted_once(client, purchase, load.sent)
            for start in range(0, len(load.sent), 1_000):
                track(client, load.sent[start : start + 1_000])
            assert_each_is_counted_once(client, purchase, load.sent)

            def seen() -> float:
                question = {"kind": "meter", "aggregate": "sum"}
                return float(client.get("/v1/usage", params=question).json()["total"] or 0)

            total = sum(each["units"] for each in load.sent)
            until(lambda: seen() == total, "the warehouse agrees with the ledger")


def test_each_usage_is_charged_once_when_the_server_is_killed_and_clients_retry(tmp_path: Path) -> None:
    crash(tmp_path, times=3)


@pytest.mark.soak
def test_each_usage_is_charged_once_when_the_server_is_killed_a_hundred_times(tmp_path: Path) -> None:
    crash(tmp_path, times=100)
