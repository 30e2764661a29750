"""Whether everything works that a write or an answer needs. Asked rarely, and off the hot path."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from meterhouse.model.errors import NotReady
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.follower import Follower
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.log import SqliteLog
from meterhouse.stores.embedded.warehouse.store import DuckWarehouse

_KEEP_SECONDS: Final = 1.0
_LONGEST_SECONDS: Final = 2.0
_PROBE: Final = "probe"
_PROBE_BYTES: Final = 4096
_NO_KEY: Final = b"\0" * 16
_logger = structlog.get_logger()


class Readiness:
    """Tries each part. One trial answers every caller within a second.

    The log and the catalog: a record is stored and taken back, and the heartbeat is committed, on the
    writer's thread. Key index and ledger: whole, up to the log's end, readable, and their disk takes a file.
    The warehouse: it answers.
    """

    def __init__(
        self,
        database: Database,
        log: SqliteLog,
        index: KeyIndex,
        accounts: Accounts,
        warehouse: DuckWarehouse,
    ) -> None:
        self._threads = ThreadPoolExecutor(3, "meterhouse-ready")  # its own: never behind other work
        self._log = log
        self._index = index
        self._accounts = accounts
        self._parts: dict[str, Callable[[], Awaitable[object]]] = {
            "log": lambda: database.write(log.probe),
            index.follower.name: lambda: self._in_thread(self._keys),
            accounts.follower.name: lambda: self._in_thread(self._ledger),
            warehouse.name: lambda: self._in_thread(warehouse.probe),
        }
        self._trial: asyncio.Task[list[str]] | None = None
        self._ended_at = 0.0

    def close(self) -> None:
        """Does not wait for a trial that hangs."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def check(self) -> None:
        """Raises NotReady, naming the parts that do not work."""
        trial = self._trial
        if trial is None or (trial.done() and time.monotonic() - self._ended_at > _KEEP_SECONDS):
            trial = self._trial = asyncio.create_task(self._try_all())
        if failed := await asyncio.shield(trial):
            raise NotReady.naming(failed)

    async def _try_all(self) -> list[str]:
        """Return the names of the parts that do not work."""
        outcomes = await asyncio.gather(*map(self._works, self._parts))
        self._ended_at = time.monotonic()
        return [name for name, works in zip(self._parts, outcomes, strict=True) if not works]

    async def _works(self, name: str) -> bool:
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                await self._parts[name]()
        except Exception as error:  # noqa: BLE001 - any error means that the part does not work
            _logger.warning(
                "not_ready", part=name, error=str(error.__cause__ or error) or type(error).__name__
            )
            return False
        return True

    async def _in_thread(self, work: Callable[[], object]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _keys(self) -> None:
        self._index.get([_NO_KEY])
        self._follows(self._index.follower)

    def _ledger(self) -> None:
        self._accounts.follower.require_whole()
        self._accounts.due(0, 1)
        self._follows(self._accounts.follower)

    def _follows(self, follower: Follower) -> None:
        """Raises LogUnavailable or OSError: it is behind the log, or its disk takes nothing."""
        if follower.position < self._log.written:
            raise follower.unavailable
        probe = follower.path / _PROBE
        with os.fdopen(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(b"\0" * _PROBE_BYTES)
            file.flush()
            os.fsync(file.fileno())
        probe.unlink()
