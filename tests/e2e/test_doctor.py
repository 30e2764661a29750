"""`meterhouse doctor` names what is wrong, and nothing else."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from meterhouse.model.event import to_microseconds
from meterhouse.model.finding import Health
from meterhouse.stores.embedded.checks import books
from meterhouse.stores.embedded.directory_lock import DirectoryLock
from tests.contract.test_migrations import written_before
from tests.e2e.run import run, run_here
from tests.e2e.server import Server
from tests.e2e.wait import until

EVENT = {"type": "usage.api_call", "customerRef": "cus_3C4D5E6F", "units": 1}


def publish(server: Server, key: str, name: str, count: int = 100) -> None:
    events = [EVENT | {"idempotencyKey": f"{name}-{row}"} for row in range(count)]
    with server.client(key) as client:
        client.post("/v1/sdk/events/bulk", json={"events": events}).raise_for_status()
        stored = client.get("/v1/ingest").json()["total"]["stored"]
        until(
            lambda: client.get("/v1/usage", params={"aggregate": "count"}).json().get("total") == stored,
            "the events are seen",
        )


def lines(data: Path, status: int) -> dict[str, str]:
    """Return what the doctor said, by subject."""
    done = run_here("doctor", "--data", data)
    assert done.status == status, done.stdout + done.stderr
    found = {}
    for line in done.stdout.splitlines():
        health, rest = line[:15].strip(), line[15:]
        found[rest.partition(":")[0]] = f"{health}: {rest}"
    return found


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose server was stopped; tests harm copies of it."""
    data = tmp_path_factory.mktemp("doctor") / "data"
    with Server(data) as server:
        key = server.key()
        for name in ("a", "b", "c"):
            publish(server, key, name)
        with server.client(key) as client:
            assert client.post("/v1/sdk/events", json=EVENT | {"units": -1}).status_code == 400
        assert server.stop() == 0
    return data


@pytest.fixture
def data(healthy: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(healthy, tmp_path / "data"))


def test_a_healthy_directory_has_no_problem(data: Path) -> None:
    found = lines(data, status=0)
    assert {line.partition(":")[0] for line in found.values()} <= {"ok", "warning"}
    assert "300 stored, as many in the log" in found["tally"]
    assert "300 events, as many as the log" in found["warehouse"]
    assert "where the log ends" in found["key index"]
    assert found.keys() >= {"disk", "file system", "permissions", "schema", "log", "event numbers", "clock"}


def test_a_log_from_before_checksums_is_no_problem(tmp_path: Path) -> None:
    with written_before(tmp_path / "meterhouse.db", "0014"):
        pass
    found = list(books.check(tmp_path, lambda: datetime.now(UTC)))
    assert {each.health for each in found} == {Health.OK, Health.WARNING, Health.UNSEEN}


def test_looking_changes_nothing(data: Path) -> None:
    lines(data, status=0)
    again = lines(data, status=0)
    assert "300 events" in again["warehouse"]
    assert not list(data.glob("*unreadable*"))


def test_beside_a_server_it_says_what_it_could_not_look_at(data: Path) -> None:
    with Server(data) as server:
        publish(server, server.key(), "d")
        found = lines(data, status=0)
        assert found["key index"].startswith("not looked at")
        assert found["warehouse"].startswith("not looked at")
        assert "400 stored" in found["tally"]


def test_an_event_that_comes_after_the_clock_was_read_raises_no_alarm(data: Path) -> None:
    now = datetime.now(UTC)
    later_us = to_microseconds(now) + 30_000_000

    def clock() -> datetime:
        change(f"UPDATE log SET received_at = {later_us} WHERE position = 3")(data)
        return now

    (found,) = [each for each in books.check(data, clock) if each.subject == "clock"]
    assert found.health == Health.OK, found
    (found,) = [each for each in books.check(data, clock) if each.subject == "clock"]
    assert found.health == Health.PROBLEM, "a clock that is really behind"


def change(*statements: str) -> Callable[[Path], None]:
    def harm(data: Path) -> None:
        with closing(sqlite3.connect(data / "meterhouse.db")) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    return harm


def tear(name: str) -> Callable[[Path], None]:
    def harm(data: Path) -> None:
        whole = bytearray((data / name).read_bytes())
        whole[2 * len(whole) // 5 : 4 * len(whole) // 5] = b"\xa5" * (2 * len(whole) // 5)
        (data / name).write_bytes(whole)

    return harm


def scrap_keys(data: Path) -> None:
    for file in (data / "keys").iterdir():
        file.write_bytes(b"x")


def flip_a_block_of(name: str) -> Callable[[Path], None]:
    """As a rotting disk does: the file opens, and one of its blocks has another checksum."""

    def harm(data: Path) -> None:
        (file,) = (data / name).glob("*.sst")
        whole = bytearray(file.read_bytes())
        whole[8] ^= 1
        file.write_bytes(whole)

    return harm


def lose_records(data: Path) -> None:
    """As a backup of the log does that is restored beside what came after it."""
    change(
        "DELETE FROM log WHERE position > 1", "UPDATE ingest_tally SET events = 100 WHERE code = 'stored'"
    )(data)


@pytest.mark.parametrize(
    ("harm", "subject", "sentence"),
    [
        (change("DELETE FROM log WHERE position = 2"), "log", "some are missing"),
        (change("UPDATE log SET first_number = 1 WHERE position = 3"), "event numbers", "position 3"),
        (
            change("UPDATE ingest_tally SET events = events + 1 WHERE code = 'stored'"),
            "tally",
            "301 events were counted as stored, and the log holds 300",
        ),
        (
            change("UPDATE ingest_tally SET events = events + 1 WHERE code = 'received'"),
            "tally",
            "were received and",
        ),
        (change("UPDATE log SET received_at = 5 WHERE position = 2"), "records", "record 2: it is not as"),
        (change("DELETE FROM log_chain"), "records", "log_chain"),
        (change("PRAGMA user_version = 999"), "schema", "version 999"),
        (change("DROP INDEX purchase_current"), "schema", "lacks index purchase_current"),
        (change("UPDATE log SET received_at = 4102444800000000 WHERE position = 3"), "clock", "2100-01-01"),
        (tear("meterhouse.db"), "meterhouse.db", ""),
        (scrap_keys, "key index", "cannot be opened"),
        (flip_a_block_of("keys"), "key index", "block checksum mismatch"),
        (lose_records, "key index", "the log ends at 1"),
        (lose_records, "warehouse", "the log ends at 1"),
        (tear("warehouse.duckdb"), "warehouse", ""),
        (lambda data: (data / "meterhouse.db").chmod(0o666), "permissions", "anybody may write"),
    ],
    ids=[
        "a record is gone", "numbers go back", "stored is not the log", "received is not the sum",
        "a changed record", "a chain without a beginning", "a newer schema",
        "another schema", "the clock is behind", "a torn database", "a torn index", "a flipped bit",
        "the index is ahead",
        "the warehouse is ahead", "a torn warehouse", "writable by anybody",
    ],
)  # fmt: skip
def test_what_is_wrong_is_a_problem_with_a_remedy(
    data: Path, harm: Callable[[Path], None], subject: str, sentence: str
) -> None:
    harm(data)
    found = lines(data, status=1)
    assert found[subject].startswith("problem: "), found
    assert sentence in found[subject]
    assert len(found[subject].split(". ", 1)[1]) > 10, "it says what to do"


def test_what_an_accident_left_behind_is_a_warning(data: Path) -> None:
    (data / "warehouse.duckdb.unreadable-1").write_bytes(b"x")
    (data / "warehouse.new.duckdb").write_bytes(b"x")
    assert lines(data, status=0)["leftover"].startswith("warning")


def test_the_files_of_a_running_rebuild_are_no_leftovers(data: Path) -> None:
    (data / "ledger.new").mkdir()
    (data / "warehouse.new.duckdb").write_bytes(b"x")
    (data / "first-start.txt").unlink()
    assert lines(data, status=0)["leftover"].startswith("warning")
    with closing(DirectoryLock(data)):
        assert "leftover" not in lines(data, status=0)


def test_a_directory_that_others_may_look_into_is_a_warning(data: Path) -> None:
    assert lines(data, status=0)["permissions"].startswith("ok")
    data.chmod(0o750)
    found = lines(data, status=0)["permissions"]
    assert found.startswith("warning")
    assert f"chmod 700 {data}" in found


def test_what_the_next_start_makes_again_is_no_problem(data: Path) -> None:
    (data / "warehouse.duckdb").unlink()
    shutil.rmtree(data / "keys")
    found = lines(data, status=0)
    assert "absent" in found["warehouse"]
    assert "absent" in found["key index"]


def test_a_directory_that_is_none_is_said_and_not_made(tmp_path: Path) -> None:
    done = run_here("doctor", "--data", tmp_path / "typo")
    assert done.status == 1
    assert "is no data directory" in done.stderr
    assert not (tmp_path / "typo").exists()


def test_a_damaged_record_ends_each_command_that_reads_it_in_a_sentence(data: Path) -> None:
    change("UPDATE log SET received_at = received_at + 1 WHERE position = 3")(data)
    for command in (
        ("serve", "--port", "0"), ("rebuild",), ("rebuild", "--ledger"), ("verify",),
    ):  # fmt: skip
        done = run(*command, "--data", data)
        assert done.status == 1, done
        assert "ecord 3" in done.stderr, done
        assert "restore the last backup" in done.stderr, done
