"""Every adapter behind one face, so that the contract tests can open, close and damage them all alike."""

import shutil
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from meterhouse.ports import EventLog, Warehouse
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.log import SqliteLog
from meterhouse.stores.embedded.warehouse.store import FOLD_EVENTS, DuckWarehouse


class ReopenableLog(Protocol):
    log: EventLog

    async def reopen(self, *, lose_derived: bool = False) -> None:
        """Close and open again; `lose_derived` deletes what the log is able to make again."""

    def tally(self, scope_id: int) -> dict[str, int]:
        """Return the events of a scope by what became of them, over all hours."""


class EmbeddedLog:
    log: EventLog

    def __init__(self, directory: Path, max_waiting_events: int = 100_000) -> None:
        self._directory = directory
        self._max_waiting_events = max_waiting_events

    async def __aenter__(self) -> Self:
        self._database = Database(self._directory / "meterhouse.db")
        self._index = KeyIndex(self._directory / "keys")
        self._accounts = Accounts(self._directory / "ledger")
        self.log = SqliteLog(self._database, self._index, self._accounts, self._max_waiting_events)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        self._index.close()
        self._accounts.close()

    async def reopen(self, *, lose_derived: bool = False) -> None:
        await self.__aexit__(None, None, None)
        if lose_derived:
            shutil.rmtree(self._directory / "keys")
        await self.__aenter__()

    def tally(self, scope_id: int) -> dict[str, int]:
        return dict(
            self._database.reader().execute(
                "SELECT code, sum(events) FROM ingest_tally WHERE scope_id = ? GROUP BY code", (scope_id,)
            )
        )

    def first_body(self) -> bytes:
        (body,) = self._database.reader().execute("SELECT body FROM log").fetchone()
        assert isinstance(body, bytes)
        return body


class ReopenableWarehouse(Protocol):
    warehouse: Warehouse

    async def reopen(self) -> None:
        """Close and open again."""


class EmbeddedWarehouse:
    warehouse: Warehouse

    def __init__(self, directory: Path, fold_events: int = FOLD_EVENTS) -> None:
        self._path = directory / "warehouse.duckdb"
        self._fold_events = fold_events

    async def __aenter__(self) -> Self:
        self._opened = DuckWarehouse(self._path, 200, 2, self._fold_events)
        self.warehouse = self._opened
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    async def reopen(self) -> None:
        self._opened.close()
        await self.__aenter__()
