"""The embedded log proves itself: whatever changes in it is detected, with the position."""

import asyncio
import random
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from meterhouse.metering.decide import decide
from meterhouse.model.credit import CreditKind
from meterhouse.model.errors import LogDamaged
from meterhouse.model.event import Columns, Submission
from meterhouse.model.ledger import Credit, Recording
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.digests import Examined, cover, examine
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.log import SqliteLog
from meterhouse.stores.embedded.records import Packer, UsageBody
from tests.contract.test_migrations import written_before

COLUMNS = ("position", "kind", "received_at", "first_number", "events", "body", "checksum")
SEED = 14


def events(count: int, name: str) -> Columns:
    keys: list[str | None] = [f"{name}-{row}" for row in range(count)]
    return Columns(
        ["usage.call"] * count, ["cus_1"] * count, [None] * count, list(range(count)), [0] * count,
        [None] * count, keys, ['{"text":"a rather long text"}'] * count,
    )  # fmt: skip


def granting() -> Recording:
    grant = Credit(scope_id=1, customer_ref="cus_1", kind=CreditKind.GRANT, credits=5, reason=None, key=None)
    return Recording((grant,), decide)


class Opened:
    """A data directory's log, with what follows it."""

    def __init__(self, directory: Path) -> None:
        self.database = Database(directory / "meterhouse.db")
        self._index = KeyIndex(directory / "keys")
        self.accounts = Accounts(directory / "ledger")
        try:
            self.log = SqliteLog(self.database, self._index, self.accounts, 100_000)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.database.close()
        self._index.close()
        self.accounts.close()


@pytest.fixture
async def directory(tmp_path: Path) -> Path:
    """A closed directory with 12 records, of both kinds, of one event and of many."""
    with closing(Opened(tmp_path)) as opened:
        for round_ in range(4):
            await opened.log.append(Submission(1, events(1, f"one-{round_}")))
            await opened.log.append(Submission(1, events(200, f"many-{round_}")))
            await opened.log.record(granting())
        assert opened.log.position == 12
    return tmp_path


@pytest.fixture
def connection(directory: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(directory / "meterhouse.db", isolation_level=None)) as connection:
        yield connection


def found(connection: sqlite3.Connection) -> list[LogDamaged]:
    return list(examine(connection, Examined()))


async def test_each_record_carries_the_checksum_of_itself_and_the_one_before(tmp_path: Path) -> None:
    with closing(Opened(tmp_path)) as opened:
        await asyncio.gather(  # one commit, three records
            opened.log.append(Submission(1, events(20_000, "a"))),
            opened.log.append(Submission(1, events(10, "b"))),
            opened.log.record(granting()),
        )
        await opened.log.append(Submission(1, events(1, "c")))
    with closing(Opened(tmp_path)) as opened:  # the chain goes on after a start
        await opened.log.append(Submission(1, events(1, "d")))
        rows = opened.database.reader().execute(f"SELECT {', '.join(COLUMNS)} FROM log").fetchall()
    assert len(rows) == 5
    before = bytes(16)
    for position, kind, received_at, first_number, count, body, checksum in rows:
        whole = struct.pack(">QQ16sqqQB", 0, position, before, received_at, first_number, count, len(kind))
        before = sha256(whole + kind.encode() + body).digest()[:16]
        assert checksum == before, position


def flipped(value: object, chance: random.Random) -> object:
    """Return a value with one bit changed."""
    if isinstance(value, int):
        return value ^ 1 << chance.randrange(62)
    raw = bytearray(value.encode() if isinstance(value, str) else value)  # type: ignore[call-overload]
    bit = chance.randrange(8 * len(raw))
    raw[bit // 8] ^= 1 << bit % 8
    return bytes(raw)


async def test_a_flipped_bit_in_any_column_is_detected_with_its_position(
    connection: sqlite3.Connection,
) -> None:
    chance = random.Random(SEED)
    rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM log").fetchall()
    for row in rows * 5:
        for column, value in zip(COLUMNS, row, strict=True):
            new = flipped(value, chance)
            connection.execute("BEGIN")
            how = "CAST(? AS TEXT)" if isinstance(value, str) else "?"
            try:
                connection.execute(f"UPDATE log SET {column} = {how} WHERE position = ?", (new, row[0]))
            except sqlite3.IntegrityError:  # another record has this position
                assert column == "position"
            else:
                first = next(examine(connection, Examined()))
                assert first.first == row[0] or column == "position", (column, value, new)
                assert first.first <= row[0] <= first.last or first.first < row[0], (column, value, new)
                assert f"ecord{' ' if first.first == first.last else 's '}" in str(first)
            connection.execute("ROLLBACK")
    assert not found(connection)


async def test_a_flipped_bit_in_the_file_never_changes_a_record_unnoticed(directory: Path) -> None:
    path = directory / "meterhouse.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # everything is in the one file
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM log ORDER BY position").fetchall()
    whole = path.read_bytes()
    chance = random.Random(SEED)
    cells = [whole.index(row[5][:24]) for row in rows]
    places = [chance.randrange(max(0, start - 60), start + 60) for start in cells for _ in range(12)]
    places += [chance.randrange(len(whole)) for _ in range(200)]
    changed = 0
    for place in places:
        raw = bytearray(whole)
        raw[place] ^= 1 << chance.randrange(8)
        path.write_bytes(raw)
        with closing(sqlite3.connect(path)) as connection:
            try:
                now = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM log ORDER BY position").fetchall()
            except sqlite3.Error:
                now = []
            if now != rows:
                changed += 1
                try:
                    assert found(connection), f"byte {place}"
                except sqlite3.DatabaseError:  # not the record: SQLite does not read the table
                    continue
    assert changed > 100


@pytest.mark.parametrize(
    ("statements", "position"),
    [
        (["DELETE FROM log WHERE position = 5"], 5),
        (["DELETE FROM log WHERE position BETWEEN 5 AND 8"], 5),
        (["DELETE FROM log WHERE position = 1"], 1),
        (
            [
                "UPDATE log SET position = 100 WHERE position = 4",
                "UPDATE log SET position = 4 WHERE position = 7",
                "UPDATE log SET position = 7 WHERE position = 100",
            ],
            4,
        ),
        (
            [f"INSERT INTO log SELECT 13, {', '.join(COLUMNS[1:])} FROM log WHERE position = 12"],
            13,
        ),
        (["UPDATE log SET checksum = NULL WHERE position = 12"], 12),
        (["UPDATE log SET checksum = NULL WHERE position = 1"], 1),
        (["UPDATE log_chain SET begins_after = 3"], 1),
        (["DELETE FROM log_chain"], 1),
    ],
    ids=[
        "deleted", "several deleted", "the first deleted", "swapped", "inserted",
        "the last loses its checksum", "the first loses its checksum",
        "the chain begins elsewhere", "the chain has no beginning",
    ],
)  # fmt: skip
async def test_a_changed_order_of_records_is_detected(
    connection: sqlite3.Connection, statements: list[str], position: int
) -> None:
    for statement in statements:
        connection.execute(statement)
    assert found(connection)[0].first == position


async def test_a_truncated_tail_leaves_a_chain_that_is_whole(connection: sqlite3.Connection) -> None:
    """The known limit: projections that are ahead of the log tell of it, see `test_restore`."""
    connection.execute("DELETE FROM log WHERE position > 9")
    assert not found(connection)


def test_a_ledger_ahead_of_a_truncated_log_is_set_aside(directory: Path) -> None:
    with closing(sqlite3.connect(directory / "meterhouse.db")) as connection, connection:
        connection.execute("DELETE FROM log WHERE position > 11")
    with closing(Opened(directory)) as opened:
        assert (opened.log.position, opened.accounts.position) == (11, 11)
    assert len([*directory.glob("ledger.unreadable-*")]) == 1, "a copy of the ledger that knew more is kept"


async def test_every_damage_is_named_and_sound_records_are_not(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE log SET received_at = received_at + 1 WHERE position IN (2, 9)")
    connection.execute("UPDATE log SET checksum = zeroblob(16) WHERE position = 5")
    assert [each.first for each in found(connection)] == [2, 5, 9]


async def test_a_damaged_tail_ends_the_start_in_a_sentence(directory: Path) -> None:
    with closing(sqlite3.connect(directory / "meterhouse.db")) as connection, connection:
        connection.execute("UPDATE log SET body = zeroblob(length(body)) WHERE position = 12")
    with pytest.raises(LogDamaged, match=r"^Record 12 of the log is damaged: .*restore the last backup"):
        Opened(directory)


async def test_reading_stops_at_a_damaged_record(directory: Path) -> None:
    with closing(Opened(directory)) as opened:
        with closing(sqlite3.connect(directory / "meterhouse.db")) as connection, connection:
            connection.execute("UPDATE log SET events = 3 WHERE position = 7")
        with pytest.raises(LogDamaged, match=r"^Record 7 "):
            await opened.log.read(0, 1_000_000)
        with pytest.raises(LogDamaged, match=r"^Record 7 "):
            opened.log.check_tail(6)
        assert [each.position for each in await opened.log.read(7, 1_000_000)] == [8, 9, 10, 11, 12]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A directory of before checksums, with 2 500 records."""
    packer = Packer()
    with written_before(tmp_path / "meterhouse.db", "0014") as connection:
        for position in range(1, 2_501):
            body = packer.pack(UsageBody(((7, 1),), events(1, str(position))))
            connection.execute(
                "INSERT INTO log VALUES (?, 'usage', ?, ?, 1, ?)", (position, position, position, body)
            )
    return tmp_path


async def test_old_records_are_covered_by_digests_and_never_rewritten(old: Path) -> None:
    with closing(Opened(old)) as opened:
        await opened.log.append(Submission(7, events(1, "new")))
        before = opened.database.reader().execute("SELECT * FROM log").fetchall()
        for _ in range(3):  # it goes on where it was
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(cover(opened.database), 0.04)
        await cover(opened.database)
        await cover(opened.database)
        reader = opened.database.reader()
        assert reader.execute("SELECT last_position FROM log_digest").fetchall() == [
            (1000,),
            (2000,),
            (2500,),
        ]
        assert reader.execute("SELECT * FROM log").fetchall() == before
        examined = Examined()
        assert not list(examine(reader, examined))
    assert (examined.records, examined.proven, examined.covered) == (2501, 1, 2500)


async def test_damage_of_old_records_is_detected(old: Path) -> None:
    with closing(Opened(old)) as opened:
        await cover(opened.database)
        await opened.log.append(Submission(7, events(1, "new")))
    with closing(sqlite3.connect(old / "meterhouse.db", isolation_level=None)) as connection:
        for change, first, last in (
            ("UPDATE log SET received_at = 9 WHERE position = 1500", 1001, 2000),
            ("UPDATE log SET body = x'00' WHERE position = 1500", 1500, 1500),
            ("UPDATE log SET received_at = 9 WHERE position = 2500", 2001, 2500),
            ("DELETE FROM log WHERE position = 3", 3, 3),
            ("UPDATE log SET checksum = zeroblob(16) WHERE position = 4", 4, 4),
            ("UPDATE log_digest SET checksum = zeroblob(16) WHERE last_position = 1000", 1, 1000),
            ("UPDATE log SET events = 2 WHERE position = 1", 1, 1),
        ):
            connection.execute("BEGIN")
            connection.execute(change)
            damaged = found(connection)[0]
            assert (damaged.first, damaged.last) == (first, last), change
            connection.execute("ROLLBACK")
        assert not found(connection)


async def test_an_unreadable_old_record_is_named_and_stops_no_start(old: Path) -> None:
    with closing(Opened(old)):
        pass
    with closing(sqlite3.connect(old / "meterhouse.db")) as connection, connection:
        connection.execute("UPDATE log SET body = x'c1' WHERE position = 1700")
    with closing(Opened(old)) as opened:
        with pytest.raises(LogDamaged, match=r"^Record 1700 "):
            await opened.log.read(1_650, 1_000)
        await opened.log.append(Submission(7, events(1, "new")))


async def test_the_chain_follows_on_the_newest_old_record(old: Path) -> None:
    with closing(Opened(old)) as opened:
        await opened.log.append(Submission(7, events(1, "new")))
    with closing(sqlite3.connect(old / "meterhouse.db")) as connection:
        assert not found(connection)
        connection.execute("UPDATE log SET received_at = 9 WHERE position = 2500")
        assert found(connection)[0].first == 2501, "no digest covers 2500 yet, and the chain does"
