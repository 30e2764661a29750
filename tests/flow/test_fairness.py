"""Publishing, sign-in and lists answer while another part of the server is saturated or hangs.

No test measures a time: each looks whether the other work still runs when the answers are there.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from meterhouse import pools
from meterhouse.model import password as passwords
from meterhouse.model.tenant import Caller, Environment
from meterhouse.senders.stripe import StripeProcessor
from meterhouse.settings import Settings
from meterhouse.wiring import Service, open_service
from tests.conftest import Client, speak_to
from tests.flow.answers import error, ok
from tests.flow.payer import topup
from tests.flow.shop import CUSTOMER
from tests.flow.waiting import until, until_equal

UNSEEN = 150
PASSWORD = "correct horse battery"


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that accepts every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener


@asynccontextmanager
async def live_shop(path: Path, listener: socket.socket) -> AsyncIterator[tuple[Service, Client]]:
    stripe = StripeProcessor("sk_test_1", "pk_test_1", f"http://127.0.0.1:{listener.getsockname()[1]}")
    async with open_service(Settings(data=str(path)), live=stripe) as service:
        scope = await service.catalog.providers.scope("default", Environment.LIVE)
        issued = await service.catalog.keys.create(Caller(scope, "cli"), "test")
        client = speak_to(service, issued.secret)
        ok(await client.post("/v1/sdk/customers", json={"email": "a@b.example", "reference": CUSTOMER}), 201)
        yield service, client


async def others_are_answered(service: Service, client: Client, nobody: Client) -> None:
    """Publish a bulk for unseen customers, see it, list, and sign in."""
    await asyncio.gather(*(_customer(client, f"cus_unseen{i}") for i in range(UNSEEN)))
    bulk = [{"type": "a.b", "units": 1, "customerRef": f"cus_unseen{i}"} for i in range(UNSEEN)]
    stored = ok(await client.post("/v1/sdk/events/bulk", json={"events": bulk}))
    assert stored["stored"] == UNSEEN
    await until_equal(lambda: _count(client), UNSEEN)
    ok(await client.get("/v1/customers"))
    ok(await client.get("/v1/ingest"))
    await service.catalog.operators.create("default", "ada@b.example", passwords.hashed(PASSWORD), "cli")
    body = {"email": "ada@b.example", "password": PASSWORD}
    ok(await nobody.post("/v1/session", json=body), 201)
    ok(await nobody.get("/ready"))


async def _customer(client: Client, ref: str) -> None:
    ok(await client.post("/v1/sdk/customers", json={"email": f"{ref}@b.example", "reference": ref}), 201)


async def _count(client: Client) -> Any:
    return ok(await client.get("/v1/usage", params={"aggregate": "count"}))["total"]


async def test_a_silent_payment_processor_holds_up_nobody_else(
    tmp_path: Path, silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stripe.max_network_retries", 0)
    async with live_shop(tmp_path, silent) as (service, client):
        paying = [asyncio.create_task(topup(client, key=f"key{i}")) for i in range(20)]
        await until(lambda: pools.CALLS.waiting == 4)
        await others_are_answered(service, client, speak_to(service, None))
        assert not any(each.done() for each in paying)
        assert (pools.CALLS.running, pools.CALLS.waiting) == (16, 4)
        for each in paying:
            each.cancel()
        await asyncio.wait(paying)
        _hang_up(silent)
        await until(lambda: pools.CALLS.running == 0)


def _hang_up(listener: socket.socket) -> None:
    """Close every connection, and take no further one."""
    listener.setblocking(False)
    accepted = []
    try:
        while True:
            accepted.append(listener.accept()[0])
    except BlockingIOError:
        listener.close()
    for each in accepted:
        each.close()


@pytest.mark.parametrize(
    "pool",
    [
        pools.PAGES,
        pools.SEARCHES,
        pools.LEDGER,
        pools.CALLS,
        pools.PASSWORDS,
        pools.BODIES,
        pools.MAINTENANCE,
    ],
    ids=lambda pool: pool.name,
)
async def test_a_saturated_pool_does_not_hold_up_publishing(pool: pools.Pool, client: Client) -> None:
    release = Event()
    await asyncio.gather(*(_customer(client, f"cus_unseen{i}") for i in range(UNSEEN)))
    held = [asyncio.create_task(pool.run(release.wait)) for _ in range(17)]
    try:
        await until(lambda: pool.waiting > 0)
        bulk = [{"type": "a.b", "units": 1, "customerRef": f"cus_unseen{i}"} for i in range(UNSEEN)]
        ok(await client.post("/v1/sdk/events/bulk", json={"events": bulk}))
        await until_equal(lambda: _count(client), UNSEEN)
        ok(await client.get("/ready"))
        assert pool.waiting > 0
    finally:
        release.set()
        await asyncio.wait(held)


async def test_a_search_that_takes_too_long_says_what_to_ask_instead(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.gather(*(_customer(client, f"cus_unseen{i}") for i in range(UNSEEN)))
    monkeypatch.setattr("meterhouse.stores.embedded.database.SCAN_SECONDS", -1.0)
    monkeypatch.setattr("meterhouse.stores.embedded.database._SCAN_STEPS", 10)
    for path in ("/v1/customers", "/v1/sdk/products"):
        answer = await client.get(path, params={"search": "nobody"})
        assert "externalRef" in error(answer, 400, "query_too_large")["message"]
    monkeypatch.undo()
    assert len(ok(await client.get("/v1/customers", params={"search": "unseen14"}))["customers"]) == 11
