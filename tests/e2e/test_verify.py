"""`meterhouse verify` agrees with a sound directory, and names the first difference of any other."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.key_index import Entry, KeyIndex
from tests.e2e.run import Done, run, run_here
from tests.e2e.server import Server
from tests.e2e.test_doctor import EVENT, publish
from tests.e2e.wait import until

FIRST = "event_number = (SELECT min(event_number) FROM event)"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of a killed server, with events, usages and credits."""
    data = tmp_path_factory.mktemp("verify") / "data"
    with Server(data) as server:
        key = server.key()
        publish(server, key, "a")
        publish(server, key, "b")
        with server.client(key) as client:
            grant = f"/v1/sdk/customers/{EVENT['customerRef']}/credits"
            client.post(grant, json={"credits": 50}).raise_for_status()
            for row in range(5):
                usage = {"actionType": "api_call", "customerRef": EVENT["customerRef"], "units": row}
                client.post("/v1/sdk/usages", json=usage).raise_for_status()
            until(
                lambda: (
                    client.get("/v1/usage", params={"aggregate": "count", "kind": "all"}).json()["total"]
                    == 205
                ),
                "the usages are seen",
            )
        server.kill()
    return data


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "data"))


def test_a_sound_directory_agrees_and_is_left_as_it_is(data: Path) -> None:
    done = run("verify", "--data", data)
    assert done.status == 0, done
    assert "205 events" in done.stdout
    assert "(200 keys)" in done.stdout
    names = {path.name for path in data.iterdir()}
    assert run_here("verify", "--data", data) == done, "again, it says the same"
    assert {path.name for path in data.iterdir()} == names
    assert "verify.tmp" not in names


def sql(statement: str) -> Callable[[Path], None]:
    def harm(data: Path) -> None:
        with closing(sqlite3.connect(data / "meterhouse.db")) as connection, connection:
            connection.execute(statement)

    return harm


def columns(statement: str) -> Callable[[Path], None]:
    def harm(data: Path) -> None:
        with duckdb.connect(data / "warehouse.duckdb") as connection:
            connection.execute(statement)

    return harm


def add_a_key(data: Path) -> None:
    with closing(KeyIndex(data / "keys")) as index:
        index.put({b"k" * 16: Entry(1, b"f" * 8)}, index.position)


def change_a_key(data: Path) -> None:
    with closing(KeyIndex(data / "keys")) as index:
        key, value = next(each for each in index.follower.scan(b"", b"\xff" * 17) if len(each[0]) == 16)
        index.put({key: Entry(int.from_bytes(value[:8], "big"), b"f" * 8)}, index.position)


def change_the_ledger(data: Path) -> None:
    with closing(Accounts(data / "ledger")) as accounts:
        accounts.follower.put({b"b\x00\x00\x00\x01cus_3C4D5E6F": b"\x92\x07\x00"}, accounts.position)


def cut_the_tail(data: Path) -> None:
    sql("DELETE FROM log WHERE position = (SELECT max(position) FROM log)")(data)
    sql("UPDATE ingest_tally SET events = events - 1 WHERE code IN ('received', 'stored')")(data)


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (sql("UPDATE log SET first_number = first_number + 1 WHERE position = 2"), "ecord 2 "),
        (sql("DELETE FROM log WHERE position = 3"), "3"),
        (sql("UPDATE ingest_tally SET events = events + 1 WHERE code = 'stored'"), "tally"),
        (cut_the_tail, "the log has lost its end"),
        (add_a_key, f"{(b'k' * 16).hex()} (evt_0000000000000001"),
        (change_a_key, "has another value"),
        (change_the_ledger, "the balance of customer cus_3C4D5E6F"),
        (
            columns(f"UPDATE event SET units_whole = 7 WHERE {FIRST}"),
            "customer cus_3C4D5E6F: the log has",
        ),
        (
            columns(f"UPDATE event SET details = '{{}}' WHERE {FIRST}"),
            "but with other contents",
        ),
        (columns("DELETE FROM event WHERE kind = 2"), "the 15 minutes from"),
        (
            columns("INSERT INTO rollup SELECT 0, 1, 1, 0, NULL, NULL, NULL, 1, 1, 1, 1, 1, 1, 1"),
            "1970-01-01 00:00 UTC, scope 1",
        ),
        (columns("UPDATE position SET log_position = 99"), "the log ends at"),
        (lambda data: (data / "warehouse.duckdb").write_bytes(b"x" * 5000), "cannot be read"),
    ],
    ids=[
        "a changed record", "a lost record", "counts", "a cut tail", "a key too many", "a changed key",
        "a balance", "units", "contents", "lost rows", "a rollup", "ahead", "no database",
    ],
)  # fmt: skip
def test_the_first_difference_is_named(data: Path, harm: Callable[[Path], None], named: str) -> None:
    assert verified(data).status == 0
    harm(data)
    done = verified(data)
    assert done.status == 1, done
    assert named in done.stderr, done
    assert not (data / "verify.tmp").exists()


def verified(data: Path) -> Done:
    return run_here("verify", "--data", data)


def test_beside_a_server_it_says_that_it_must_be_stopped(data: Path) -> None:
    with Server(data):
        done = run_here("verify", "--data", data)
    assert done.status == 1
    assert "stop it first" in done.stderr


def test_leftovers_of_a_verify_that_was_killed_are_deleted_by_the_next(data: Path) -> None:
    (data / "verify.tmp").mkdir()
    (data / "verify.tmp" / "warehouse.duckdb").write_bytes(b"x")
    assert verified(data).status == 0
    assert not (data / "verify.tmp").exists()
