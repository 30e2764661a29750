"""Every ledger adapter behind one face: a clock to turn, a crash to survive, and the log to add up."""

import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from uuid import uuid4

from meterhouse.model.entry import Entry
from meterhouse.model.event import Kind, to_microseconds
from meterhouse.model.meter import NewMeter
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog, EventLog, Ledger
from meterhouse.stores.embedded.accounts.fold import differing, fold
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.catalog.catalog import first_start, open_catalog
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.ledger import SqliteLedger
from meterhouse.stores.embedded.log import SqliteLog
from meterhouse.stores.embedded.records import MeterBody, unpack
from tests.contract.catalogs import Clock


class OpenedLedger(Protocol):
    clock: Clock
    now: Callable[[], datetime]
    """The clock as the server goes by it."""
    ledger: Ledger
    log: EventLog
    catalog: Catalog
    caller: Caller

    async def crash(self) -> None:
        """End without a word, and open what is on the disk."""

    def flush(self, *, keys: bool, accounts: bool) -> None:
        """Bring to disk what could otherwise be lost and had from the log again: of either, or of both."""

    async def entries(self) -> Sequence[Entry]:
        """Return every change the log holds, in order."""

    async def newest(self) -> tuple[int, int]:
        """Return the position of the log's last record, and the newest time that it says of any."""

    async def rebuild(self) -> int:
        """Make the ledger again from the log; return how many rows are not as they were."""


class EmbeddedLedger:
    def __init__(self, directory: Path) -> None:
        self._directory = directory / "0"
        self._crashes = 0
        self.clock = Clock()

    async def __aenter__(self) -> Self:
        self._database = Database(self._directory / "meterhouse.db")
        self._index = KeyIndex(self._directory / "keys")
        self._accounts = Accounts(self._directory / "ledger")
        log = SqliteLog(
            self._database, self._index, self._accounts, 100_000, lambda: to_microseconds(self.now())
        )
        self.log: EventLog = log
        self.now: Callable[[], datetime] = self.clock
        self.ledger: Ledger = SqliteLedger(self._database, self._accounts, log, self.now)
        self.catalog = open_catalog(self._database, self.now)
        await first_start(self._database, self.clock, actor="cli", with_key=False)
        scope = await self.catalog.providers.scope("default", "sandbox")  # type: ignore[arg-type]  # as text
        self.caller = Caller(scope, "cli")
        if not await self.catalog.meters.all(scope.id):
            await self.catalog.meters.create(self.caller, NewMeter(reference="mtr_requests", name="requests"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        self._index.close()
        self._accounts.close()

    async def crash(self) -> None:
        """What the key index and the ledger had in memory alone is lost, as by kill -9: none is closed."""
        self._crashes += 1
        left = self._directory.with_name(str(self._crashes))
        shutil.copytree(self._directory, left, ignore=shutil.ignore_patterns("*.db-shm", "LOCK"))
        await self.__aexit__(None, None, None)
        shutil.rmtree(self._directory)
        self._directory = left
        await self.__aenter__()

    def flush(self, *, keys: bool, accounts: bool) -> None:
        for follower, wanted in ((self._index.follower, keys), (self._accounts.follower, accounts)):
            if wanted:
                follower._db.flush()

    async def entries(self) -> Sequence[Entry]:
        rows = self._database.reader().execute(
            "SELECT body FROM log WHERE kind = ? ORDER BY position", (Kind.METER,)
        )
        bodies = [unpack(Kind.METER, body) for (body,) in rows.fetchall()]
        return [entry for body in bodies if isinstance(body, MeterBody) for entry in body.entries]

    async def newest(self) -> tuple[int, int]:
        position, newest = (
            self._database.reader()
            .execute("SELECT coalesce(max(position), 0), coalesce(max(received_at), 0) FROM log")
            .fetchone()
        )
        return position, newest

    async def rebuild(self) -> int:
        made = Accounts(self._directory / f"ledger.{uuid4()}")
        fold(self._database.reader(), made)
        differences = differing(self._accounts, made)
        made.close()
        return differences
