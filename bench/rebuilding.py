"""How long key index and ledger take to be made again from the log."""

import random
import shutil
import time
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection
from typing import Final

from rich.progress import track

from bench.dataset import customer
from bench.rows import Row, Scale
from meterhouse.model.entry import Consumed
from meterhouse.model.event import Columns, Kind, MeterColumns, Outcome
from meterhouse.stores.embedded.accounts.fold import fold
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.healing import follow
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.records import MeterBody, Packer

_RECORD_EVENTS: Final = 1_000
_SCOPE: Final = 1
_PRODUCT: Final = "prd_content_api"


def rebuilding(keyed: Path, work: Path, scale: Scale) -> list[Row]:
    """Both without a server beside them, by the code that a server heals them with.

    The key index of a log in which each event has a random key; the ledger of a log of as many usages.
    """
    made = work / "rebuilding"
    shutil.rmtree(made, ignore_errors=True)
    with closing(Database(keyed / "meterhouse.db")) as database, closing(KeyIndex(made / "keys")) as index:
        started = time.perf_counter()
        follow(database.reader(), index, lambda _: None)
        keys_seconds = time.perf_counter() - started
    with (
        closing(Database(made / "meterhouse.db")) as database,
        closing(Accounts(made / "ledger")) as accounts,
    ):
        _write_usages(database, scale)
        started = time.perf_counter()
        entries = fold(database.reader(), accounts)
        ledger_seconds = time.perf_counter() - started
        if entries != scale.events:
            raise RuntimeError(f"{entries} of {scale.events} usages were in the log")
    shutil.rmtree(made)
    return [
        Row(f"rebuild of the key index, {scale.events:,} keys", keys_seconds, "s", "", lower_is_better=True),
        Row(f"rebuild of the ledger, {scale.events:,} usages of {scale.customers:,} customers", ledger_seconds, "s", "", lower_is_better=True),
    ]  # fmt: skip


def _write_usages(database: Database, scale: Scale) -> None:
    """Fill an empty log with usages of random customers, as records that a busy server writes."""
    chance, packer = random.Random(scale.events), Packer()
    records = range(0, scale.events, _RECORD_EVENTS)
    connection = Connection(database.path)
    with closing(connection), connection:
        connection.execute("PRAGMA synchronous = OFF")
        for position, first in enumerate(track(records, f"{scale.events:,} usages"), start=1):
            count = min(_RECORD_EVENTS, scale.events - first)
            numbers = [chance.randrange(scale.customers) for _ in range(count)]
            connection.execute(
                "INSERT INTO log (position, kind, received_at, first_number, events, body)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (position, Kind.METER, first + 1, first + 1, count, packer.pack(_record(first + 1, numbers))),
            )


def _record(first: int, numbers: list[int]) -> MeterBody:
    count = len(numbers)
    refs = [customer(number) for number in numbers]
    purchases = [f"pur_b{number:07d}" for number in numbers]
    events = Columns(
        ["usage.api_call"] * count, refs, [_PRODUCT] * count, [1] * count, [0] * count, [first] * count,
        [None] * count, [None] * count,
    )  # fmt: skip
    metered = MeterColumns(["mtr_requests"] * count, [Outcome.SUCCESS] * count, [*purchases], [None] * count)
    entries = [
        Consumed(_SCOPE, first + row, refs[row], _PRODUCT, purchases[row], 0, 1, 0, row % 2)
        for row in range(count)
    ]
    return MeterBody(((_SCOPE, count),), events, metered, [*entries], [])
