"""Data directories to measure on, made once through the real log and the real consumer."""

import asyncio
import random
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from rich.progress import track

from meterhouse.model.customer import NewCustomer
from meterhouse.model.event import Columns, Submission
from meterhouse.model.tenant import Caller, Environment
from meterhouse.settings import Settings
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.catalog.catalog import first_start, open_catalog
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.log import SqliteLog
from meterhouse.stores.embedded.warehouse.store import DuckWarehouse
from meterhouse.wiring import now

VERSION: Final = 2
CUSTOMERS: Final = 100_000
DAYS: Final = 90
_BULK: Final = 10_000
_TYPES: Final = ("usage.api_call", "usage.token", "usage.search", "usage.storage", "usage.compute")
_PRODUCTS: Final = ("prd_content_api", "prd_ai_assistant", None)
_DAY_US: Final = 86_400_000_000


def customer(number: int) -> str:
    return f"cus_b{number:07d}"


def dataset(root: Path, events: int, *, keyed: bool, customers: int = CUSTOMERS) -> Path:
    """Return a directory with that many events over 90 days, made when it is not there yet."""
    path = root / f"v{VERSION}-{events}-{customers}-{'keyed' if keyed else 'plain'}"
    if not path.exists():
        making = path.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        started = time.perf_counter()
        asyncio.run(_make(making, events, customers, keyed=keyed))
        making.rename(path)
        print(f"made {path.name} in {time.perf_counter() - started:.0f} s")
    return path


def copy(path: Path, to: Path) -> Path:
    """A copy to work on; the original stays as it was made."""
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(path, to))


def disk_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


async def _make(path: Path, events: int, customers: int, *, keyed: bool) -> None:
    settings = Settings()
    with (
        closing(KeyIndex(path / "keys")) as index,
        closing(Accounts(path / "ledger")) as accounts,
        closing(Database(path / "meterhouse.db")) as database,
        closing(
            DuckWarehouse(path / "warehouse.duckdb", settings.warehouse_memory_megabytes, 2)
        ) as warehouse,
    ):
        await first_start(database, now, actor="bench", with_key=False)
        catalog = open_catalog(database, now)
        scope = await catalog.providers.scope("default", Environment.SANDBOX)
        caller = Caller(scope, "bench")
        for first in range(0, customers, 1000):
            numbers = range(first, min(first + 1000, customers))
            await asyncio.gather(
                *(
                    catalog.customers.create(
                        caller, NewCustomer(reference=customer(n), email=f"{n}@bench.meterhouse.local")
                    )
                    for n in numbers
                )
            )
        log = SqliteLog(database, index, accounts, 1_000_000)
        bulks = _bulks(events, customers, keyed=keyed)
        for columns in track(bulks, f"{events:,} events", total=-(-events // _BULK)):
            await log.append(Submission(scope.id, columns))
            await warehouse.insert(await log.read(await warehouse.position(), 50_000))


def _bulks(events: int, customers: int, *, keyed: bool) -> Iterator[Columns]:
    """Time-ordered events of the last 90 days, evenly over the customers."""
    chance = random.Random(events)
    end = time.time_ns() // 1000
    start = end - DAYS * _DAY_US
    refs = [customer(number) for number in range(customers)]
    for first in range(0, events, _BULK):
        count = min(_BULK, events - first)
        step = DAYS * _DAY_US // events
        yield Columns(
            chance.choices(_TYPES, k=count),
            chance.choices(refs, k=count),
            chance.choices(_PRODUCTS, k=count),
            chance.choices(range(1, 5000), k=count),
            [0] * count,
            [start + (first + i) * step for i in range(count)],
            [str(uuid.UUID(int=chance.getrandbits(128), version=4)) if keyed else None for _ in range(count)],
            [None] * count,
        )
