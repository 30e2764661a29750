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

from meterhouse.model.errors import QueryTooLarge, WarehouseUnavailable
from meterhouse.model.event import Event, LogRecord
from meterhouse.model.question import EventOrder, Filter, PageMark, UsageQuestion, UsageRow
from meterhouse.stores.embedded.warehouse import rows, usage
from meterhouse.stores.embedded.warehouse.names import Names
from meterhouse.stores.embedded.warehouse.source import BILLIONTHS, LATEST, QUARTER_US, View, where

T = TypeVar("T")
SCHEMA_VERSION: Final = 2
_QUESTIONS_AT_ONCE: Final = 4
_DAMAGE: Final = (
    "checksum",
    "corrupt",
    "deserialize",
    "not a valid duckdb",
    "storage version",
    "schema version",
)
FOLD_EVENTS: Final = 122_880  # one row group
_INSERT: Final = "INSERT INTO event SELECT * FROM batch"
_FOLD: Final = f"""
    INSERT INTO rollup
    SELECT (timestamp // {QUARTER_US})::INTEGER AS quarter, scope_id, kind, type, product_ref,
           count(*), sum(units_whole), sum(units_nano),
           min(billionths), max(billionths), max(latest), arg_max(billionths, latest)
    FROM (SELECT *, {BILLIONTHS} AS billionths, {LATEST} AS latest
          FROM event WHERE event_number > ? AND event_number <= ?)
    GROUP BY quarter, scope_id, kind, type, product_ref
"""
_MERGE: Final = """
    CREATE OR REPLACE TABLE rollup AS
    SELECT quarter, scope_id, kind, type, product_ref, sum(events)::BIGINT AS events,
           sum(units_whole) AS units_whole, sum(units_nano) AS units_nano,
           min(units_min) AS units_min, max(units_max) AS units_max,
           max(latest) AS latest, arg_max(latest_units, latest) AS latest_units
    FROM rollup
    GROUP BY quarter, scope_id, kind, type, product_ref
    ORDER BY quarter, scope_id, kind, type, product_ref
"""
_BROKEN: Final = (duckdb.FatalException, duckdb.InternalException, duckdb.IOException)
_logger = structlog.get_logger()


class DuckWarehouse:
    """A file that cannot be read, or has another schema, is set aside and made again from the log.

    memory_megabytes: what DuckDB may use; larger work spills to disk, beside the file.
    fold_events: how many events gather until they are added to the rollup; questions read them one by one.
    """

    name = "warehouse"

    def __init__(
        self, path: Path, memory_megabytes: int, threads: int, fold_events: int = FOLD_EVENTS
    ) -> None:
        self._path = path
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_megabytes}MB",
            "threads": threads,
            "temp_directory": str(path.with_suffix(".spill")),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
            "wal_autocheckpoint": "64MB",  # fewer, longer stalls: p99 of questions under load halves
        }
        self._questions = ThreadPoolExecutor(_QUESTIONS_AT_ONCE, "meterhouse-question")
        self._writing = RLock()
        self._fold_events = fold_events
        self._answers_from = 0
        self._position = 0
        self._merged_rows = 0
        self._unfolded = 0
        self._connection = self._open()

    def answer_from(self, position: int) -> None:
        """Answer nothing until the log has been taken in up to here, so that no answer ever shrinks."""
        self._answers_from = max(self._answers_from, position)

    async def position(self) -> int:
        return self._position

    async def insert(self, records: Sequence[LogRecord]) -> None:
        await asyncio.to_thread(self._insert, records)

    async def usage(self, question: UsageQuestion) -> Sequence[UsageRow]:
        return await self._ask(lambda view: usage.answer(view, question))

    async def events(
        self, matching: Filter, order: EventOrder, after: PageMark | None, limit: int
    ) -> Sequence[Event]:
        return await self._ask(lambda view: _events(view, matching, order, after, limit))

    async def event(self, scope_id: int, event_number: int) -> Event | None:
        return await self._ask(lambda view: _event(view, scope_id, event_number))

    async def time_span(self, matching: Filter) -> tuple[int, int] | None:
        return await self._ask(lambda view: _time_span(view, matching))

    def close(self) -> None:
        """Finish the questions and the batch that are under way, then close."""
        self._questions.shutdown()
        with self._writing:
            self._connection.close()

    async def _ask(self, work: Callable[[View], T]) -> T:
        """Run a question in a thread of its own; one that is given up is interrupted."""
        if self._position < self._answers_from:
            raise WarehouseUnavailable
        cursor = self._connection.cursor()
        question = asyncio.get_running_loop().run_in_executor(self._questions, self._look, work, cursor)
        try:
            return await asyncio.shield(question)
        except asyncio.CancelledError:
            cursor.interrupt()
            await asyncio.wait((question,))
            question.exception()  # the interrupt; retrieved so that nobody reports it
            raise
        except duckdb.OutOfMemoryException:
            raise QueryTooLarge from None
        except _BROKEN as error:
            _logger.exception("warehouse_question_failed")
            await asyncio.to_thread(self._recover, error)
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
            if not fresh:
                return
            cursor = self._connection.cursor()
            try:
                cursor.begin()
                self._names.add_new(cursor, (record.events for record in fresh))
                table = rows.to_table(fresh, self._names)
                cursor.register("batch", table)
                cursor.execute(_INSERT)
                cursor.execute("UPDATE position SET log_position = ?", (fresh[-1].position,))
                cursor.commit()
                self._position = fresh[-1].position
                self._unfolded += len(table)
                if self._unfolded >= self._fold_events:
                    self._fold(cursor, fresh[-1])
            except duckdb.Error as error:
                self._recover(error)
                raise
            finally:
                cursor.close()

    def _fold(self, cursor: duckdb.DuckDBPyConnection, last: LogRecord) -> None:
        """Add the events since the last fold to the rollup; merge its rows when they have doubled."""
        number = last.first_number + len(last.events) - 1
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

    def _recover(self, error: duckdb.Error) -> None:
        """After an error the database may refuse everything until it is opened again."""
        with self._writing:
            self.answer_from(self._position)
            self._connection.close()
            if any(word in str(error).lower() for word in _DAMAGE):
                self._set_aside(error)
            self._connection = self._open()

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            return self._opened()
        except duckdb.Error as error:
            self._set_aside(error)
            return self._opened()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(self._path, config=self._config)
        try:
            if not rows.first(connection, "SELECT 1 FROM duckdb_tables()"):
                connection.execute((files(__package__) / "schema.sql").read_text())
                connection.execute("INSERT INTO position VALUES (0, 0, ?)", (SCHEMA_VERSION,))
            connection.execute("SET perfect_ht_threshold = 20")  # names are small numbers: group by array
            connection.execute("SET late_materialization_max_rows = 1001")  # the longest page of events
            found = rows.first(connection, "SELECT log_position, folded, schema_version FROM position")
            if found is None or found[2] != SCHEMA_VERSION:
                raise duckdb.CatalogException("another schema version")
            self._names = Names(connection)
            self._unfolded = _count(connection, f"event WHERE event_number > {found[1]}")
            self._merged_rows = _count(connection, "rollup")
        except duckdb.Error:
            connection.close()
            raise
        self._position = found[0]
        return connection

    def _set_aside(self, error: duckdb.Error) -> None:
        """Keep the file for whoever wants to look, and begin a new one: the log has every event."""
        _logger.error("warehouse_unreadable_rebuilding", path=str(self._path), error=str(error))
        for path in (self._path, self._path.with_name(self._path.name + ".wal")):
            if path.exists():
                path.rename(path.with_name(f"{path.name}.unreadable-{time.time_ns()}"))


def _events(
    view: View, matching: Filter, order: EventOrder, after: PageMark | None, limit: int
) -> Sequence[Event]:
    found = where(view, matching)
    conditions, values = found.sql, list(found.values)
    by_time = order is EventOrder.TIMESTAMP
    if after is not None:
        # Written so that whole row groups can be left out by their largest timestamp.
        conditions += (
            " AND timestamp <= ? AND (timestamp < ? OR event_number < ?)"
            if by_time
            else " AND event_number < ?"
        )
        values += [after.time, after.time, after.event_number] if by_time else [after.event_number]
    rows_found = view.connection.execute(
        f"SELECT {rows.EVENT_COLUMNS} FROM event WHERE {conditions}"
        f" ORDER BY {'timestamp DESC, ' if by_time else ''}event_number DESC LIMIT {limit}",
        values,
    )
    return [rows.to_event(row, view.names) for row in rows_found.fetchall()]


def _event(view: View, scope_id: int, event_number: int) -> Event | None:
    row = rows.first(
        view.connection,
        f"SELECT {rows.EVENT_COLUMNS} FROM event WHERE scope_id = ? AND event_number = ?",
        (scope_id, event_number),
    )
    return None if row is None else rows.to_event(row, view.names)


def _time_span(view: View, matching: Filter) -> tuple[int, int] | None:
    conditions = where(view, matching)
    row = rows.first(
        view.connection,
        f"SELECT min(timestamp), max(timestamp) FROM event WHERE {conditions.sql}",
        conditions.values,
    )
    return None if row is None or row[0] is None else (row[0], row[1])


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    found = rows.first(connection, f"SELECT count(*) FROM {table}")
    return 0 if found is None else int(found[0])
