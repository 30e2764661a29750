"""Clients of a recorded server: they publish, track usage, hold and settle, and note each answer."""

import itertools
import random
import re
import threading
import uuid
from collections.abc import Iterable
from typing import Any

import httpx
from msgspec import Struct

from tests.e2e.server import Server
from tests.e2e.threads import going_on
from tests.e2e.wait import until

CUSTOMER = "cus_3C4D5E6F"
LIMIT, GRANTED, EACH = 600, 1_000_000, 3
_SENDERS = 4
_PAYS = {"customerRef": CUSTOMER, "productRef": "prd_content_api"}
_ANSWERED = re.compile(rb"^HTTP/1\.1 2.*?x-request-id: (power-\d+)\r\n", re.DOTALL | re.IGNORECASE)


class Asked(Struct):
    """A request and its answer. answer: None until it came."""

    path: str
    body: dict[str, Any]
    answer: Any = None


class Traffic:
    """asked: every request by its id."""

    def __init__(self) -> None:
        self.asked: dict[str, Asked] = {}
        self.product = ""
        self.answered = 0
        self._numbers = itertools.count()
        self._stop = threading.Event()

    def set_up(self, server: Server, key: str) -> None:
        """Sell a customer `LIMIT` units of one product, and let it pay for another as it goes."""
        with server.client(key) as client:
            self.product = self._post(client, "/v1/sdk/products", {"name": "Held"})["reference"]
            plan = {"name": "Some", "price": 0, "limit": LIMIT, "freeUnits": LIMIT, "default": True}
            self._post(client, f"/v1/sdk/products/{self.product}/plans", plan)
            self._post(client, "/v1/sdk/limits", {"customerRef": CUSTOMER, "productRef": self.product})
            plan = {"name": "As it goes", "type": "usage-based", "creditsPerUnit": EACH}
            made = self._post(client, "/v1/sdk/products/prd_content_api/plans", plan)
            self._post(client, f"/v1/sdk/customers/{CUSTOMER}/credits", {"credits": GRANTED})
            self._post(client, "/v1/sdk/activate", _PAYS | {"planRef": made["reference"]})

    def run(self, server: Server, key: str, answers: int) -> None:
        """Send until so many more answers have come."""
        wanted = self.answered + answers
        works = [lambda seed=seed: self._send(server, key, seed) for seed in range(_SENDERS)]
        with going_on(works, self._stop):
            until(lambda: self.answered >= wanted, "the traffic has come so far")

    def acknowledged(self, sent: Iterable[bytes]) -> list[Asked]:
        """Return the requests whose success is in what a server sent."""
        ids = (found[1].decode() for data in sent if (found := _ANSWERED.match(data)))
        return [self.asked[each] for each in ids]

    def _send(self, server: Server, key: str, seed: int) -> None:
        chance = random.Random(seed)
        with server.client(key) as client:
            while not self._stop.is_set():
                self._one(client, chance)

    def _one(self, client: httpx.Client, chance: random.Random) -> None:
        kind = chance.random()
        if kind < 0.3:
            self._post(client, "/v1/sdk/events", event())
        elif kind < 0.5:
            self._post(client, "/v1/sdk/events/bulk", {"events": [event() for _ in range(40)]})
        elif kind < 0.65:
            self._post(client, "/v1/sdk/usages", usage(chance))
        elif kind < 0.75:
            self._post(client, "/v1/sdk/usages/bulk", {"events": [usage(chance) for _ in range(10)]})
        else:
            self._hold(client, chance)

    def _hold(self, client: httpx.Client, chance: random.Random) -> None:
        reserve = {"units": chance.randint(1, 3), "ttlSeconds": 3600, "idempotencyKey": str(uuid.uuid4())}
        held = self._post(
            client,
            "/v1/sdk/limits",
            {"customerRef": CUSTOMER, "productRef": self.product, "reserve": reserve},
        )
        end = chance.random()
        if "holdRef" not in held or end < 0.2:
            return
        hold = f"/v1/sdk/holds/{held['holdRef']}"
        if end < 0.7:
            settle = {"units": held["reservedUnits"], "idempotencyKey": str(uuid.uuid4())}
            self._post(client, f"{hold}/settle", settle)
        else:
            self._post(client, f"{hold}/release", {})

    def _post(self, client: httpx.Client, path: str, body: dict[str, Any]) -> Any:
        number = f"power-{next(self._numbers)}"
        asked = self.asked[number] = Asked(path, body)
        found = client.post(path, json=body, headers={"X-Request-Id": number})
        assert found.is_success, found.text
        asked.answer = found.json()
        self.answered += 1
        return asked.answer


def event() -> dict[str, Any]:
    return {
        "type": "usage.api_call",
        "customerRef": CUSTOMER,
        "units": 1,
        "idempotencyKey": str(uuid.uuid4()),
    }


def usage(chance: random.Random) -> dict[str, Any]:
    return _PAYS | {"units": chance.randint(0, 5), "idempotencyKey": str(uuid.uuid4())}
