"""`meterhouse verify`: whether the warehouse holds the events of the log, and its rollup the sums of them."""

from contextlib import closing
from pathlib import Path
from typing import Final

import duckdb

from meterhouse.model.event import from_microseconds
from meterhouse.ports import EventLog
from meterhouse.stores.embedded.checks.agreement import check_not_ahead
from meterhouse.stores.embedded.warehouse.source import BILLIONTHS, LATEST, NAMED, QUARTER_US
from meterhouse.stores.embedded.warehouse.store import DuckWarehouse

_BATCH_EVENTS: Final = 100_000
_REMEDY: Final = "`meterhouse rebuild` makes it again."
_TEXTS: Final = ", ".join(f"{name}_name.text" for name in NAMED)
_CELL: Final = "quarter, scope_id, kind, type, product_ref, meter, outcome"
_ROLLED_UP: Final = f"""
    SELECT {_CELL}, sum(events) AS events, sum(units_whole) AS whole, sum(units_nano) AS nano,
           min(units_min), max(units_max), max(latest), arg_max(latest_units, latest)
    FROM held.rollup GROUP BY ALL
"""
_SUMMED: Final = f"""
    SELECT (timestamp // {QUARTER_US})::INTEGER AS quarter, scope_id, kind, type, product_ref, meter, outcome,
           count(*), sum(units_whole), sum(units_nano), min(billionths), max(billionths), max(latest),
           arg_max(billionths, latest)
    FROM (SELECT *, {BILLIONTHS} AS billionths, {LATEST} AS latest
          FROM held.event WHERE event_number <= (SELECT folded FROM held.position))
    GROUP BY ALL
"""


async def check_warehouse(path: Path, log: EventLog, last: int, made: DuckWarehouse, made_path: Path) -> int:
    """Return how many events the warehouse has, which may be behind the log.

    made: an empty one, which is filled and closed. last: the log's position.
    Raises RuntimeError, naming the first difference.
    """
    with closing(made):
        position = _position(path)
        check_not_ahead("warehouse", position, last)
        while (at := await made.position()) < position:
            records = await log.read(at, _BATCH_EVENTS)
            await made.insert([record for record in records if record.position <= position])
    return _compare(path, made_path)


def _position(path: Path) -> int:
    try:
        with duckdb.connect(path, read_only=True) as connection:
            found = connection.execute("SELECT log_position FROM position").fetchone()
    except duckdb.Error as error:
        raise RuntimeError(f"The warehouse cannot be read: {error}. {_REMEDY}") from None
    return int(found[0]) if found else 0


def _compare(held: Path, made: Path) -> int:
    try:
        with duckdb.connect() as connection:
            connection.execute(f"SET temp_directory = '{_quoted(made.with_suffix('.compare'))}'")
            for name, path in (("held", held), ("made", made)):
                connection.execute(f"ATTACH '{_quoted(path)}' AS {name} (READ_ONLY)")
            _check_events(connection)
            _check_rollup(connection)
            found = connection.execute("SELECT count(*) FROM held.event").fetchone()
    except duckdb.Error as error:
        raise RuntimeError(f"The warehouse cannot be read: {error}. {_REMEDY}") from None
    return int(found[0]) if found else 0


def _check_events(connection: duckdb.DuckDBPyConnection) -> None:
    quarter = _first(connection, "0")
    if quarter is not None:
        scope_id, start, *_ = quarter
        only = f"scope_id = {scope_id} AND timestamp // {QUARTER_US} = {start}"
        found = _first(connection, "coalesce(customer_ref_name.text, '')", only) or quarter
        _, _, customer, events, held, units, held_units = found
        contents = ", but with other contents" if (events, units) == (held, held_units) else ""
        raise RuntimeError(
            f"The warehouse differs from the log in {_time(start)}, scope {scope_id}, customer "
            f"{customer or 'none'}: the log has {events or 0} events and {_units(units)} units, the "
            f"warehouse {held or 0} and {_units(held_units)}{contents}. {_REMEDY}"
        )


def _first(
    connection: duckdb.DuckDBPyConnection, customer: str, only: str = "true"
) -> tuple[int, ...] | None:
    """Return the first bucket of events that is not the same in both, None for none."""
    sums = {
        database: f"""
            SELECT scope_id, timestamp // {QUARTER_US} AS quarter, {customer} AS customer, count(*) AS events,
                   sum({BILLIONTHS}) AS units,
                   bit_xor(hash(event_number, kind, {_TEXTS}, units_whole, units_nano, timestamp, received_at,
                                idempotency_key, properties, numbers, details)) AS contents
            FROM {database}.event {_joins(database)}
            WHERE {only} GROUP BY ALL
        """
        for database in ("made", "held")
    }
    return connection.execute(
        f"""
        SELECT scope_id, quarter, customer, made.events, held.events, made.units, held.units
        FROM ({sums["made"]}) AS made FULL JOIN ({sums["held"]}) AS held USING (scope_id, quarter, customer)
        WHERE made.events IS DISTINCT FROM held.events OR made.units IS DISTINCT FROM held.units
              OR made.contents IS DISTINCT FROM held.contents
        ORDER BY quarter, scope_id, customer LIMIT 1
        """
    ).fetchone()


def _joins(database: str) -> str:
    return " ".join(f"LEFT JOIN {database}.name AS {name}_name ON {name}_name.id = {name}" for name in NAMED)


def _check_rollup(connection: duckdb.DuckDBPyConnection) -> None:
    differing = connection.execute(
        f"SELECT quarter, scope_id FROM (({_ROLLED_UP}) EXCEPT ({_SUMMED})) UNION ALL"
        f" SELECT quarter, scope_id FROM (({_SUMMED}) EXCEPT ({_ROLLED_UP})) ORDER BY 1, 2 LIMIT 1"
    ).fetchone()
    if differing is not None:
        raise RuntimeError(
            f"The rollup of the warehouse differs from its events in {_time(differing[0])}, "
            f"scope {differing[1]}. {_REMEDY}"
        )


def _time(quarter: int) -> str:
    return f"the 15 minutes from {from_microseconds(quarter * QUARTER_US):%Y-%m-%d %H:%M} UTC"


def _units(billionths: int | None) -> str:
    whole, nano = divmod(int(billionths or 0), 10**9)
    return f"{whole}.{nano:09}".rstrip("0").rstrip(".")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
