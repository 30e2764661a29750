"""`meterhouse backup` and `restore`, as an operator uses them: under load, killed, damaged, and cut short."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from meterhouse.stores.embedded.backup import manifest
from tests.e2e.run import Done, run, run_here
from tests.e2e.server import Server, clean_environment
from tests.e2e.test_doctor import EVENT, lines, publish
from tests.e2e.wait import until

BULK = 100
KILLED_AT_A_FILE_EVENT = """
import os, signal, sys
from meterhouse.cli import main
moment, seen = int(sys.argv.pop(1)), 0
def watch(event, arguments):
    global seen
    named = [os.fspath(each) for each in arguments if isinstance(each, (str, os.PathLike))]
    ours = any(sys.argv[2] in name or sys.argv[4] in name for name in named)
    if ours and event in {"open", "os.rename", "os.remove", "sqlite3.connect"}:
        seen += 1
        if seen == moment:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
main()
"""


def ok(*arguments: str | Path) -> Done:
    done = run_here(*arguments)
    assert done.status == 0, done.stderr
    return done


def held(backup: Path) -> manifest.Manifest:
    found = manifest.read(backup)
    assert found is not None
    return found


def answers(data: Path) -> list[Any]:
    """Return what a server on a directory says of all its events and customers."""
    with Server(data) as server, server.client(server.key()) as client:
        stored = client.get("/v1/ingest").json()["total"]["stored"]
        until(
            lambda: _count(client, kind="all") == stored,
            "all events are seen",
        )
        everything = {"kind": "all", "groupBy": "type,customerRef", "top": "1000"}
        asked = [
            client.get("/v1/usage", params=everything | {"aggregate": each}) for each in ("sum", "count")
        ]
        customers = client.get("/v1/customers", params={"limit": "100"}).json()
        refs = [customer["reference"] for customer in customers["customers"]]
        asked += [client.get(f"/v1/sdk/customers/{ref}/balance") for ref in refs]
        assert server.stop() == 0
    return [customers, *(each.raise_for_status().json() for each in asked)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose server was stopped, with a backup of it at position 2 beside it: `first`."""
    directory = tmp_path_factory.mktemp("backup")
    with Server(directory / "data") as server:
        key = server.key()
        publish(server, key, "a")
        publish(server, key, "b")
        ok("backup", directory / "first", "--data", directory / "data")
        publish(server, key, "c")
        assert server.stop() == 0
    return directory


@pytest.fixture
def data(source: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(source / "data", tmp_path / "data"))


@pytest.fixture
def backup(source: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(source / "first", tmp_path / "first"))


@contextmanager
def loaded(server: Server, key: str) -> Iterator[list[str]]:
    """Publish bulks with keys, without a pause; yield the prefixes that were acknowledged by now."""
    acknowledged: list[str] = []
    end = threading.Event()

    def send() -> None:
        with server.client(key) as client:
            while not end.is_set():
                name = f"load-{len(acknowledged)}"
                events = [EVENT | {"idempotencyKey": f"{name}-{row}"} for row in range(BULK)]
                client.post("/v1/sdk/events/bulk", json={"events": events}).raise_for_status()
                acknowledged.append(name)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield acknowledged
    finally:
        end.set()
        sender.join()


@pytest.mark.alone
def test_backup_under_load_holds_all_events_acknowledged_before_it(tmp_path: Path) -> None:
    backup, restored = tmp_path / "backup", tmp_path / "restored"
    with Server(tmp_path / "data") as server:
        key = server.key()
        with loaded(server, key) as acknowledged:
            before = 0
            for _ in range(3):
                before = len(acknowledged)
                assert run("backup", backup, "--data", tmp_path / "data").status == 0
        after = len(acknowledged)
    made = held(backup)
    assert made.number == 3
    assert before * BULK <= made.events <= after * BULK + BULK
    ok("restore", backup, "--data", restored)
    assert "absent" in lines(restored, status=0)["key index"]
    with Server(restored) as server, server.client(key) as client:
        repeated = [EVENT | {"idempotencyKey": f"{name}-0"} for name in acknowledged[:before]]
        answer = client.post("/v1/sdk/events/bulk", json={"events": repeated[:10_000]}).json()
        assert (answer["stored"], answer["duplicates"]) == (0, len(repeated[:10_000]))
        publish(server, key, "afterwards", 1)
        assert client.get("/v1/usage", params={"aggregate": "count"}).json()["total"] == made.events + 1
        assert server.stop() == 0
    assert f"{made.events + 1} events, as many as the log" in lines(restored, status=0)["warehouse"]


def test_restored_server_answers_as_the_one_that_was_backed_up(tmp_path: Path) -> None:
    original = tmp_path / "data"
    with Server(original) as server:
        key = server.key()
        said = {"METERHOUSE_URL": server.url, "METERHOUSE_API_KEY": key}
        demo = run("demo", "--backfill-days", "1", "--events", "500", "--customers", "8", environment=said)
        assert demo.status == 0, demo.stderr
        ok("backup", tmp_path / "backup", "--data", original)
        assert server.stop() == 0
    ok("restore", tmp_path / "backup", "--data", tmp_path / "restored")
    assert answers(tmp_path / "restored") == answers(original)
    assert "all is as it was" in ok("rebuild", "--ledger", "--data", tmp_path / "restored").stdout


def test_ledger_follows_a_log_that_was_cut_short(tmp_path: Path) -> None:
    """Credits, holds and purchases whose later effects were left out."""
    with Server(tmp_path / "data") as server:
        said = {"METERHOUSE_URL": server.url, "METERHOUSE_API_KEY": server.key()}
        demo = run("demo", "--backfill-days", "1", "--events", "500", "--customers", "8", environment=said)
        assert demo.status == 0, demo.stderr
        assert server.stop() == 0
    ok("backup", tmp_path / "backup", "--data", tmp_path / "data")
    position = held(tmp_path / "backup").position // 2
    restored = tmp_path / "restored"
    ok("restore", tmp_path / "backup", "--data", restored, "--to-position", str(position))
    assert answers(restored)
    assert "all is as it was" in ok("rebuild", "--ledger", "--data", restored).stdout
    lines(restored, status=0)


def test_second_backup_copies_only_new_records(data: Path, backup: Path) -> None:
    before = held(backup)
    ok("backup", backup, "--data", data)
    after = held(backup)
    assert after.log[:-1] == before.log
    assert (after.log[-1].first_position, after.events) == (before.position + 1, 300)
    assert {path.name for path in backup.iterdir()} == {"lock", manifest.NAME, *(f.name for f in after.files)}
    ok("backup", backup, "--data", data)
    assert held(backup).log == after.log, "there was nothing new"


def test_backup_killed_at_any_moment_leaves_a_valid_one(data: Path, backup: Path, tmp_path: Path) -> None:
    """Killed at its first file operation, its second, and so on, until one is not killed."""
    killed, moment = True, 0
    while killed:
        moment += 1
        target = Path(shutil.copytree(backup, tmp_path / f"killed-{moment}"))
        killed = _killed(moment, "backup", target, "--data", data)
        made = held(target)
        assert made.events in {200, 300}
        restored = tmp_path / "restored"
        ok("restore", target, "--data", restored)
        assert f"{made.events} stored, as many in the log" in lines(restored, status=0)["tally"]
        shutil.rmtree(restored)
        ok("backup", target, "--data", data)
        assert {path.name for path in target.iterdir()} == {
            "lock",
            manifest.NAME,
            *(file.name for file in held(target).files),
        }
        assert killed or made.events == 300
    assert moment > 10


def test_restore_killed_at_any_moment_can_be_done_again(backup: Path, tmp_path: Path) -> None:
    killed, moment = True, 0
    while killed:
        moment += 1
        restored = tmp_path / f"killed-{moment}"
        killed = _killed(moment, "restore", backup, "--data", restored)
        if not (restored / "meterhouse.db").exists():
            ok("restore", backup, "--data", restored)
        assert "200 stored, as many in the log" in lines(restored, status=0)["tally"]
    assert moment > 5


def test_flipped_byte_is_refused_and_the_file_named(data: Path, backup: Path, tmp_path: Path) -> None:
    ok("backup", backup, "--data", data)
    for path in [backup / manifest.NAME, *(backup / file.name for file in held(backup).files)]:
        sound = path.read_bytes()
        for place in {0, len(sound) // 3, len(sound) // 2, len(sound) - 1}:
            path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
            done = run_here("restore", backup, "--data", tmp_path / "restored")
            assert (done.status, str(path) in done.stderr) == (1, True), f"{path} {place}: {done.stderr}"
            assert not (tmp_path / "restored").exists()
        path.write_bytes(sound)
    ok("restore", backup, "--data", tmp_path / "restored")


def test_missing_file_is_refused_and_named(backup: Path, tmp_path: Path) -> None:
    missing = backup / held(backup).log[0].file.name
    missing.unlink()
    done = run_here("restore", backup, "--data", tmp_path / "restored")
    assert (done.status, f"{missing} is missing" in done.stderr) == (1, True)


def test_restore_to_a_position_leaves_out_later_events(data: Path, backup: Path, tmp_path: Path) -> None:
    ok("backup", backup, "--data", data)
    restored = tmp_path / "restored"
    done = ok("restore", backup, "--data", restored, "--to-position", "1")
    assert "100 events, to position 1 of 3" in done.stdout
    assert "100 stored, as many in the log" in lines(restored, status=0)["tally"]
    with Server(restored) as server:
        key = server.key()
        publish(server, key, "b")
        with server.client(key) as client:
            total = client.get("/v1/ingest").json()["total"]
        assert (total["stored"], total.get("duplicates", 0)) == (200, 0), "the keys left out are free"
        assert server.stop() == 0
    assert "200 events, as many as the log" in lines(restored, status=0)["warehouse"]
    assert "they differ at position 3" in run_here("backup", backup, "--data", restored).stderr


@pytest.mark.parametrize("position", ["-1", "3"])
def test_position_outside_the_backup_is_refused(backup: Path, tmp_path: Path, position: str) -> None:
    done = run_here("restore", backup, "--data", tmp_path / "restored", "--to-position", position)
    assert (done.status, "from 0 to 2" in done.stderr) == (1, True)
    assert not (tmp_path / "restored").exists()


def test_restore_refuses_a_directory_with_files(data: Path, backup: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    done = run_here("restore", backup, "--data", data)
    assert (done.status, "is not empty" in done.stderr) == (1, True)
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before


def test_backup_refuses_a_directory_with_other_files(data: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_bytes(b"cat")
    for target in (tmp_path / "photos", data):
        done = run_here("backup", target, "--data", data)
        assert (done.status, "has other files" in done.stderr) == (1, True)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.png"]


def test_backup_refuses_the_backup_of_another_log(backup: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with Server(other) as server:
        for name in ("x", "y", "z"):
            publish(server, server.key(), name)
        before = (backup / manifest.NAME).read_bytes()
        done = run_here("backup", backup, "--data", other)
    assert (done.status, "a backup of another log" in done.stderr) == (1, True)
    assert (backup / manifest.NAME).read_bytes() == before


def test_backup_refuses_a_log_that_lacks_a_record(data: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(data / "meterhouse.db")) as connection:
        connection.execute("DELETE FROM log WHERE position = 2")
        connection.commit()
    done = run_here("backup", tmp_path / "backup", "--data", data)
    assert (done.status, "lacks records" in done.stderr) == (1, True)
    assert not (tmp_path / "backup" / manifest.NAME).exists()


def test_manifest_says_what_the_documentation_says(backup: Path) -> None:
    found = msgspec.json.decode((backup / manifest.NAME).read_bytes())
    assert (found["position"], found["events"], found["number"]) == (2, 200, 1)
    assert found.keys() >= {"version", "madeAt", "schema", "catalog", "log", "sha256"}
    assert found["catalog"].keys() == {"name", "sizeBytes", "sha256"}


def test_restore_from_a_directory_without_a_backup_is_refused(tmp_path: Path) -> None:
    done = run_here("restore", tmp_path, "--data", tmp_path / "restored")
    assert (done.status, "holds no backup" in done.stderr) == (1, True)


def _count(client: httpx.Client, **asked: str) -> Any:
    return client.get("/v1/usage", params={"aggregate": "count", **asked}).json().get("total")


def _killed(moment: int, *arguments: str | Path) -> bool:
    """Run a command that kills itself before an operation on its first argument's or its data's files."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_A_FILE_EVENT, str(moment), *map(str, arguments)],
        env=clean_environment(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode != 0
