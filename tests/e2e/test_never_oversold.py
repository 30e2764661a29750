"""Promise 6, never oversold: 64 clients against a limit of 1000 with holds, and without."""

import asyncio
import contextlib
import random
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.server import Server

pytestmark = pytest.mark.alone

LIMIT = 1_000
CLIENTS = 64
TTL_SECONDS = 2
LONGEST_SECONDS = 90.0
_NO_TLS = ssl.create_default_context()
"""Made once: every client would load the certificates that none of them needs."""
LOST = 0.05
"""How many of the holds are never heard of again, as by clients that die."""


class Rush:
    """64 clients that want units of one customer's limit until none are left."""

    def __init__(self, server: Server, key: str, seed: int) -> None:
        product, self._purchase = sell(server, key, f"Run {seed}")
        self._server = server
        self._key = key
        self._chance = random.Random(seed)
        self._asked: dict[str, Any] = {"customerRef": "cus_3C4D5E6F", "productRef": product}
        self._ends = time.monotonic() + LONGEST_SECONDS
        self.a_third_has_passed = asyncio.Event()
        self.passed = 0
        self.lost = 0

    async def run(self, one: Callable[["Rush", httpx.AsyncClient], Awaitable[None]]) -> None:
        """Each client has a connection of its own: they would spend their holds' time in a pool's queue."""

        async def alone() -> None:
            async with self.client() as client:
                await one(self, client)

        await asyncio.gather(*(alone() for _ in range(CLIENTS)))

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"Authorization": f"Bearer {self._key}"}
        async with httpx.AsyncClient(
            base_url=self._server.url, headers=headers, timeout=30, verify=_NO_TLS
        ) as client:
            yield client

    async def post(self, client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send until it is answered, as clients do whose server was killed; keys make it safe."""
        while True:
            assert time.monotonic() < self._ends, "the rush takes too long"
            try:
                answer = await client.post(path, json=body)
            except httpx.TransportError:
                await self.server_is_back(client)
                continue
            if answer.status_code == 503:
                continue
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

    async def server_is_back(self, client: httpx.AsyncClient) -> None:
        while True:
            assert time.monotonic() < self._ends, "the server does not come back"
            with contextlib.suppress(httpx.TransportError):
                await client.get("/health")
                return
            await asyncio.sleep(0.02)  # between two looks; the condition decides

    async def with_holds(self, client: httpx.AsyncClient) -> None:
        while True:
            units = self._chance.randint(1, 3)
            found = await self._reserve(client, units)
            if "holdRef" not in found:
                if units > 1 and (await self._reserve_one(client)):
                    continue
                if await self._is_used_up(client):
                    return
                continue
            await self._use(client, found)

    async def _reserve_one(self, client: httpx.AsyncClient) -> bool:
        found = await self._reserve(client, 1)
        if "holdRef" in found:
            await self._use(client, found)
        return "holdRef" in found

    async def _reserve(self, client: httpx.AsyncClient, units: int) -> dict[str, Any]:
        reserve = {"units": units, "ttlSeconds": TTL_SECONDS, "idempotencyKey": str(uuid.uuid4())}
        return await self.post(client, "/v1/sdk/limits", self._asked | {"reserve": reserve})

    async def _use(self, client: httpx.AsyncClient, found: dict[str, Any]) -> None:
        """Do the work and settle; or be lost, as a client is that dies, or learns that its time is over."""
        units = found["reservedUnits"]
        if self._chance.random() < LOST or _is_over(found):
            self.lost += units
            return
        hold = f"/v1/sdk/holds/{found['holdRef']}"
        settle = {"units": units, "idempotencyKey": str(uuid.uuid4())}
        while True:
            try:
                answer = await client.post(f"{hold}/settle", json=settle)
            except httpx.TransportError:  # was it booked? Whether to send it again, the hold says
                await self.server_is_back(client)
                state = await self.get(client, hold)
                if state["status"] == "open" and not _is_over(found):
                    continue
                if state["status"] != "settled":
                    self.lost += units
                    return
                answer = await client.post(f"{hold}/settle", json=settle)
            done = answer.json()
            assert done["overLimitUnits"] == 0, done  # what was reserved was free, however many came at once
            self.passed += units
            if self.passed >= LIMIT // 3:
                self.a_third_has_passed.set()
            return

    async def get(self, client: httpx.AsyncClient, path: str) -> dict[str, Any]:
        while True:
            try:
                found: dict[str, Any] = (await client.get(path)).json()
            except httpx.TransportError:
                await self.server_is_back(client)
            else:
                return found

    async def _is_used_up(self, client: httpx.AsyncClient) -> bool:
        """Whether nothing is left, open holds included; those that were lost come back when they expire."""
        used = await self.used(client)
        if used["used"] + used["heldUnits"] == LIMIT and used["heldUnits"] == 0:
            return True
        await asyncio.sleep(0.05)  # holds of others are open; the condition decides
        return False

    async def used(self, client: httpx.AsyncClient) -> dict[str, Any]:
        found: dict[str, Any] = (await self.get(client, f"/v1/sdk/purchases/{self._purchase}"))["usage"]
        assert found["used"] + found["heldUnits"] <= LIMIT, found
        return found

    def used_now(self) -> int:
        with self._server.client(self._key) as client:
            purchase = client.get(f"/v1/sdk/purchases/{self._purchase}").json()
        used: int = purchase["usage"]["used"]
        return used

    async def check_then_track(self, client: httpx.AsyncClient) -> None:
        while True:
            found = await self.post(client, "/v1/sdk/limits", self._asked)
            if not found["withinLimits"]:
                return
            units = self._chance.randint(1, 3)
            await self.post(client, "/v1/sdk/usages", self._asked | {"units": units})
            self.passed += units


def _is_over(found: dict[str, Any]) -> bool:
    """Whether a hold has ended, or so nearly that a settle might come too late."""
    ends = datetime.fromisoformat(found["expiresAt"])
    return ends - datetime.now(UTC) < timedelta(seconds=1.3)


def sell(server: Server, key: str, name: str) -> tuple[str, str]:
    """Give the first customer a limit of 1000 of a new product; return the refs of product and purchase."""
    with server.client(key) as client:
        product = client.post("/v1/sdk/products", json={"name": name}).json()["reference"]
        plan = {"name": "A thousand", "price": 0, "limit": LIMIT, "freeUnits": LIMIT, "default": True}
        made = client.post(f"/v1/sdk/products/{product}/plans", json=plan)
        assert made.status_code == 201, made.text
        asked = {"customerRef": "cus_3C4D5E6F", "productRef": product}
        assert client.post("/v1/sdk/limits", json=asked).json()["remaining"] == LIMIT
        (purchase,) = client.get(f"/v1/sdk/purchases/product/{product}").json()["purchases"]
    return str(product), str(purchase["reference"])


async def with_a_kill_in_the_middle(server: Server, rush: Rush) -> None:
    running = asyncio.create_task(rush.run(Rush.with_holds))
    await rush.a_third_has_passed.wait()
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    await running


def rush(server: Server, key: str, run: int) -> None:
    each = Rush(server, key, run)
    asyncio.run(with_a_kill_in_the_middle(server, each) if run % 3 == 1 else each.run(Rush.with_holds))
    assert each.used_now() == each.passed == LIMIT


def rushes(tmp_path: Path, runs: int) -> None:
    with Server(tmp_path / "data") as server:
        key = server.key()
        for run in range(runs):
            rush(server, key, run)


def test_holds_let_exactly_the_limit_pass_also_when_the_server_is_killed(tmp_path: Path) -> None:
    rushes(tmp_path, 3)


@pytest.mark.soak
def test_holds_let_exactly_the_limit_pass_in_twenty_runs(tmp_path: Path) -> None:
    rushes(tmp_path, 20)


def test_checking_first_and_counting_later_sells_more_than_there_is(
    tmp_path: Path,
) -> None:
    """What peers do, and what holds are for: how much it oversells is in docs/holds.md."""
    with Server(tmp_path / "data") as server:
        key = server.key()
        each = Rush(server, key, 0)
        asyncio.run(each.run(Rush.check_then_track))
        used = each.used_now()
    print(f"oversold_units: {used - LIMIT}")  # noqa: T201 - the figure in docs/holds.md
    assert used == each.passed > LIMIT  # it happened, so it is counted; and what holds prevent is real
