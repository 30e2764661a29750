"""When a transaction fails, everybody who waits for it is told, and the next one goes on."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest

from meterhouse.metering.decide import decide
from meterhouse.model.credit import CreditKind
from meterhouse.model.errors import LogUnavailable
from meterhouse.model.event import Columns, Outcome, Submission
from meterhouse.model.ledger import Credit, Recording, Track
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.database import Database, Job
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.log import SqliteLog


@pytest.fixture
def index(tmp_path: Path) -> Iterator[KeyIndex]:
    with closing(KeyIndex(tmp_path / "keys")) as index:
        yield index


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    with closing(Accounts(tmp_path / "ledger")) as accounts:
        yield accounts


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "meterhouse.db")) as database:
        yield database


def event(key: str | None = None) -> Submission:
    return Submission(1, Columns(["a.b"], ["cus_1"], [None], [1], [0], [None], [key], [None]))


def beat(connection: sqlite3.Connection, *, at: int) -> None:
    connection.execute("UPDATE heartbeat SET at = ?", (at,))


def filling_the_disk(connection: sqlite3.Connection) -> None:
    """Write more than SQLite may, which is its own error for a full disk."""
    connection.execute("CREATE TABLE large (body BLOB)")
    (limit,) = connection.execute("PRAGMA max_page_count = 1").fetchone()
    try:
        connection.execute("INSERT INTO large VALUES (zeroblob(?))", (limit * 65536 % 2**24 + 2**24,))
    finally:
        connection.execute("PRAGMA max_page_count = 1073741823")


def misspelt(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE heartbeat SET at = 9")
    connection.execute("SELECT nothing FROM heartbeat")


async def together(database: Database, *jobs: Job) -> threading.Event:
    """Keep the writer busy until the event is set, so that these and what is submitted meanwhile share
    the next transaction."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(connection: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait(60)

    database.submit(Job(hold, lambda _: None))
    await asyncio.to_thread(begun.wait, 60)
    for job in jobs:
        database.submit(job)
    return go_on


async def test_a_log_that_did_not_get_its_turn_says_so_and_takes_the_next(
    database: Database, index: KeyIndex, accounts: Accounts
) -> None:
    log = SqliteLog(database, index, accounts, 100)
    go_on = await together(database, Job(filling_the_disk, lambda _: None))
    refused = asyncio.create_task(log.append(event("a")))
    await asyncio.sleep(0)  # it waits
    await asyncio.sleep(0)  # its commit is queued behind the failing job
    go_on.set()
    with pytest.raises(LogUnavailable):
        await refused
    assert (await log.append(event("a"))).repeats == {}


async def test_an_index_that_cannot_be_read_fails_the_commit_and_nothing_else(
    database: Database, index: KeyIndex, accounts: Accounts
) -> None:
    log = SqliteLog(database, index, accounts, 2)
    for _ in range(3):  # were the waiting miscounted, the third would be refused as one too many
        with patch.object(KeyIndex, "get", side_effect=LogUnavailable), pytest.raises(LogUnavailable):
            await log.append(event("a"))
    assert (await log.append(event("a"))).repeats == {}
    assert log.position == 1


@pytest.mark.parametrize("others", [0, 2])
async def test_an_error_of_sqlite_that_is_not_the_disks_fails_its_own_job(
    database: Database, index: KeyIndex, accounts: Accounts, others: int
) -> None:
    log = SqliteLog(database, index, accounts, 100)
    errors: list[Exception | None] = []
    done: list[Exception | None] = []
    beats = [Job(partial(beat, at=at), done.append) for at in range(others)]
    go_on = await together(database, *beats, Job(misspelt, errors.append))
    stored = asyncio.create_task(log.append(event("a")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    go_on.set()
    assert (await stored).repeats == {}
    assert done == [None] * others
    assert isinstance(errors[0], LogUnavailable)
    found = database.reader().execute("SELECT at FROM heartbeat").fetchone()
    assert found == (max(0, others - 1),), "its own writes are undone, those of others are not"


async def test_a_usage_that_sqlite_refuses_fails_alone_in_its_commit(
    database: Database, index: KeyIndex, accounts: Accounts
) -> None:
    log = SqliteLog(database, index, accounts, 100)
    await database.write(lambda connection: connection.execute("ALTER TABLE purchase RENAME TO away"))
    go_on = await together(database)
    track = Track(
        scope_id=1, type="usage.a", customer_ref="cus_1", product_ref="prd_1", purchase_ref=None, meter=None,
        units=1, outcome=Outcome.SUCCESS, timestamp=None, key=None,
    )  # fmt: skip
    grant = Credit(scope_id=1, customer_ref="cus_1", kind=CreditKind.GRANT, credits=5, reason=None, key=None)
    before = asyncio.create_task(log.append(event("a")))
    usage = asyncio.create_task(log.record(Recording((track,), decide)))
    credit = asyncio.create_task(log.record(Recording((grant,), decide)))
    after = asyncio.create_task(log.append(event("b")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(LogUnavailable):
        await usage
    assert (await before).repeats == (await after).repeats == {}
    assert await credit
    assert log.position == 2, "the events' record, and the credit's"


async def test_a_lone_job_that_fails_leaves_nothing_behind(database: Database) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE heartbeat SET at = 7")
        raise ValueError

    with pytest.raises(ValueError):
        await database.write(half)
    assert database.reader().execute("SELECT at FROM heartbeat").fetchone() == (0,)
    await database.write(lambda connection: connection.execute("UPDATE heartbeat SET at = 8"))
    assert database.reader().execute("SELECT at FROM heartbeat").fetchone() == (8,)


async def test_what_is_read_in_one_turn_of_the_loop_is_of_one_moment(database: Database) -> None:
    assert database.reader().execute("SELECT at FROM heartbeat").fetchone() == (0,)
    with closing(sqlite3.connect(database.path)) as other:
        other.execute("UPDATE heartbeat SET at = 5")
        other.commit()
    assert database.reader().execute("SELECT at FROM heartbeat").fetchone() == (0,)
    await asyncio.sleep(0)  # the next turn
    assert database.reader().execute("SELECT at FROM heartbeat").fetchone() == (5,)


async def test_who_awaits_a_write_sees_it_whatever_others_read_meanwhile(database: Database) -> None:
    done = asyncio.Event()

    async def read_in_every_turn() -> None:
        while not done.is_set():
            database.reader().execute("SELECT at FROM heartbeat").fetchone()
            await asyncio.sleep(0)

    reading = asyncio.create_task(read_in_every_turn())
    for at in range(1, 200):
        await database.write(partial(beat, at=at))
        assert database.reader().execute("SELECT at FROM heartbeat").fetchone() == (at,)
    done.set()
    await reading


async def test_a_thread_without_a_loop_sees_at_once_what_others_wrote(database: Database) -> None:
    def read() -> tuple[object, object]:
        before = database.reader().execute("SELECT at FROM heartbeat").fetchone()
        with closing(sqlite3.connect(database.path)) as other:
            other.execute("UPDATE heartbeat SET at = 5")
            other.commit()
        return before, database.reader().execute("SELECT at FROM heartbeat").fetchone()

    assert await asyncio.to_thread(read) == ((0,), (5,))
