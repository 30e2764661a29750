"""Usage questions as DuckDB SQL over a `source`."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from msgspec.structs import replace

from meterhouse.model.errors import QueryTooLarge
from meterhouse.model.question import ADDITIVE, Aggregate, Group, UsageQuestion, UsageRow
from meterhouse.model.units import PLACES, plain
from meterhouse.stores.embedded.warehouse.rows import first
from meterhouse.stores.embedded.warehouse.source import NAMED, Select, View, source

MAX_PERCENTILE_ROWS: Final = 20_000_000
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
_NINE_PLACES: Final = Decimal(1).scaleb(-PLACES)
_SHARES: Final = {Aggregate.P50: "0.50", Aggregate.P95: "0.95", Aggregate.P99: "0.99"}
_EXPRESSIONS: Final = {
    Aggregate.SUM: "sum(units)",
    Aggregate.COUNT: "sum(events)",
    Aggregate.AVG: "sum(units)",  # divided in Python: SQL would answer a binary float
    Aggregate.MIN: "min(units_min)",
    Aggregate.MAX: "max(units_max)",
    Aggregate.LATEST: "arg_max(latest_units, latest)",
    Aggregate.UNIQUE_CUSTOMERS: "count(DISTINCT customer_ref)",
} | {each: f"quantile_disc(units, {share}::DECIMAL(3, 2))" for each, share in _SHARES.items()}
_ORDER: Final = _EXPRESSIONS | {Aggregate.AVG: "sum(units)::DOUBLE / sum(events)"}

_Key = tuple[Any, ...]  # Any: a number of `name`, or the text of a property
"""A group as SQL knows it."""


def answer(view: View, question: UsageQuestion) -> Sequence[UsageRow]:
    """See `ports.Warehouse.usage`. Raises QueryTooLarge for a percentile over too many rows."""
    rows = source(view, question)
    if question.aggregate in _SHARES:
        _refuse_too_many(view, rows)
    if question.group_by and question.aggregate in ADDITIVE and not question.buckets:
        return _ranked(view, question, rows)
    return _told_apart(view, question, rows, _largest(view, question, rows))


def _ranked(view: View, question: UsageQuestion, rows: Select) -> Sequence[UsageRow]:
    """The largest groups, and the sum over everything, which the rollup may know; the rest follows."""
    keys = _keys(question)
    value = _EXPRESSIONS[question.aggregate]
    found = view.connection.execute(
        f"WITH source AS ({rows.sql}) SELECT {keys}, {value} AS value FROM source"
        f" GROUP BY {keys} ORDER BY value DESC, {keys} LIMIT {question.top + 1}",
        rows.values,
    ).fetchall()
    if not found:
        return []
    everything = source(view, replace(question, group_by=()))
    whole = first(view.connection, f"SELECT {value} FROM ({everything.sql})", everything.values)
    overall = Decimal(0 if whole is None else whole[0])
    top = [(_group(view, question, row[:-1]), Decimal(row[-1])) for row in found[: question.top]]
    answered = [UsageRow(None, None, plain(overall))]
    answered += [UsageRow(group, None, plain(value)) for group, value in top]
    if len(found) > question.top:
        rest = overall - sum(value for _, value in top)
        answered.append(UsageRow(_other(question), None, plain(rest)))
    return answered


def _largest(view: View, question: UsageQuestion, rows: Select) -> list[_Key]:
    """Return the keys of the groups to tell apart, the largest first; without group_by there is just one."""
    if not question.group_by:
        return [()]
    keys = _keys(question)
    return view.connection.execute(
        f"WITH source AS ({rows.sql}) SELECT {keys} FROM source GROUP BY {keys}"
        f" ORDER BY {_ORDER[question.aggregate]} DESC, {keys} LIMIT {question.top}",
        rows.values,
    ).fetchall()


def _told_apart(
    view: View, question: UsageQuestion, rows: Select, groups: Sequence[_Key]
) -> Sequence[UsageRow]:
    """Everything together, each of `groups`, and all others as one; in every bucket."""
    if not groups:
        return []
    ranks = _ranks(question, groups)
    buckets = _buckets(question)
    sets = "(), (rank), (rank, bucket)" if question.buckets else "(), (rank)"
    found = view.connection.execute(
        f"WITH source AS ({rows.sql}), ranked AS"
        f" (SELECT source.*, coalesce(ranks.rank, {len(groups)}) AS rank, bucket"
        f" FROM source {ranks.sql} {buckets.sql})"
        f" SELECT GROUPING(rank) = 1, rank, {'bucket' if question.buckets else 'NULL'},"
        f" {_EXPRESSIONS[question.aggregate]}, sum(events)"
        f" FROM ranked GROUP BY GROUPING SETS ({sets})"
        " ORDER BY rank NULLS FIRST",
        (*rows.values, *ranks.values, *buckets.values),
    ).fetchall()
    named = [*(_group(view, question, key) for key in groups), _other(question)]
    return [
        UsageRow(None if is_all else named[rank], bucket, _exact(question.aggregate, value, events))
        for is_all, rank, bucket, value, events in found
        if events
    ]


def _ranks(question: UsageQuestion, groups: Sequence[_Key]) -> Select:
    """A join that gives each row the rank of its group, or none."""
    if not question.group_by:
        return Select("CROSS JOIN (SELECT 0 AS rank) AS ranks", ())
    keys = _keys(question)
    row = "(" + ", ".join("?" * (len(question.group_by) + 1)) + ")"
    same = " AND ".join(f"source.{key} IS NOT DISTINCT FROM ranks.{key}" for key in keys.split(", "))
    return Select(
        f"LEFT JOIN (VALUES {', '.join([row] * len(groups))}) AS ranks(rank, {keys}) ON {same}",
        tuple(value for rank, group in enumerate(groups) for value in (rank, *group)),
    )


def _buckets(question: UsageQuestion) -> Select:
    """A join that gives each row the start of its bucket: the last one that is not after it."""
    if not question.buckets:
        return Select("CROSS JOIN (SELECT 0 AS bucket)", ())
    return Select(
        "ASOF JOIN (SELECT unnest(?::BIGINT[]) AS bucket) AS buckets ON source.at >= buckets.bucket",
        (list(question.buckets),),
    )


def _group(view: View, question: UsageQuestion, key: _Key) -> Group:
    return Group(
        tuple(
            view.names.text(value) if name in NAMED else value
            for name, value in zip(question.group_by, key, strict=True)
        )
    )


def _keys(question: UsageQuestion) -> str:
    return ", ".join(f"g{i}" for i in range(len(question.group_by)))


def _other(question: UsageQuestion) -> Group:
    return Group((None,) * len(question.group_by), other=True)


def _exact(aggregate: Aggregate, value: Decimal | int, events: int) -> Decimal:
    exact = Decimal(value)
    if aggregate is Aggregate.AVG:
        exact = _EXACT.divide(exact, Decimal(int(events))).quantize(_NINE_PLACES, context=_EXACT)
    return plain(exact)


def _refuse_too_many(view: View, rows: Select) -> None:
    found = first(view.connection, f"SELECT count(*) FROM ({rows.sql})", rows.values)
    if found and found[0] > MAX_PERCENTILE_ROWS:
        raise QueryTooLarge(
            f"A percentile is exact, over at most {MAX_PERCENTILE_ROWS} events; {found[0]} match. "
            "Ask for a shorter range, or filter by type or customer."
        )
