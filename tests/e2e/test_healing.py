"""Key index, ledger and warehouse that are damaged are set aside and made again; no answer changes."""

import os
import random
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import Struct

from tests.e2e.run import run_here
from tests.e2e.server import Server, clean_environment
from tests.e2e.test_rebuild_ledger import ASKED, live_a_little, post, told
from tests.e2e.wait import until

EVENT = {"type": "usage.api_call", "customerRef": "cus_3C4D5E6F", "units": 1}
KEYED = [EVENT | {"idempotencyKey": f"event {row}"} for row in range(2_000)]
PROJECTIONS = ("keys", "ledger", "warehouse.duckdb")


class Lived(Struct, frozen=True):
    """A directory that a server was stopped on, and the answers it gave."""

    data: Path
    key: str
    purchase: str
    answers: list[Any]


def answers(client: httpx.Client, purchase: str) -> list[Any]:
    """Ask every projection; whatever is being made again is asked until it answers."""
    asked: list[Any] = []

    def repeated() -> bool:
        answer = client.post("/v1/sdk/events/bulk", json={"events": KEYED})
        assert answer.status_code in (200, 503), answer.text
        if answer.status_code == 200:
            asked.append(answer.json())
        return answer.status_code == 200

    def seen() -> bool:
        answer = client.get("/v1/usage", params={"aggregate": "sum", "groupBy": "type", "kind": "all"})
        assert answer.status_code in (200, 503), answer.text
        if answer.status_code == 200:
            asked.append(answer.json())
        return answer.status_code == 200

    def metered() -> bool:
        if client.post("/v1/sdk/limits", json=ASKED).status_code == 503:
            return False
        asked.append(told(client, purchase))
        return True

    until(repeated, "the key index answers")
    until(seen, "the warehouse answers")
    until(metered, "the ledger answers")
    return asked


def flip(path: Path, chance: random.Random) -> str:
    """Flip one bit of a file; return which."""
    whole = bytearray(path.read_bytes())
    offset, bit = chance.randrange(len(whole)), chance.randrange(8)
    whole[offset] ^= 1 << bit
    path.write_bytes(whole)
    return f"bit {bit} of byte {offset} of {path.name}"


def files_of(data: Path) -> list[Path]:
    """Return the files of every projection that hold something."""
    found = [file for name in PROJECTIONS for file in (data, *data.glob(f"{name}/**/")) for file in file.glob("*")]
    mine = {file for file in found if file.is_file() and file.relative_to(data).parts[0].startswith(PROJECTIONS)}
    return sorted(file for file in mine if file.stat().st_size)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    data = tmp_path_factory.mktemp("healing") / "data"
    with Server(data) as server:
        key = server.key()
        with server.client(key) as client:
            client.post("/v1/sdk/events/bulk", json={"events": KEYED}).raise_for_status()
            purchase = live_a_little(client)
            until(lambda: client.get("/ready").status_code == 200, "it is ready")
            until(
                lambda: client.get("/v1/ingest").json()["total"]["stored"]
                == client.get("/v1/usage", params={"aggregate": "count", "kind": "all"}).json().get("total"),
                "all is seen",
            )
            found = answers(client, purchase)
        assert server.stop() == 0
    yield Lived(data, key, purchase, found)
