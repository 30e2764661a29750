"""Chooses the adapters and puts the parts together. The only module that knows which stores exist."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from meterhouse import pools
from meterhouse.consume.runner import Runner
from meterhouse.http.app import build_app
from meterhouse.http.edge import ASGIApp
from meterhouse.http.front.bounds import Bounds
from meterhouse.http.front.front import Front
from meterhouse.http.parts import Metering, Queries, Surroundings
from meterhouse.ingest.accept import Ingest
from meterhouse.metering.audit_sweep import AuditSweep
from meterhouse.metering.auto_recharge import AutoRecharges
from meterhouse.metering.checkout import Checkout
from meterhouse.metering.credits import Credits
from meterhouse.metering.customer_page import CustomerPage
from meterhouse.metering.holds import Holds
from meterhouse.metering.limits import Limits
from meterhouse.metering.payment_sweep import PaymentSweep
from meterhouse.metering.payments import Payments, Processors
from meterhouse.metering.purchases import Activations, PurchaseViews
from meterhouse.metering.recharge_sweep import RechargeSweep
from meterhouse.metering.sweep import ExpirySweep
from meterhouse.metering.usage import UsageRecorder
from meterhouse.model.errors import LogUnavailable
from meterhouse.model.event import Event, to_microseconds
from meterhouse.model.finding import Finding, Health
from meterhouse.model.question import Filter
from meterhouse.model.tenant import Environment
from meterhouse.ports import Catalog, Ledger, PaymentProcessor
from meterhouse.query.events import EventQueries
from meterhouse.query.export import pages
from meterhouse.query.meters import MeterQueries
from meterhouse.query.turns import InTurn
from meterhouse.query.usage import UsageQueries
from meterhouse.senders.sandbox import SandboxProcessor
from meterhouse.settings import Settings
from meterhouse.stores.embedded import rebuild, swap
from meterhouse.stores.embedded.accounts.fold import differing, fold
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.backup.manifest import Manifest
from meterhouse.stores.embedded.backup.restoring import Restored, restore
from meterhouse.stores.embedded.backup.writing import back_up as write_backup
from meterhouse.stores.embedded.catalog.catalog import FirstStart, first_start, open_catalog
from meterhouse.stores.embedded.catalog.sandbox import SqliteSandboxIntents
from meterhouse.stores.embedded.checks import agreement, books, columns, derived, machine
from meterhouse.stores.embedded.clock import SteadyClock, machine_time, watch
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.digests import cover
from meterhouse.stores.embedded.directory_lock import DirectoryInUse, DirectoryLock
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.ledger import SqliteLedger
from meterhouse.stores.embedded.log import SqliteLog
from meterhouse.stores.embedded.readiness import Readiness
from meterhouse.stores.embedded.warehouse.store import DuckWarehouse

_WAREHOUSE: Final = "warehouse.duckdb"
_LEDGER: Final = "ledger"


now: Final = machine_time


class Service(Struct, frozen=True):
    """A whole server, but for the socket. `first_start` is None on a data directory that was in use."""

    app: ASGIApp
    catalog: Catalog
    first_start: FirstStart | None
    catch_up: Callable[[], Awaitable[None]]
    """Return once every event acknowledged so far is in every answer."""
    front: Front
    """The limits that every connection of the server keeps."""
    healing: Sequence[str]
    """A sentence for each part that is being made again from the log, for the operator."""


@asynccontextmanager
async def open_service(
    settings: Settings,
    now: Callable[[], datetime] | None = None,
    live: PaymentProcessor | None = None,
) -> AsyncIterator[Service]:
    """Open the stores, build the service on them, and close them afterwards.

    now: its clock; None: a steady one. live: the processor of live payments; None: the settings' own.
    Raises RuntimeError with a sentence for the operator, as when the data directory is in use.
    """
    data = Path(settings.data)
    live = live or _live_processor(settings)
    now = now or SteadyClock()
    with closing(DirectoryLock(data)), ExitStack() as stack:
        database, index, accounts = _open_stores(data, stack)
        log = SqliteLog(
            database, index, accounts, settings.max_waiting_events, lambda: to_microseconds(now())
        )
        warehouse = stack.enter_context(closing(_open_warehouse(data / _WAREHOUSE, settings)))
        await _check_warehouse(data, database, log, warehouse)
        log.check_tail(await warehouse.position())
        warehouse.answer_from(log.position)
        catalog = open_catalog(database, now)
        ledger = SqliteLedger(database, accounts, log, now)
        runner = Runner(log, settings.consumer_batch_events, settings.consumer_pause_ms / 1000)

        readiness = stack.enter_context(closing(Readiness(database, log, index, accounts, warehouse)))
        sandbox = SandboxProcessor(SqliteSandboxIntents(database))
        processors = Processors(sandbox, live)
        asked = InTurn(
            warehouse,
            settings.queries_at_once,
            settings.queries_at_once_per_environment,
            settings.query_wait_seconds,
        )
        usage = UsageQueries(asked, catalog.directory, now)
        ingest = Ingest(log, catalog.directory, now)
        metering = _metering(ledger, catalog, ingest, processors, now, settings)
        app = build_app(
            ingest,
            Queries(usage, EventQueries(asked, catalog.directory), MeterQueries(catalog.meters, usage)),
            metering,
            catalog,
            Surroundings(readiness.check, now, settings.public_url),
        )
        # Last: a start that fails leaves no key behind that nobody was shown.
        started = await first_start(database, now, actor="serve", with_key=True)
        front = Front(_bounds(settings))
        async with (
            _running(front.sweep()),
            _running(log.healing.run()),
            _running(runner.run(warehouse)),
            _running(cover(database)),
            _running(ExpirySweep(ledger).run()),
            _running(AuditSweep(catalog.audit, now, settings.audit_days).run()),
            _running(PaymentSweep(catalog, metering.payments).run()),
            _running(watch(now, lambda: log.clock)),
            _running(RechargeSweep(catalog, ledger, metering.payments, metering.auto_recharges).run()),
        ):
            yield Service(
                app, catalog, started, lambda: runner.catch_up(warehouse), front, log.healing.sentences()
            )


def _bounds(settings: Settings) -> Bounds:
    return Bounds(**{name: getattr(settings, name) for name in Bounds.__struct_fields__})


def _metering(
    ledger: Ledger,
    catalog: Catalog,
    ingest: Ingest,
    processors: Processors,
    now: Callable[[], datetime],
    settings: Settings,
) -> Metering:
    credits_ = Credits(ledger, catalog.directory)
    views = PurchaseViews(ledger, catalog)
    activations = Activations(ledger, catalog, topup_first=settings.activation_topup_first)
    payments = Payments(catalog, credits_, processors)
    return Metering(
        UsageRecorder(ledger, catalog.directory, catalog.meters, ingest, now, settings.usage_max_age_days),
        Limits(ledger, catalog),
        Holds(ledger),
        credits_,
        views,
        activations,
        payments,
        Checkout(catalog, ledger, activations, payments),
        CustomerPage(catalog, ledger, views),
        AutoRecharges(catalog, payments, now, settings.auto_recharges_a_day),
    )


def _live_processor(settings: Settings) -> PaymentProcessor | None:
    """Return what takes payments in live, None for nothing. Raises RuntimeError: half of it is missing."""
    if not settings.stripe_secret_key:
        return None
    if not settings.stripe_publishable_key:
        raise RuntimeError("METERHOUSE_STRIPE_SECRET_KEY needs METERHOUSE_STRIPE_PUBLISHABLE_KEY beside it.")
    try:
        from meterhouse.senders import stripe  # noqa: PLC0415 - the package is an extra
    except ImportError:
        raise RuntimeError(
            "METERHOUSE_STRIPE_SECRET_KEY needs `stripe`; in the checkout: pip install -e '.[stripe]'."
        ) from None
    return stripe.StripeProcessor(
        settings.stripe_secret_key, settings.stripe_publishable_key, settings.stripe_api_url
    )


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do `work` in the background for as long as the context lasts."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


def _open_stores(data: Path, stack: ExitStack) -> tuple[Database, KeyIndex, Accounts]:
    """Open database, key index and ledger, after finishing swaps that a crash interrupted.

    Raises RuntimeError with a sentence: the log is gone, and its projections are not.
    """
    swap.finish(data)
    rebuild.discard(data / rebuild.BESIDE)
    swap.check_log_is_there(data)
    database = stack.enter_context(closing(Database(data / "meterhouse.db")))
    index = stack.enter_context(closing(KeyIndex(data / "keys")))
    accounts = stack.enter_context(closing(Accounts(data / _LEDGER)))
    stack.callback(database.close)  # before the others: queued submissions are still stored
    (end,) = database.reader().execute("SELECT coalesce(max(position), 0) FROM log").fetchone()
    swap.check_log_has_records(data, end, {"key index": index.position, "ledger": accounts.position})
    return database, index, accounts


async def _check_warehouse(data: Path, database: Database, log: SqliteLog, warehouse: DuckWarehouse) -> None:
    """Set a warehouse of another log aside. Raises RuntimeError: see `_open_stores`."""
    position = await warehouse.position()
    swap.check_log_has_records(data, log.position, {"warehouse": position})
    if position > log.position:
        warehouse.begin_again(f"it is at position {position}, and the log ends at {log.position}")
        return
    found = (
        database.reader()
        .execute(
            "SELECT first_number FROM log WHERE position <= ? AND events > 0 ORDER BY position DESC LIMIT 1",
            (position,),
        )
        .fetchone()
    )
    if found is not None and not warehouse.holds(found[0]):
        warehouse.begin_again(f"it lacks the event {found[0]} of the log")


def _open_warehouse(path: Path, settings: Settings) -> DuckWarehouse:
    return DuckWarehouse(
        path,
        settings.warehouse_memory_megabytes,
        settings.warehouse_threads,
        spill_megabytes=settings.warehouse_spill_megabytes,
        questions_at_once=settings.queries_at_once,
    )


@asynccontextmanager
async def open_catalog_of(data: Path, *, init: bool = False) -> AsyncIterator[Catalog]:
    """Open the catalog alone, also beside a running server.

    init: make the directory where there is none, with what `serve` gives it, except a key.
    Raises RuntimeError with a sentence: there is none, and `init` is False.
    """
    if not init:
        _check_exists(data)
    swap.check_log_is_there(data)
    with closing(Database(data / "meterhouse.db")) as database:
        await first_start(database, now, actor="cli", with_key=False)
        yield open_catalog(database, now)


@contextmanager
def _alone_with(
    data: Path, settings: Settings, while_served: str
) -> Iterator[tuple[Database, SqliteLog, Accounts]]:
    """Open the log while no server does. Raises RuntimeError with a sentence; `while_served` ends it."""
    _check_exists(data)
    with ExitStack() as stack:
        try:
            stack.enter_context(closing(DirectoryLock(data)))
        except DirectoryInUse:
            raise RuntimeError(f"A Meterhouse serves {data}: {while_served}") from None
        try:
            database, index, accounts = _open_stores(data, stack)
            yield database, SqliteLog(database, index, accounts, settings.max_waiting_events), accounts
        except LogUnavailable as error:
            raise RuntimeError(
                f"A part of {data} cannot be read: {error.__cause__ or error}. "
                "The next start of the server sets it aside and makes it again."
            ) from None
        except rebuild.UNREADABLE as error:
            doctor = f"`meterhouse doctor --data {data}` says more."
            raise RuntimeError(f"The log in {data} cannot be read: {error}; {doctor}") from None


def _check_exists(data: Path) -> None:
    if not (data / "meterhouse.db").is_file():
        raise RuntimeError(
            f"{data} is no data directory of Meterhouse: it has no meterhouse.db. Check --data; "
            "`meterhouse serve` makes a new one, and so does `meterhouse key create --init`."
        )


async def export_events(
    settings: Settings,
    provider: str,
    environment: Environment,
    matching: Filter,
    take: Callable[[Sequence[Event]], None],
) -> None:
    """Hand every matching event of an environment to `take`, page by page, the last received first.

    The filter's own scope is ignored. Raises ProviderNotFound; RuntimeError with a sentence: a server runs.
    """
    data = Path(settings.data)
    with (
        _alone_with(data, settings, "stop it, or ask it.") as (database, log, _),
        closing(_open_warehouse(data / _WAREHOUSE, settings)) as warehouse,
    ):
        scope = await open_catalog(database, now).providers.scope(provider, environment)
        await Runner(log, settings.consumer_batch_events, 0).catch_up(warehouse)
        async for page in pages(warehouse, replace(matching, scope_id=scope.id)):
            take(page)


async def rebuild_warehouse(settings: Settings, report: Callable[[int, int], None]) -> int:
    """Make the warehouse again from the log, then put it in the place of the old one; return its events.

    report: is told how many events are in the new one, and how many will be.
    Raises RuntimeError with a sentence: a server runs, or log and new warehouse differ; the old one stays.
    """
    data = Path(settings.data)
    fresh = data / rebuild.BESIDE
    with _alone_with(data, settings, "stop it first.") as (database, log, _):
        rebuild.discard(fresh)
        total = rebuild.log_events(database)
        try:
            with closing(_open_warehouse(fresh, settings)) as warehouse:
                counting = rebuild.Counting(warehouse, lambda events: report(events, total))
                await Runner(log, settings.consumer_batch_events, 0).catch_up(counting)
                events = await rebuild.compare(database, counting, warehouse)
            rebuild.swap(fresh, data / _WAREHOUSE)
        finally:
            rebuild.discard(fresh)
    return events


async def rebuild_ledger(settings: Settings, report: Callable[[int, int], None]) -> tuple[int, int]:
    """Make the ledger again from the log, then put it in the place of the old one.

    Return the entries of the log, and how many rows are other than they were.
    report: is told how many records of the log are done, and how many there are.
    Raises RuntimeError with a sentence: a server runs, or the log cannot be read; the ledger is as it was.
    """
    data = Path(settings.data)
    fresh = swap.fresh(data / _LEDGER)
    with _alone_with(data, settings, "stop it first.") as (database, log, accounts):
        log.healing.catch_up()
        with closing(Accounts(fresh)) as made:
            entries = await pools.MAINTENANCE.run(
                lambda: fold(database.reader(), made, lambda position: report(position, log.position))
            )
            made.follower.put({}, log.position)
            differences = differing(accounts, made)
        accounts.close()
        swap.swap_directory(data / _LEDGER)
    return entries, differences


class Verified(Struct, frozen=True):
    """How much of everything was compared."""

    records: int
    events: int
    keys: int
    rows: int
    in_warehouse: int


async def verify(settings: Settings, report: Callable[[str, int, int], None]) -> Verified:
    """Check the log, then key index, ledger and warehouse against it.

    report: is told the part at hand, how many records of the log are done, and how many there are.
    Raises RuntimeError with a sentence: a server runs, or the first difference.
    """
    data = Path(settings.data)
    scratch = data / agreement.SCRATCH
    with _alone_with(data, settings, "stop it first.") as (database, log, accounts):
        agreement.check_not_ahead("key index", log.index.position, log.position)
        agreement.check_not_ahead("ledger", accounts.position, log.position)
        for finding in books.check(data, now):
            if finding.health is Health.PROBLEM and finding.subject != "clock":
                raise RuntimeError(f"{finding.subject}: {finding.sentence}. {finding.remedy}")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        try:
            reader, last = database.reader(), log.position
            keys = agreement.check_keys(reader, log.index, scratch, lambda at: report("key index", at, last))
            rows = agreement.check_ledger(reader, accounts, scratch, lambda at: report("ledger", at, last))
            report("warehouse", 0, last)
            held = 0  # without a file, the next start makes it
            if (data / _WAREHOUSE).is_file():
                made = _open_warehouse(scratch / _WAREHOUSE, settings)
                held = await columns.check_warehouse(data / _WAREHOUSE, log, last, made, scratch / _WAREHOUSE)
            return Verified(last, rebuild.log_events(database), keys, rows, held)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def back_up(settings: Settings, target: Path, report: Callable[[int, int], None]) -> Manifest:
    """Bring the backup in `target` up to date, also while a server runs; see `writing.back_up`."""
    data = Path(settings.data)
    _check_exists(data)
    return write_backup(data / "meterhouse.db", target, now(), report)


def restore_backup(
    settings: Settings, source: Path, to_position: int | None, report: Callable[[int, int], None]
) -> Restored:
    """Restore a backup into an empty or missing data directory; see `restoring.restore`."""
    return restore(source, Path(settings.data), to_position, report)


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what is right and wrong with the data directory, also while a server runs.

    Raises RuntimeError with a sentence: there is no such directory.
    """
    data = Path(settings.data)
    _check_exists(data)
    for finding in (machine.disk(data), machine.file_system(data), machine.permissions(data)):
        yield finding
    try:
        lock = DirectoryLock(data)
    except DirectoryInUse:
        for finding in (*machine.leftovers(data, in_use=True), *books.check(data, now)):
            yield finding
        for finding in derived.unseen("the server that runs has it open", "Stop it to look."):
            yield finding
        return
    with closing(lock):
        for finding in (*machine.leftovers(data, in_use=False), *books.check(data, now)):
            yield finding
        memory, threads = settings.warehouse_memory_megabytes, settings.warehouse_threads
        async for finding in derived.check(data, memory, threads):
            yield finding
