"""Warehouse on DuckDB: one file, one writer, many readers. A consumer of the log like any other."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from threading import RLock
from typing import Final, TypeVar

import duckdb
import structlog

from meterhouse import pools, telemetry
from meterhouse.model.errors import QueryTooLarge, WarehouseUnavailable
from meterhouse.model.event import Event, LogRecord
from meterhouse.model.question import EventOrder, Filter, PageMark, UsageQuestion, UsageRow
from meterhouse.stores.embedded.set_aside import set_aside
from meterhouse.stores.embedded.warehouse import events, rows, usage
from meterhouse.stores.embedded.warehouse.names import Names
from meterhouse.stores.embedded.warehouse.source import BILLIONTHS, LATEST, QUARTER_US, View

T = TypeVar("T")
SCHEMA_VERSION: Final = 4
_QUESTIONS_AT_ONCE: Final = 4
_SPARE_THREADS: Final = 2  # readiness never waits behind questions
_DAMAGE: Final = (
    "checksum",
    "corrupt",
    "deserialize",
    "not a valid duckdb",
    "storage version",
    "schema version",
)
_REMEDY: Final = "Check the disk and the memory of this machine, then start the server again."
_INTERRUPT_SECONDS: Final = 0.05
_NO_ROOM: Final = (
    "The answer needs more temporary disk than there is; ask for a shorter range or fewer groups."
)
_NOT_OPENED: Final = (
    "could not set lock",
    "permission denied",
    "no space left",
    "disk quota exceeded",
    "file too large",
    "too many open files",
    "out of memory",
)
SPILL_MEGABYTES: Final = 4_096
FOLD_EVENTS: Final = 122_880  # one row group
_INSERT: Final = "INSERT INTO event SELECT * FROM batch"
_CELL: Final = "quarter, scope_id, kind, type, product_ref, meter, outcome"
_FOLD: Final = f"""
    INSERT INTO rollup
    SELECT (timestamp // {QUARTER_US})::INTEGER AS quarter, scope_id, kind, type, product_ref, meter, outcome,
           count(*), sum(units_whole), sum(units_nano),
           min(billionths), max(billionths), max(latest), arg_max(billionths, latest)
    FROM (SELECT *, {BILLIONTHS} AS billionths, {LATEST} AS latest
          FROM event WHERE event_number > ? AND event_number <= ?)
    GROUP BY {_CELL}
"""
_MERGE: Final = f"""
    CREATE OR REPLACE TABLE rollup AS
    SELECT {_CELL}, sum(events)::BIGINT AS events,
           sum(units_whole) AS units_whole, sum(units_nano) AS units_nano,
           min(units_min) AS units_min, max(units_max) AS units_max,
           max(latest) AS latest, arg_max(latest_units, latest) AS latest_units
    FROM rollup
    GROUP BY {_CELL}
    ORDER BY {_CELL}
"""
_BROKEN: Final = (
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.IOException,
    duckdb.SerializationException,
)
_ONCE_IN_SECONDS: Final = 3_600.0
_logger = structlog.get_logger()


class DuckWarehouse:
    """A file that cannot be read, or has another schema, is set aside and made again from the log.

    memory_megabytes: what DuckDB may use; larger work spills to disk, beside the file.
    spill_megabytes: the most that all questions together spill.
    questions_at_once: the caller asks no more at once; readiness has threads besides.
    fold_events: how many events gather until they are added to the rollup; questions read them one by one.
    """

    name = "warehouse"

    def __init__(
        self,
        path: Path,
        memory_megabytes: int,
        threads: int,
        fold_events: int = FOLD_EVENTS,
        *,
        spill_megabytes: int = SPILL_MEGABYTES,
        questions_at_once: int = _QUESTIONS_AT_ONCE,
    ) -> None:
        self._path = path
        self._memory_megabytes = memory_megabytes
        self._spill = str(path.with_suffix(".spill"))
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_megabytes}MB",
            "threads": threads,
            "temp_directory": self._spill,
            "max_temp_directory_size": f"{spill_megabytes}MB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
            "wal_autocheckpoint": "64MB",  # fewer, longer stalls: p99 of questions under load halves
        }
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._questions = ThreadPoolExecutor(questions_at_once + _SPARE_THREADS, "meterhouse-question")
        self._writing = RLock()
        self._fold_events = fold_events
        self._answers_from = 0
        self._position = 0
        self._merged_rows = 0
        self._unfolded = 0
        self._given_up = False
        self._set_aside_at = self._unexplained_at = float("-inf")  # by a monotonic clock
        self._try_open()

    def answer_from(self, position: int) -> None:
        """Answer nothing until the log has been taken in up to here, so that no answer ever shrinks."""
        self._answers_from = max(self._answers_from, position)

    def begin_again(self, why: str) -> None:
        """Set the file aside, because it is of another log, and begin a new one. why: for the operator."""
        with self._writing:
            self._close()
            self._set_aside(why)
            self._try_open()

    def holds(self, event_number: int) -> bool:
        """Return whether an event is in it; True where it cannot say now."""
        try:
            cursor = self._cursor()
            return rows.first(cursor, f"SELECT 1 FROM event WHERE event_number = {event_number}") is not None
        except duckdb.Error as error:
            self._recover(error, self._connection)
            return True

    def probe(self) -> None:
        """Look whether it answers, in the caller's thread, without a place among the questions.

        Raises WarehouseUnavailable or duckdb.Error: it does not.
        """
        if self._position < self._answers_from:
            raise WarehouseUnavailable
        with self._cursor() as cursor:
            rows.first(cursor, "SELECT folded FROM position")
            rows.first(cursor, "SELECT 1 FROM event LIMIT 1")

    async def position(self) -> int:
        return self._position

    async def insert(self, records: Sequence[LogRecord]) -> None:
        await pools.CONSUMER.run(self._insert, records)

    async def usage(self, question: UsageQuestion) -> Sequence[UsageRow]:
        return await self._ask(lambda view: usage.answer(view, question))

    async def events(
        self, matching: Filter, order: EventOrder, after: PageMark | None, limit: int
    ) -> Sequence[Event]:
        return await self._ask(lambda view: events.page(view, matching, order, after, limit))

    async def event(self, scope_id: int, event_number: int) -> Event | None:
        return await self._ask(lambda view: events.one(view, scope_id, event_number))

    async def time_span(self, matching: Filter) -> tuple[int, int] | None:
        return await self._ask(lambda view: events.time_span(view, matching))

    def close(self) -> None:
        """Finish the questions and the batch that are under way, then close."""
        self._questions.shutdown()
        with self._writing:
            self._close()

    async def _ask(self, work: Callable[[View], T]) -> T:
        """Run a question in a thread of its own; one that is given up is interrupted."""
        if self._position < self._answers_from:
            raise WarehouseUnavailable
        connection = self._connection
        try:
            cursor = self._cursor()
        except duckdb.Error as error:
            await pools.MAINTENANCE.run(self._recover, error, connection)
            raise WarehouseUnavailable from None
        running = self._questions.submit(self._look, work, cursor)
        question = asyncio.wrap_future(running)
        try:
            return await asyncio.shield(question)
        except asyncio.CancelledError:
            while not running.cancel() and not question.done():
                cursor.interrupt()  # again and again: one between two statements is lost
                await asyncio.wait((question,), timeout=_INTERRUPT_SECONDS)
            raise
        except duckdb.OutOfMemoryException:
            raise QueryTooLarge from None
        except duckdb.ConnectionException:  # closed under it, by a recovery
            raise WarehouseUnavailable from None
        except duckdb.Error as error:
            if isinstance(error, _BROKEN) and self._spill in str(error):
                # The disk is full: the file itself is not to blame.
                _logger.warning("warehouse_cannot_spill", error=str(error))
                raise QueryTooLarge(_NO_ROOM) from None
            if not _is_damage(error) and not isinstance(error, _BROKEN):
                raise
            _logger.exception("warehouse_question_failed")
            await pools.MAINTENANCE.run(self._recover, error, connection)
            raise WarehouseUnavailable from None
        finally:
            cursor.close()

    def _look(self, work: Callable[[View], T], cursor: duckdb.DuckDBPyConnection) -> T:
        """Run a question in one transaction, which sees rollup and events of the same moment."""
        names = self._names
        cursor.begin()
        found = rows.first(cursor, "SELECT folded FROM position")
        assert found is not None  # noqa: S101 - the table has one row, always
        result = work(View(cursor, names, found[0]))
        cursor.rollback()
        return result

    def _insert(self, records: Sequence[LogRecord]) -> None:
        with self._writing:
            fresh = [record for record in records if record.position > self._position]
            if not fresh or fresh[0].position != self._position + 1:
                return  # all taken, or read before the file was begun anew: they come again, from its start
            connection = self._connection
            try:
                self._take(fresh)
            except duckdb.Error as error:
                self._recover(error, connection)
                raise
            except Exception:
                self._close()  # what is remembered of names may not be in the file: read it again
                self._open()
                raise

    def _take(self, fresh: Sequence[LogRecord]) -> None:
        cursor = self._cursor()
        try:
            cursor.begin()
            self._names.add_new(cursor, fresh)
            table = rows.to_table(fresh, self._names)
            cursor.register("batch", table)
            cursor.execute(_INSERT)
            cursor.execute("UPDATE position SET log_position = ?", (fresh[-1].position,))
            cursor.commit()
            self._position = fresh[-1].position
            self._unfolded += len(table)
            if len(table) and self._unfolded >= self._fold_events:
                self._fold(cursor, table["event_number"][-1].as_py())
        finally:
            cursor.close()

    def _fold(self, cursor: duckdb.DuckDBPyConnection, number: int) -> None:
        """Add the events up to a number to the rollup; merge its rows when they have doubled."""
        cursor.begin()
        found = rows.first(cursor, "SELECT folded FROM position")
        assert found is not None  # noqa: S101 - the table has one row, always
        cursor.execute(_FOLD, (found[0], number))
        cursor.execute("UPDATE position SET folded = ?", (number,))
        cursor.commit()
        self._unfolded = 0
        rows_now = _count(cursor, "rollup")
        if rows_now > 2 * self._merged_rows + self._fold_events:
            cursor.execute(_MERGE)
            self._merged_rows = _count(cursor, "rollup")

    def _recover(self, error: duckdb.Error, failed: duckdb.DuckDBPyConnection | None) -> None:
        """After an error the database may refuse everything until it is opened again.

        failed: the connection that it is of; another one is somebody else's recovery.
        """
        with self._writing:
            if self._connection is not failed:
                return
            self.answer_from(self._position)
            self._close()
            now = time.monotonic()
            if _is_damage(error) or self._is_unexplained(error, now):
                if now - self._set_aside_at < _ONCE_IN_SECONDS:
                    _logger.error("warehouse_damaged_twice", error=str(error), remedy=_REMEDY)
                    self._given_up = True
                    return
                self._set_aside_at = now
                self._set_aside(str(error))
            self._try_open()

    def _is_unexplained(self, error: duckdb.Error, now: float) -> bool:
        """Return whether the second such error within an hour comes from a file that does not read whole.

        The first one may be gone once the file is opened again; others are of a full disk, or a question's.
        """
        if not isinstance(error, _BROKEN) or _is_of_the_machine(error):
            return False
        again = now - self._unexplained_at < _ONCE_IN_SECONDS
        self._unexplained_at = now
        if again:
            try:
                read_all(self._path, self._memory_megabytes, int(str(self._config["threads"])))
            except duckdb.Error as found:
                return not _is_of_the_machine(found)
        return False

    def _try_open(self) -> None:
        """Open, or stay closed.

        Closed for an hour where it was damaged twice; where another program has the file or the disk is full,
        until the next batch or question, which try again. Events are stored all the same.
        """
        if self._given_up and time.monotonic() - self._set_aside_at < _ONCE_IN_SECONDS:
            return
        self._given_up = False
        try:
            self._open()
        except duckdb.Error as error:
            _logger.warning("warehouse_closed", path=str(self._path), error=str(error))

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            raise duckdb.ConnectionException("the warehouse is closed")
        return self._connection.cursor()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> None:
        """Whatever cannot be read is set aside. Raises duckdb.Error where the file is not to blame: another
        program has it, or the disk is full."""
        try:
            self._connection = self._opened()
        except duckdb.Error as error:
            if _is_of_the_machine(error):
                raise
            self._set_aside(str(error))
            self._connection = self._opened()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(self._path, config=self._config)
        self._path.chmod(0o600)
        try:
            if not rows.first(connection, "SELECT 1 FROM duckdb_tables()"):
                connection.execute((files(__package__) / "schema.sql").read_text())
                connection.execute("INSERT INTO position VALUES (0, 0, ?)", (SCHEMA_VERSION,))
            connection.execute("SET perfect_ht_threshold = 20")  # names are small numbers: group by array
            connection.execute("SET late_materialization_max_rows = 1001")  # the longest page of events
            if not _has_schema(connection):
                raise duckdb.CatalogException("another schema version")
            found = rows.first(connection, "SELECT log_position, folded FROM position")
            assert found is not None  # noqa: S101 - the table has one row, always
            self._names = Names(connection)
            self._unfolded = _count(connection, f"event WHERE event_number > {found[1]}")
            self._merged_rows = _count(connection, "rollup")
        except duckdb.Error:
            connection.close()
            raise
        self._position = found[0]
        return connection

    def _set_aside(self, why: str) -> None:
        """Keep the file for whoever wants to look, and begin a new one: the log has every event."""
        _logger.error("projection_set_aside", projection=self.name, path=str(self._path), why=why)
        telemetry.rebuilds.labels(self.name).inc()
        for path in (self._path, self._path.with_name(self._path.name + ".wal")):
            set_aside(path)
        self._position = 0


def _is_damage(error: duckdb.Error) -> bool:
    return any(words in str(error).lower() for words in _DAMAGE)


def _is_of_the_machine(error: duckdb.Error) -> bool:
    """Return whether the file is not to blame: another program has it, or the disk is full."""
    return any(words in str(error).lower() for words in _NOT_OPENED)


def _has_schema(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file has this code's tables; any other database may lie in its place."""
    columns = connection.execute(
        "SELECT 1 FROM duckdb_columns() WHERE table_name = 'position' AND column_name = 'schema_version'"
    ).fetchall()
    found = rows.first(connection, "SELECT schema_version FROM position") if columns else None
    return found is not None and found[0] == SCHEMA_VERSION


def read_all(path: Path, memory_megabytes: int, threads: int) -> None:
    """Read every value of every table, and change nothing. Raises duckdb.Error where it is damaged."""
    config = {"memory_limit": f"{memory_megabytes}MB", "threads": str(threads)}
    with duckdb.connect(path, read_only=True, config=dict(config)) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        for (name,) in tables:
            connection.execute(f'SELECT bit_xor(hash(COLUMNS(*))) FROM "{name}"').fetchall()


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    found = rows.first(connection, f"SELECT count(*) FROM {table}")
    return 0 if found is None else int(found[0])
