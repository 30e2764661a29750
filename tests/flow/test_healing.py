"""While a part is made again from the log, whatever does not need it works, and the rest says 503."""

import asyncio
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from meterhouse.model.errors import KeyIndexUnavailable
from meterhouse.model.event import Columns, Submission
from meterhouse.settings import Settings
from meterhouse.stores.embedded import healing, swap
from meterhouse.stores.embedded.accounts.fold import fold
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.log import SqliteLog
from meterhouse.wiring import open_service
from tests.conftest import Client, speak_to
from tests.flow.test_bit_flips import ASKED, EVENT, PROJECTIONS, everything, is_ready, lived
from tests.flow.waiting import until_equal

KEYED = EVENT | {"idempotencyKey": "event 7"}
FOLLOW = healing.follow


@pytest.fixture
def go_on(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A gap of 1 000 events is a long one, and what is made in the background waits for the event."""
    event = threading.Event()

    def held(work: Callable[..., Any]) -> Callable[..., Any]:
        def waiting(*arguments: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                assert event.wait(60)
            return work(*arguments)

        return waiting

    monkeypatch.setattr(healing, "_SHORT_EVENTS", 1_000)
    monkeypatch.setattr(healing, "follow", held(FOLLOW))
    monkeypatch.setattr(healing, "fold", held(fold))
    return event


async def code(client: Client, path: str, body: dict[str, Any]) -> tuple[int, str | None]:
    answer = await client.post(path, json=body)
    if answer.status_code == 503:
        assert answer.headers["retry-after"] == "5"
    return answer.status_code, answer.json().get("code")


@pytest.mark.parametrize("name", ["keys", "ledger"])
async def test_a_part_that_is_made_again_leaves_all_else_working(
    tmp_path: Path, go_on: threading.Event, name: str
) -> None:
    go_on.set()
    async with lived(tmp_path) as before:
        go_on.clear()
        shutil.rmtree(before.stopped / name)
        async with (
            open_service(Settings(data=str(before.stopped))) as service,
            speak_to(service, before.secret) as client,
        ):
            (sentence,) = service.healing
            assert "is being made again from the log" in sentence
            assert await code(client, "/v1/sdk/events", EVENT) == (201, None)
            without_key = (await code(client, "/v1/sdk/usages", ASKED | {"units": 1}))[1]
            with_key = (await code(client, "/v1/sdk/events", KEYED))[1]
            limit = (await code(client, "/v1/sdk/limits", ASKED))[1]
            if name == "keys":
                assert (without_key, with_key, limit) == (None, "key_index_unavailable", None)
            else:
                assert (without_key, with_key, limit) == ("ledger_unavailable", None, "ledger_unavailable")
            shared = await asyncio.gather(
                *(client.post("/v1/sdk/events", json=each) for each in (EVENT, KEYED) * 5)
            )
            assert {each.status_code for each in shared[::2]} == {201}, (
                "one commit, and only keys are refused"
            )
            ready = await client.get("/ready")
            assert ready.status_code == 503
            assert {"keys": "key index", "ledger": "ledger"}[name] in ready.json()["message"]
            go_on.set()
            await until_equal(lambda: is_ready(client), wanted=True)
            assert (await code(client, "/v1/sdk/events", KEYED))[0] == 200
            assert (await code(client, "/v1/sdk/usages", ASKED | {"units": 1}))[0] == 200


async def test_a_server_that_stops_while_it_heals_goes_on_at_the_next_start(
    tmp_path: Path, go_on: threading.Event
) -> None:
    go_on.set()
    async with lived(tmp_path) as before:
        for name in ("keys", "ledger"):
            shutil.rmtree(before.stopped / name)
        go_on.clear()
        settings = Settings(data=str(before.stopped))
        async with open_service(settings) as service:
            assert len(service.healing) == 2
            asyncio.get_running_loop().call_later(0.1, go_on.set)
        async with open_service(settings) as service, speak_to(service, before.secret) as client:
            assert await everything(client, before.purchase) == before.answers


async def test_a_part_that_is_damaged_twice_within_an_hour_stays_red(tmp_path: Path) -> None:
    with (
        closing(KeyIndex(tmp_path / "keys")) as index,
        closing(Accounts(tmp_path / "ledger")) as accounts,
        closing(Database(tmp_path / "meterhouse.db")) as database,
    ):
        log = SqliteLog(database, index, accounts, 100)
        await log.append(event("a"))
        running = asyncio.create_task(log.healing.run())
        index.follower.lose("a flipped bit")

        async def is_whole() -> bool:
            return index.follower.whole

        await until_equal(is_whole, wanted=True)
        assert len((await log.append(event("a"))).repeats) == 1
        index.follower.lose("another one")
        with capture_logs() as logs:

            async def said() -> bool:
                return any(each["event"] == "projection_damaged_twice" for each in logs)

            await until_equal(said, wanted=True)
        assert not index.follower.whole
        with pytest.raises(KeyIndexUnavailable):
            await log.append(event("a"))
        await log.append(event(None))
        assert set_aside_copies(tmp_path) == 1
        running.cancel()
        await asyncio.wait((running,))


def event(key: str | None) -> Submission:
    return Submission(1, Columns(["a.b"], ["cus_1"], [None], [1], [0], [None], [key], [None]))


@pytest.mark.parametrize("state", ["before", "between", "after"])
def test_a_swap_that_a_crash_cut_is_finished_or_undone(tmp_path: Path, state: str) -> None:
    ledger = tmp_path / "ledger"
    names = {
        "before": ("ledger", "ledger.new"),
        "between": ("ledger.old", "ledger.new"),
        "after": ("ledger", "ledger.old"),
    }
    for name in names[state]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    assert swap.leftovers(tmp_path)
    swap.finish(tmp_path)
    assert (ledger / "file").read_text() == ("ledger.new" if state == "between" else "ledger")
    assert [path.name for path in tmp_path.iterdir()] == ["ledger"]


def test_only_the_newest_copy_set_aside_is_kept(tmp_path: Path) -> None:
    for _ in range(3):
        with closing(KeyIndex(tmp_path / "keys")) as index:
            index.follower.begin_again("a test")
    assert set_aside_copies(tmp_path) == 1


async def test_projections_are_closed_to_other_users(tmp_path: Path) -> None:
    async with open_service(Settings(data=str(tmp_path))):
        for name in PROJECTIONS:
            mode = stat.S_IMODE((tmp_path / name).stat().st_mode)
            assert mode in (0o600, 0o700), name


async def test_readiness_names_the_part_whose_files_are_gone_and_forgives(tmp_path: Path) -> None:
    async with open_service(Settings(data=str(tmp_path))) as service:
        assert service.first_start is not None
        async with speak_to(service, service.first_start.secret) as client:
            await until_equal(lambda: is_ready(client), wanted=True)
            with closing(sqlite3.connect(tmp_path / "meterhouse.db")) as other:
                for table in ("log", "heartbeat"):
                    other.execute(f"ALTER TABLE {table} RENAME TO lost")
                    await until_equal(lambda: failed_parts(client), "log")
                    other.execute(f"ALTER TABLE lost RENAME TO {table}")
                    await until_equal(lambda: is_ready(client), wanted=True)
            for name, part in (("keys", "key index"), ("ledger", "ledger")):
                (tmp_path / name / "probe").mkdir()  # as a disk that takes no file there
                await until_equal(lambda: failed_parts(client), part)
                (tmp_path / name / "probe").rmdir()
                await until_equal(lambda: is_ready(client), wanted=True)


def set_aside_copies(data: Path) -> int:
    return len(list(data.glob("keys.unreadable-*")))


async def failed_parts(client: Client) -> str:
    answer = await client.get("/ready")
    message: str = answer.json().get("message", "")
    assert str(answer.json().get("code", "not_ready")) == "not_ready"
    return message.partition(": ")[2].partition(". ")[0]
