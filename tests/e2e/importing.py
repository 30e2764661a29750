"""What the tests of `meterhouse import` share: one server, a provider for each test, and its answers."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.run import asking, run, run_here
from tests.e2e.server import Server
from tests.e2e.wait import until

CUSTOMER = "cus_3C4D5E6F"
PRODUCT = "prd_content_api"


class Imported:
    """A server, a key to it, and commands that import into it."""

    def __init__(self, server: Server, key: str, client: httpx.Client) -> None:
        self.server = server
        self.key = key
        self.client = client

    def __call__(self, *arguments: str | Path, stdin: bytes | None = None, status: int = 0) -> str:
        environment = asking(self.server, self.key)
        if stdin is None:
            done = run_here("import", *arguments, environment=environment)
        else:
            done = run("import", *arguments, environment=environment, stdin=stdin)
        assert done.status == status, done.stderr
        return done.stdout + done.stderr

    def usage(self, **question: str) -> dict[str, Any]:  # Any: JSON
        answer = self.client.get("/v1/usage", params=question)
        answer.raise_for_status()
        return dict(json.loads(answer.text, parse_float=Decimal))

    def total(self, type_: str, aggregate: str = "count") -> object:
        return self.usage(type=type_, aggregate=aggregate)["total"]

    def customers(self) -> dict[str, str]:
        """Return the external ref of each customer that was made, by its ref."""
        found = self.client.get("/v1/customers", params={"limit": "1000"}).json()["customers"]
        return {each["reference"]: each["externalRef"] for each in found if each.get("externalRef")}

    def events(self) -> list[dict[str, Any]]:  # Any: JSON
        """Return every event in the order of the times, with the customer's external ref as `customer`."""
        self.settled()
        names = self.customers()
        found = self.client.get("/v1/events", params={"limit": "1000", "numbers": "string"}).json()["events"]
        return [each | {"customer": names.get(each["customerRef"])} for each in reversed(found)]

    def stored(self) -> object:
        return self.client.get("/v1/ingest").json()["total"]["stored"]

    def settled(self) -> None:
        """Wait until every event that is stored is in the answers."""
        stored = self.stored()
        until(lambda: self.usage(aggregate="count")["total"] == stored, "the answers have every event")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("import") / "data") as server:
        yield server


@pytest.fixture
def imported(server: Server, request: pytest.FixtureRequest) -> Iterator[Imported]:
    """A provider for each test, so that one server is enough for all of them."""
    data = ("--data", server.data)
    name = request.node.name
    assert run_here("provider", "create", name, *data).status == 0
    key = run_here("key", "create", *data, "--provider", name).stdout.strip()
    with server.client(key) as client:
        customer = {"reference": CUSTOMER, "email": "first@example.com"}
        client.post("/v1/sdk/customers", json=customer).raise_for_status()
        product = {"reference": PRODUCT, "name": "An API"}
        client.post("/v1/sdk/products", json=product).raise_for_status()
        yield Imported(server, key, client)
