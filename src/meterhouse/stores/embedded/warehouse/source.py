"""Where a question reads: `rollup` where whole quarters of an hour answer it, and `event` for the rest.

The rest is the newest events, not folded into the rollup yet; the ragged ends of the range; and everything
for a question that asks for something the rollup does not know.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from duckdb import DuckDBPyConnection
from msgspec import Struct

from meterhouse.model.question import Aggregate, Filter, UsageQuestion
from meterhouse.model.scalar import number_texts
from meterhouse.stores.embedded.warehouse.names import Names
from meterhouse.stores.embedded.warehouse.rows import KINDS

QUARTER_US: Final = 15 * 60 * 1_000_000
NAMED: Final = ("type", "customer_ref", "product_ref", "meter", "outcome", "purchase_ref")
BILLIONTHS: Final = "(units_whole::HUGEINT * 1000000000 + units_nano)"
LATEST: Final = "timestamp::HUGEINT * 9223372036854775808::HUGEINT + event_number"
_ROLLED_UP: Final = frozenset({"type", "product_ref", "meter", "outcome"})
_SUMS: Final = "units_whole, units_nano"
# What an aggregate needs, of the rollup and of events.
_FROM_ROLLUP: Final = {
    Aggregate.COUNT: "events",
    Aggregate.SUM: f"events, {_SUMS}",
    Aggregate.AVG: f"events, {_SUMS}",
    Aggregate.MIN: "events, units_min AS billionths",
    Aggregate.MAX: "events, units_max AS billionths",
    Aggregate.LATEST: "events, latest, latest_units AS billionths",
}
_FROM_EVENTS: Final = {
    Aggregate.COUNT: "1 AS events",
    Aggregate.SUM: f"1 AS events, {_SUMS}",
    Aggregate.AVG: f"1 AS events, {_SUMS}",
    Aggregate.LATEST: f"1 AS events, {LATEST} AS latest, {BILLIONTHS} AS billionths",
    Aggregate.UNIQUE_CUSTOMERS: "1 AS events, customer_ref",
}
_SINGLE: Final = f"1 AS events, {BILLIONTHS} AS billionths"  # min, max and percentiles
# Only scalars filter and group, as `model.scalar.scalar_text` writes them.
_PROPERTY: Final = (
    "CASE WHEN json_type(properties, {0}) NOT IN ('OBJECT', 'ARRAY', 'NULL')"
    " THEN coalesce(json_extract_string(numbers, {0}), json_extract_string(properties, {0})) END"
)
_IS_NUMBER: Final = "json_type(properties, {0}) IN ('UBIGINT', 'BIGINT', 'DOUBLE')"


class Select(Struct, frozen=True):
    """A piece of SQL and the values of its question marks."""

    sql: str
    values: tuple[Any, ...]  # Any: whatever DuckDB takes


class View(Struct, frozen=True):
    """The warehouse as one transaction sees it. folded: the last event number that is in the rollup."""

    connection: DuckDBPyConnection
    names: Names
    folded: int


def source(view: View, question: UsageQuestion) -> Select:
    """Return a SELECT of the matching rows: `at`, the keys `g0`… and what the aggregate needs."""
    matching = question.filter
    start, end = _whole_quarters(matching)
    if not _is_rolled_up(question) or (start is not None and end is not None and start >= end):
        return _events(view, question, matching)
    middle = msgspec.structs.replace(matching, start=start, end=end)
    parts = [_rollup(view, question, middle), _events(view, question, middle, unfolded=True)]
    if start != matching.start:
        parts.append(_events(view, question, msgspec.structs.replace(matching, end=start)))
    if end != matching.end:
        parts.append(_events(view, question, msgspec.structs.replace(matching, start=end)))
    return Select(
        " UNION ALL ".join(part.sql for part in parts),
        tuple(value for part in parts for value in part.values),
    )


def where(view: View, matching: Filter, time: str = "timestamp", unit_us: int = 1) -> Select:
    """Return the conditions of a filter, joined with AND. `time` counts units of `unit_us`."""
    conditions = ["scope_id = ?", _is_in("kind", matching.kinds)]
    values: list[Any] = [matching.scope_id, *(KINDS[kind] for kind in matching.kinds)]
    for column in NAMED:
        texts: tuple[str, ...] = getattr(matching, column)
        if texts:
            conditions.append(_is_in(column, texts))
            values += (view.names.id_or_unknown(text) for text in texts)
    for name, texts in matching.properties:
        found = _has_property(name, texts)
        conditions.append(found.sql)
        values += found.values
    if matching.start is not None:
        conditions.append(f"{time} >= ?")
        values.append(matching.start // unit_us)
    if matching.end is not None:
        conditions.append(f"{time} < ?")
        values.append(matching.end // unit_us)
    return Select(" AND ".join(conditions), tuple(values))


def _is_rolled_up(question: UsageQuestion) -> bool:
    matching = question.filter
    return (
        question.aggregate in _FROM_ROLLUP
        and _ROLLED_UP.issuperset(question.group_by)
        and not matching.customer_ref
        and not matching.purchase_ref
        and not matching.properties
        and all(start % QUARTER_US == 0 for start in question.buckets)
    )


def _whole_quarters(matching: Filter) -> tuple[int | None, int | None]:
    start, end = matching.start, matching.end
    return (
        None if start is None else -(-start // QUARTER_US) * QUARTER_US,
        None if end is None else end // QUARTER_US * QUARTER_US,
    )


def _rollup(view: View, question: UsageQuestion, matching: Filter) -> Select:
    conditions = where(view, matching, "quarter", QUARTER_US)
    at = f"quarter::BIGINT * {QUARTER_US}"
    return Select(
        f"SELECT {at} AS at{_keys(question)}, {_FROM_ROLLUP[question.aggregate]}"
        f" FROM rollup WHERE {conditions.sql}",
        conditions.values,
    )


def _events(view: View, question: UsageQuestion, matching: Filter, *, unfolded: bool = False) -> Select:
    conditions = where(view, matching)
    newest = f" AND event_number > {view.folded}" if unfolded else ""
    return Select(
        f"SELECT timestamp AS at{_keys(question)}, {_FROM_EVENTS.get(question.aggregate, _SINGLE)}"
        f" FROM event WHERE {conditions.sql}{newest}",
        conditions.values,
    )


def _keys(question: UsageQuestion) -> str:
    return "".join(
        f", {name if name in NAMED else _property(name.removeprefix('properties.'))} AS g{i}"
        for i, name in enumerate(question.group_by)
    )


def _has_property(name: str, texts: Sequence[str]) -> Select:
    """Return the condition that `model.scalar.is_one_of` accepts a property."""
    numbers, either = number_texts(texts), _property(name)
    if not numbers:  # a number's text is then none of the texts
        return Select(_is_in(either, texts), tuple(texts))
    is_number = _IS_NUMBER.format(_pointer(name))
    return Select(
        f"CASE WHEN {is_number} THEN {_is_in(either, numbers)} ELSE {_is_in(either, texts)} END",
        (*numbers, *texts),
    )


def _property(name: str) -> str:
    """Return the SQL of a property's scalar."""
    return _PROPERTY.format(_pointer(name))


def _pointer(name: str) -> str:
    """Return a JSON Pointer (RFC 6901) as an SQL literal. In a JSON path, `*` would be any name."""
    pointer = "/" + name.replace("~", "~0").replace("/", "~1")
    return "'" + pointer.replace("'", "''") + "'"


def _is_in(expression: str, values: Sequence[object]) -> str:
    return f"{expression} IN ({', '.join('?' * len(values))})"
