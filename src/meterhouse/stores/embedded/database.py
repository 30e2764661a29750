"""meterhouse.db: one SQLite file, one writer thread, group commit.

Work that arrives while a commit runs waits, and then shares the next transaction and its one fsync.
Work that arrives at an idle writer starts at once: nobody waits for company.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread, local
from typing import Final, ParamSpec, TypeVar

import structlog

from meterhouse import pools
from meterhouse.model.errors import LogUnavailable, QueryTooLarge
from meterhouse.stores.embedded.directories import make_private
from meterhouse.stores.embedded.migrations import migrate

P = ParamSpec("P")
T = TypeVar("T")
SCAN_SECONDS: Final = 5.0
_SCAN_STEPS: Final = 20_000  # of SQLite between two looks at the clock: a millisecond or less
_BUSY_SECONDS = 10.0  # the command line may hold the write lock for a moment
_CACHE_KIBIBYTES = 16 * 1024
_DISK_ERRORS: Final = frozenset(
    (
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    )
)
_PRIMARY_CODE: Final = 0xFF  # the bits above it say more
_logger = structlog.get_logger()


def is_disk_error(error: Exception) -> bool:
    """Whether SQLite could not read or write its file, so that every write of the transaction would fail."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and code is not None and code & _PRIMARY_CODE in _DISK_ERRORS


def own_error(error: Exception) -> Exception:
    """Return the error that the caller of a failed piece of work gets: no text of SQLite, which is logged."""
    if not isinstance(error, sqlite3.OperationalError):
        return error
    _logger.error("write_failed", error=str(error))
    unavailable = LogUnavailable()
    unavailable.__cause__ = error
    return unavailable


@dataclass(slots=True)
class Job:
    """A piece of a transaction."""

    work: Callable[[sqlite3.Connection], None]
    """Do the writes, on the writer's thread. An error undoes this job alone;
    an error of the disk fails the whole transaction."""
    deliver: Callable[[Exception | None], None]
    """Tell whoever waits, on the event loop's thread. None: the writes are on disk."""
    committed: Callable[[], None] | None = None
    """The writes are on disk. On the writer's thread, before the next transaction begins."""


_Queued = tuple[asyncio.AbstractEventLoop, Job]


class Database:
    """The writer's queue, and connections for reading.

    Opening applies the migrations that are missing. A newer schema than this code knows is refused.
    """

    def __init__(self, path: Path) -> None:
        make_private(path.parent)
        with suppress(FileExistsError):  # what SQLite makes, everybody may read; its WAL is as its file
            path.touch(mode=0o600, exist_ok=False)
        self.path = path
        self._jobs: SimpleQueue[_Queued | None] = SimpleQueue()
        self._closed = False
        self._readers = local()
        self._opened: list[sqlite3.Connection] = []
        self._writer = self._connect()
        migrate(self._writer)
        self._thread = Thread(target=self._run, name="meterhouse-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job for the next transaction. Call it on the event loop's thread."""
        self._jobs.put((asyncio.get_running_loop(), job))

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction and return its result once that is on disk.

        What `work` raises undoes its own writes only, and is raised here.
        Raises LogUnavailable: the disk refused, nothing was written.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        results: list[T] = []

        def deliver(error: Exception | None) -> None:
            if future.done():  # the caller went away
                return
            if error is None:
                future.set_result(results[0])
            else:
                future.set_exception(error)

        self.submit(Job(lambda connection: results.append(work(connection)), deliver))
        return await future

    async def scan(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of `work`, which reads many rows with `reader` in a thread.

        Raises QueryTooLarge after 5 seconds, without the time in the queue; Overloaded: the queue is full.
        It ends early where the caller is cancelled.
        """
        return await self._bounded(pools.PAGES, work, *args, **kwargs)

    async def search(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As `scan`, for work that looks for a text in every row: it has a thread of its own."""
        return await self._bounded(pools.SEARCHES, work, *args, **kwargs)

    async def _bounded(
        self, pool: pools.Pool, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        abandoned = Event()

        def bounded() -> T:
            connection = self.reader()
            end = time.monotonic() + SCAN_SECONDS
            connection.set_progress_handler(lambda: abandoned.is_set() or time.monotonic() > end, _SCAN_STEPS)
            try:
                return work(*args, **kwargs)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                    raise
                raise QueryTooLarge(
                    f"The answer took more than {SCAN_SECONDS:.0f} s; search for a whole email,"
                    " externalRef or reference, or ask for less."
                ) from None
            finally:
                connection.set_progress_handler(None, 0)

        try:
            return await pool.run(bounded)
        except asyncio.CancelledError:
            abandoned.set()
            raise

    def reader(self) -> sqlite3.Connection:
        """Return this thread's connection for reading. It sees what is committed, and cannot write.

        On an event loop's thread, what is read in one turn of the loop is read in one transaction: it is of
        one moment, and beginning one for each look-up took a quarter of the time of looking. What a `write`
        did whose end was awaited is always seen: who awaits goes on in a later turn.
        """
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            self._readers.connection = connection
        if not connection.in_transaction:
            with suppress(RuntimeError):  # not on an event loop's thread
                asyncio.get_running_loop().call_soon(_end_reading, connection)
                connection.execute("BEGIN")
        return connection

    def close(self) -> None:
        """Finish what is queued, then close. Safe to call twice."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            self._thread.join()
        for connection in self._opened:
            connection.close()
        self._opened.clear()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._opened.append(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # fsync on every commit: promise 1
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
        return connection

    def _run(self) -> None:
        while jobs := self._take():
            errors = self._transact([job for _, job in jobs])
            self._deliver(jobs, errors)

    def _take(self) -> list[_Queued]:
        """Wait for a job, then take all there are; empty once the database is closing and all are done."""
        queued = self._jobs.get()
        jobs: list[_Queued] = []
        while queued is not None:
            jobs.append(queued)
            if self._jobs.empty():
                return jobs
            queued = self._jobs.get()
        if jobs:
            self._jobs.put(None)  # the end comes after these
        return jobs

    def _transact(self, jobs: Sequence[Job]) -> list[Exception | None]:
        """Return each job's error; None for those that are committed."""
        connection = self._writer
        try:
            connection.execute("BEGIN IMMEDIATE")
            errors = [self._attempt(job, alone=len(jobs) == 1) for job in jobs]
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            _logger.error("commit_failed", path=str(self.path), error=str(error))  # noqa: TRY400 - the text says it all
            unavailable = LogUnavailable()
            unavailable.__cause__ = error
            return [unavailable] * len(jobs)
        for job, failed in zip(jobs, errors, strict=True):
            if failed is None and job.committed is not None:
                job.committed()
        return errors

    def _attempt(self, job: Job, *, alone: bool) -> Exception | None:
        """Do a job's writes, or undo them and return its error. alone: nothing else is in the transaction."""
        connection = self._writer
        if not alone:
            connection.execute("SAVEPOINT job")
        failed: Exception | None = None
        try:
            job.work(connection)
        except Exception as error:
            if is_disk_error(error):
                raise
            failed = own_error(error)
            connection.execute("ROLLBACK" if alone else "ROLLBACK TO job")
            if alone:
                connection.execute("BEGIN")
        if not alone:
            connection.execute("RELEASE job")
        return failed

    @staticmethod
    def _deliver(jobs: Sequence[_Queued], errors: Sequence[Exception | None]) -> None:
        for loop in {id(loop): loop for loop, _ in jobs}.values():
            mine = [(job, error) for (own, job), error in zip(jobs, errors, strict=True) if own is loop]
            if not loop.is_closed():
                loop.call_soon_threadsafe(_deliver_all, mine)


def _deliver_all(outcomes: Sequence[tuple[Job, Exception | None]]) -> None:
    for job, error in outcomes:
        job.deliver(error)


def _end_reading(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.ProgrammingError):  # it was closed in the same turn
        if connection.in_transaction:  # else what was read failed, and that has ended it
            connection.execute("COMMIT")


def heartbeat(connection: sqlite3.Connection) -> None:
    """Write something. For `Database.write`, to learn whether that works."""
    connection.execute("UPDATE heartbeat SET at = unixepoch()")
