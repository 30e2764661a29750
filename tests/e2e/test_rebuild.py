"""Promise 8, rebuildable: `meterhouse rebuild` makes the warehouse again, with the same answers."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.e2e.run import run_here
from tests.e2e.server import Server
from tests.e2e.wait import until

CUSTOMER = "cus_3C4D5E6F"
QUESTIONS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/v1/usage", {}),
    ("/v1/usage", {"aggregate": "count", "groupBy": "type", "granularity": "day"}),
    ("/v1/usage", {"groupBy": "properties.region", "granularity": "hour", "timezone": "Asia/Kathmandu"}),
    ("/v1/usage", {"aggregate": "p95", "groupBy": "productRef"}),
    ("/v1/usage", {"aggregate": "latest", "type": "usage.token"}),
    ("/v1/events", {"limit": "1000"}),
    ("/v1/events", {"order": "received", "properties.region": "eu"}),
)
NOW = {"from": "2026-10-01", "to": "2026-12-01"}


def publish(client: httpx.Client, count: int) -> None:
    events = [
        {
            "type": ("usage.api_call", "usage.token", "usage.storage")[row % 3],
            "customerRef": CUSTOMER,
            "productRef": "prd_content_api" if row % 2 else None,
            "units": row % 7,
            "timestamp": f"2026-11-{1 + row % 20:02}T{row % 24:02}:00:00Z",
            "properties": {"region": ("eu", "us")[row % 2]} if row % 5 else None,
            "idempotencyKey": f"{count}-{row}",
        }
        for row in range(count)
    ]
    client.post("/v1/sdk/events/bulk", json={"events": events}).raise_for_status()


def answers(client: httpx.Client, stored: int) -> list[object]:
    def count() -> object:
        answer = client.get("/v1/usage", params={"aggregate": "count"})
        return answer.json()["total"] if answer.status_code == 200 else None

    until(lambda: count() == stored, "every event is in the answers")
    return [json.loads(client.get(path, params=NOW | params).text) for path, params in QUESTIONS]


class Before(NamedTuple):
    """A stopped server's directory, and what it answered."""

    data: Path
    sandbox: str
    live: str
    answers: list[object]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Before:
    data = tmp_path_factory.mktemp("rebuild") / "data"
    with Server(data) as server:
        sandbox, live = server.key(), server.key("live")
        with server.client(sandbox) as client:
            for count in (1, 700, 3_000):
                publish(client, count)
            found = answers(client, 3_701)
        assert server.stop() == 0
    return Before(data, sandbox, live, found)


@pytest.mark.parametrize("loss", ["nothing", "the warehouse", "half of the warehouse"])
def test_the_answers_are_the_same_after_a_rebuild(before: Before, tmp_path: Path, loss: str) -> None:
    data = Path(shutil.copytree(before.data, tmp_path / "data"))
    path = data / "warehouse.duckdb"
    match loss:
        case "the warehouse":
            path.unlink()
        case "half of the warehouse":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = run_here("rebuild", "--data", data)
    assert done.status == 0, done.stderr
    assert "3701 events, as many as the log" in done.stdout
    assert sorted(file.name for file in data.glob("warehouse*")) == ["warehouse.duckdb"]
    with Server(data) as server:
        with server.client(before.sandbox) as client:
            assert answers(client, 3_701) == before.answers
            publish(client, 10)
            assert answers(client, 3_711) != before.answers, "and it goes on from there"
        with server.client(before.live) as client:
            assert answers(client, 0)[0] != before.answers[0], "nothing crossed over"


def test_a_damaged_record_leaves_the_old_warehouse_in_its_place(before: Before, tmp_path: Path) -> None:
    data = Path(shutil.copytree(before.data, tmp_path / "data"))
    old = (data / "warehouse.duckdb").read_bytes()
    with closing(sqlite3.connect(data / "meterhouse.db")) as connection, connection:
        connection.execute("UPDATE log SET events = events + 1 WHERE position = 2")
    done = run_here("rebuild", "--data", data)
    assert done.status == 1
    assert "Record 2 of the log is damaged" in done.stderr
    assert (data / "warehouse.duckdb").read_bytes() == old
    assert sorted(file.name for file in data.glob("warehouse*")) == ["warehouse.duckdb"]


def test_a_log_that_cannot_be_read_is_a_sentence(before: Before, tmp_path: Path) -> None:
    data = Path(shutil.copytree(before.data, tmp_path / "data"))
    with closing(sqlite3.connect(data / "meterhouse.db")) as connection, connection:
        connection.execute("UPDATE log SET body = x'28b52ffd00' WHERE position = 2")
    done = run_here("rebuild", "--data", data)
    assert done.status == 1
    assert "Record 2 of the log is damaged" in done.stderr
    assert "restore the last backup" in done.stderr
    assert (data / "warehouse.duckdb").exists(), "the old one stays"


def test_a_crashed_server_s_warehouse_is_swapped_with_its_write_ahead_log(tmp_path: Path) -> None:
    """Beside the new warehouse, the old one's would be taken for its own."""
    data = tmp_path / "data"
    with Server(data) as server:
        key = server.key()
        with server.client(key) as client:
            publish(client, 500)
            before = answers(client, 500)
        server.kill()
        assert run_here("rebuild", "--data", data).status == 0
        server.start()
        with server.client(key) as client:
            assert answers(client, 500) == before


def test_a_rebuild_beside_a_server_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        done = run_here("rebuild", "--data", server.data)
        assert done.status == 1
        assert done.stderr == f"meterhouse: A Meterhouse serves {server.data}: stop it first.\n"


def test_what_is_left_of_an_interrupted_rebuild_does_no_harm(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server(data) as server:
        with server.client(server.key()) as client:
            publish(client, 20)
            answers(client, 20)
        assert server.stop() == 0
    (data / "warehouse.new.duckdb").write_bytes(b"half of one")
    (data / "warehouse.new.duckdb.wal").write_bytes(b"and its log")
    assert "20 events" in run_here("rebuild", "--data", data).stdout
    assert sorted(file.name for file in data.glob("warehouse*")) == ["warehouse.duckdb"]


def test_an_empty_log_is_rebuilt_too(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        assert server.stop() == 0
    assert "0 events" in run_here("rebuild", "--data", tmp_path / "data").stdout


def test_a_directory_that_is_none_is_not_made_one(tmp_path: Path) -> None:
    done = run_here("rebuild", "--data", tmp_path / "typo")
    assert done.status == 1
    assert "is no data directory" in done.stderr
    assert not (tmp_path / "typo").exists()
