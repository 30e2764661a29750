"""A ledger of a million customers to measure on: each has a purchase and has used some of it; half pay with credits."""

import asyncio
import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Final

import msgspec
from rich.progress import track

from bench.dataset import customer
from meterhouse.model.customer import NewCustomer, created
from meterhouse.model.event import to_microseconds
from meterhouse.model.plan import Plan, PlanType
from meterhouse.model.purchase import Origin, Purchase, Sale, bought
from meterhouse.model.tenant import Caller, Environment
from meterhouse.model.units import NANO
from meterhouse.stores.embedded.accounts.layout import Changes, put_purse, put_total
from meterhouse.stores.embedded.accounts.purse import Purse
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.catalog import purchases
from meterhouse.stores.embedded.catalog.catalog import first_start, open_catalog
from meterhouse.stores.embedded.database import Database
from meterhouse.wiring import now

VERSION: Final = 3
CUSTOMERS: Final = 1_000_000
PRODUCT: Final = "prd_content_api"
_BATCH: Final = 10_000
_LIMIT: Final = 1_000_000_000
_CREDITS: Final = 10**12
Row = tuple[object, ...]


def ledger(root: Path, customers: int) -> Path:
    """Return a data directory with that many customers, made when it is not there yet."""
    path = root / f"ledger-v{VERSION}-{customers}"
    if not path.exists():
        making = path.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        started = time.perf_counter()
        asyncio.run(_make(making, customers))
        making.rename(path)
        print(f"made {path.name} in {time.perf_counter() - started:.0f} s")
    return path


async def _make(path: Path, customers: int) -> None:
    at = to_microseconds(now()) - 86_400_000_000
    plans = [
        Plan(ref="pln_limited", product_ref=PRODUCT, name="Limited", limit=_LIMIT, created_at=at, updated_at=at),
        Plan(ref="pln_payg", product_ref=PRODUCT, name="Pay as you go", type=PlanType.USAGE_BASED,
             credits_per_unit=1, created_at=at, updated_at=at),
    ]  # fmt: skip
    with (
        closing(Database(path / "meterhouse.db")) as database,
        closing(Accounts(path / "ledger")) as accounts,
    ):
        await first_start(database, now, actor="bench", with_key=False)
        scope = await open_catalog(database, now).providers.scope("default", Environment.SANDBOX)
        caller = Caller(scope, "bench")
        for first in track(range(0, customers, _BATCH), f"{customers:,} customers"):
            numbers = range(first, min(first + _BATCH, customers))
            await database.write(partial(_insert, caller=caller, plans=plans, numbers=numbers))
            accounts.follower.put(_used(scope.id, numbers), 0)


def _insert(connection: Connection, *, caller: Caller, plans: Sequence[Plan], numbers: range) -> None:
    scope_id, at = caller.scope.id, plans[0].created_at
    people: list[Row] = []
    sold: list[Purchase] = []
    for n in numbers:
        ref, plan = customer(n), plans[n % 2]
        new = NewCustomer(reference=ref, email=f"{n}@bench.meterhouse.local")
        people.append((scope_id, *msgspec.structs.astuple(created(new, ref, at)), None))
        sale = Sale(customer_ref=ref, plan=plan, origin=Origin.ACTIVATION, paid=True)
        sold.append(bought(sale, f"pur_b{n:07d}", at))
    columns = (
        "scope_id, ref, email, name, external_ref, description, telephone, metadata, created_at, updated_at"
    )
    connection.executemany(f"INSERT INTO customer ({columns}, deleted_at) VALUES ({_marks(11)})", people)
    purchases.insert(connection, scope_id, sold)


def _used(scope_id: int, numbers: range) -> Changes:
    """What each has used, and its balance."""
    changes: Changes = {}
    for n in numbers:
        put_total(changes, (scope_id, f"pur_b{n:07d}", 0), n * NANO, 0)
        put_purse(changes, (scope_id, customer(n)), Purse(_CREDITS))
    return changes


def _marks(count: int) -> str:
    return ", ".join("?" * count)
