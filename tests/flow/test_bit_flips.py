"""One flipped bit anywhere in key index, ledger or warehouse changes no answer: it is healed, or not read."""

import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from meterhouse.settings import Settings
from meterhouse.wiring import open_service
from tests.conftest import Client, speak_to
from tests.flow.answers import ok
from tests.flow.waiting import until_equal

CUSTOMER, PRODUCT = "cus_3C4D5E6F", "prd_content_api"
ASKED = {"customerRef": CUSTOMER, "productRef": PRODUCT}
EVENT = {"type": "usage.api_call", "customerRef": CUSTOMER, "units": 1}
KEYED = [EVENT | {"idempotencyKey": f"event {row}"} for row in range(3_000)]
PROJECTIONS = ("keys", "ledger", "warehouse.duckdb")


class Lived(Struct, frozen=True):
    """stopped, killed: the same directory after each end. answers: as they were before it."""

    stopped: Path
    killed: Path
    secret: str
    purchase: str
    answers: list[Any]


async def insisting(client: Client, method: str, path: str, **sent: Any) -> Any:
    """Return a 200's body; while a part is being made again, ask once more. Anything else fails."""
    answers = []

    async def answered() -> bool:
        answers.append(await client.request(method, path, **sent))
        assert answers[-1].status_code in (200, 503), answers[-1].text
        return answers[-1].status_code == 200

    await until_equal(answered, wanted=True)
    return answers[-1].json()


async def everything(client: Client, purchase: str) -> list[Any]:
    """Ask for whatever key index, ledger and warehouse know."""
    grouped = {"aggregate": "sum", "groupBy": "type,customerRef", "kind": "all"}
    return [
        await insisting(client, "POST", "/v1/sdk/events/bulk", json={"events": KEYED}),
        await insisting(client, "GET", f"/v1/sdk/purchases/{purchase}"),
        await insisting(client, "GET", f"/v1/sdk/customers/{CUSTOMER}/balance"),
        await insisting(client, "GET", f"/v1/customers/{CUSTOMER}/credits"),
        await insisting(client, "POST", "/v1/sdk/limits", json=ASKED),
        await insisting(client, "GET", "/v1/usage", params=grouped),
        await insisting(client, "GET", "/v1/events", params={"limit": 1000, "kind": "all"}),
    ]


async def live(client: Client) -> str:
    """Publish, buy, use, hold and settle; return the purchase's ref."""
    ok(await client.post("/v1/sdk/events/bulk", json={"events": KEYED}))
    terms = {"name": "Pay as you go", "type": "usage-based", "creditsPerUnit": 3}
    plan = ok(await client.post(f"/v1/sdk/products/{PRODUCT}/plans", json=terms), 201)["reference"]
    ok(await client.post(f"/v1/sdk/customers/{CUSTOMER}/credits", json={"credits": 100_000}))
    bought = ok(await client.post("/v1/sdk/activate", json=ASKED | {"planRef": plan}))["purchaseRef"]
    for units in range(60):
        ok(await client.post("/v1/sdk/usages", json=ASKED | {"units": units, "idempotencyKey": f"k{units}"}))
        hold = ok(
            await client.post("/v1/sdk/limits", json=ASKED | {"reserve": {"units": 5, "ttlSeconds": 86_400}})
        )
        if units % 3:
            ok(await client.post(f"/v1/sdk/holds/{hold['holdRef']}/settle", json={"units": 4.5}))
    return str(bought)


@asynccontextmanager
async def lived(root: Path) -> AsyncIterator[Lived]:
    data, killed = root / "lived", root / "killed"
    async with open_service(Settings(data=str(data))) as service:
        assert service.first_start is not None
        secret = service.first_start.secret
        assert secret is not None
        async with speak_to(service, secret) as client:
            purchase = await live(client)
            await service.catch_up()
            answers = await everything(client, purchase)
        shutil.copytree(data, killed, ignore=shutil.ignore_patterns("*.db-shm", "LOCK", "lock"))
    yield Lived(data, killed, secret, purchase, answers)


def files_of(data: Path) -> list[Path]:
    """Return the files of every projection that hold something, relative to the directory."""
    files = (file.relative_to(data) for file in data.rglob("*") if file.is_file() and file.stat().st_size)
    return sorted(file for file in files if file.parts[0].startswith(PROJECTIONS))


def flip(file: Path, chance: random.Random) -> str:
    whole = bytearray(file.read_bytes())
    offset, bit = chance.randrange(len(whole)), chance.randrange(8)
    whole[offset] ^= 1 << bit
    file.write_bytes(whole)
    return f"bit {bit} of byte {offset} of {file.name}"


async def answers_after_a_flip(before: Lived, data: Path, chance: random.Random, number: int) -> str:
    """Flip a bit of one file, start, and compare every answer; return which bit it was."""
    source = before.killed if number % 3 == 0 else before.stopped
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(source, data)
    files = files_of(data)
    flipped = flip(data / files[number % len(files)], chance)
    async with open_service(Settings(data=str(data))) as service, speak_to(service, before.secret) as client:
        found = await everything(client, before.purchase)
    assert found == before.answers, flipped
    return flipped


@pytest.mark.parametrize("flips", [40, pytest.param(1_000, marks=pytest.mark.soak)])
async def test_a_flipped_bit_of_a_projection_changes_no_answer(tmp_path: Path, flips: int) -> None:
    chance = random.Random(16)
    async with lived(tmp_path) as before:
        for number in range(flips):
            await answers_after_a_flip(before, tmp_path / "flipped", chance, number)


@pytest.mark.parametrize("name", ["keys", "ledger"])
async def test_damage_that_appears_while_running_is_healed_once(tmp_path: Path, name: str) -> None:
    """RocksDB reads a block when it is asked for; of so small a warehouse DuckDB keeps all in memory."""
    async with lived(tmp_path) as before:
        settings = Settings(data=str(before.stopped))
        async with open_service(settings) as service, speak_to(service, before.secret) as client:
            for file in files_of(before.stopped):
                if file.parts[0] == name and file.suffix == ".sst":
                    tear(before.stopped / file)
            assert await everything(client, before.purchase) == before.answers
            ok(await client.post("/v1/sdk/events", json=EVENT | {"idempotencyKey": "after"}), 201)
            assert (await client.get("/ready")).status_code in (200, 503)
            await until_equal(lambda: is_ready(client), wanted=True)
        assert len(list(before.stopped.glob(f"{name}.unreadable-*"))) == 1


async def is_ready(client: Client) -> bool:
    return (await client.get("/ready")).status_code == 200


def tear(file: Path) -> None:
    """In place, so that who has the file open reads it too."""
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(size // 8)
        opened.write(b"\xa5" * (size // 2))
