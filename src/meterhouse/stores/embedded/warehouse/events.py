"""Which events, and when they began: DuckDB SQL over `event`."""

from collections.abc import Sequence

from meterhouse.model.event import Event
from meterhouse.model.question import EventOrder, Filter, PageMark
from meterhouse.stores.embedded.warehouse import rows
from meterhouse.stores.embedded.warehouse.source import View, where


def page(
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


def one(view: View, scope_id: int, event_number: int) -> Event | None:
    row = rows.first(
        view.connection,
        f"SELECT {rows.EVENT_COLUMNS} FROM event WHERE scope_id = ? AND event_number = ?",
        (scope_id, event_number),
    )
    return None if row is None else rows.to_event(row, view.names)


def time_span(view: View, matching: Filter) -> tuple[int, int] | None:
    conditions = where(view, matching)
    row = rows.first(
        view.connection,
        f"SELECT min(timestamp), max(timestamp) FROM event WHERE {conditions.sql}",
        conditions.values,
    )
    return None if row is None or row[0] is None else (row[0], row[1])
