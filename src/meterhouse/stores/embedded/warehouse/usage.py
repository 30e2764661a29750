"""Usage questions as DuckDB SQL over a `source`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from msgspec.structs import replace

from meterhouse.model.errors import QueryTooLarge
from meterhouse.model.question import ADDITIVE, Aggregate, Group, UsageQuestion, UsageRow
from meterhouse.model.units import NANO, join
from meterhouse.stores.embedded.warehouse.rows import first
from meterhouse.stores.embedded.warehouse.source import NAMED, Select, View, source

MAX_PERCENTILE_ROWS: Final = 20_000_000
_PERCENTS: Final = {Aggregate.P50: 50, Aggregate.P95: 95, Aggregate.P99: 99}
_SUM: Final = "sum(units_whole) * 1000000000::HUGEINT + sum(units_nano)"
# Units are in billionths.
_EXPRESSIONS: Final = {
    Aggregate.SUM: _SUM,
    Aggregate.COUNT: "sum(events)",
    Aggregate.AVG: _SUM,  # divided in Python: SQL would answer a binary float
    Aggregate.MIN: "min(billionths)",
    Aggregate.MAX: "max(billionths)",
    Aggregate.LATEST: "arg_max(billionths, latest)",
    Aggregate.UNIQUE_CUSTOMERS: "count(DISTINCT customer_ref)",
}
_COUNTS: Final = frozenset({Aggregate.COUNT, Aggregate.UNIQUE_CUSTOMERS})
_ORDER: Final = _EXPRESSIONS | {Aggregate.AVG: f"({_SUM})::DOUBLE / sum(events)"}

_Key = tuple[Any, ...]  # Any: a number of `name`, or the text of a property
"""A group as SQL knows it."""


def answer(view: View, question: UsageQuestion) -> Sequence[UsageRow]:
    """See `ports.Warehouse.usage`. Raises QueryTooLarge for a percentile over too many rows."""
    rows = source(view, question)
    if question.aggregate in _PERCENTS:
        _refuse_too_many(view, rows)
    if question.group_by and question.aggregate in ADDITIVE and not question.buckets:
        return _ranked(view, question, rows)
    return _told_apart(view, question, rows, _largest(view, question, rows))


def _ranked(view: View, question: UsageQuestion, rows: Select) -> Sequence[UsageRow]:
    """The largest groups, and the sum over everything, which the rollup may know; the rest follows."""
    aggregate = question.aggregate
    keys = _keys(question)
    found = view.connection.execute(
        f"WITH source AS NOT MATERIALIZED ({rows.sql}) {_by_group(aggregate, keys)}"
        f" ORDER BY value DESC, {keys} LIMIT {question.top + 1}",
        rows.values,
    ).fetchall()
    if not found:
        return []
    everything = source(view, replace(question, group_by=()))
    whole = first(
        view.connection, f"SELECT {_EXPRESSIONS[aggregate]} FROM ({everything.sql})", everything.values
    )
    overall = 0 if whole is None else int(whole[0])
    top = [(_group(view, question, row[:-1]), int(row[-1])) for row in found[: question.top]]
    answered = [UsageRow(None, None, _exact(aggregate, overall))]
    answered += [UsageRow(group, None, _exact(aggregate, value)) for group, value in top]
    if len(found) > question.top:
        rest = overall - sum(value for _, value in top)
        answered.append(UsageRow(_other(question), None, _exact(aggregate, rest)))
    return answered


def _by_group(aggregate: Aggregate, keys: str) -> str:
    """The groups of `source`. Billionths are added apart: few events have any, and row groups that have none
    are not read, which takes half the time."""
    if aggregate is not Aggregate.SUM:
        return f"SELECT {keys}, {_EXPRESSIONS[aggregate]} AS value FROM source GROUP BY {keys}"
    return (
        f"SELECT {keys}, sum(part) AS value FROM ("
        f"SELECT {keys}, sum(units_whole) * 1000000000::HUGEINT AS part FROM source GROUP BY {keys} UNION ALL"
        f" SELECT {keys}, sum(units_nano) AS part FROM source WHERE units_nano <> 0 GROUP BY {keys}"
        f") GROUP BY {keys}"
    )


def _largest(view: View, question: UsageQuestion, rows: Select) -> list[_Key]:
    """Return the keys of the groups to tell apart, the largest first; without group_by there is just one."""
    if not question.group_by:
        return [()]
    keys = _keys(question)
    percent = _PERCENTS.get(question.aggregate)
    ordered = (
        f"SELECT {keys} FROM source GROUP BY {keys} ORDER BY {_ORDER[question.aggregate]} DESC"
        if percent is None
        else f"SELECT {keys} FROM ({_nearest_rank(percent, 'source', keys)}) ORDER BY value DESC"
    )
    return view.connection.execute(
        f"WITH source AS ({rows.sql}) {ordered}, {keys} LIMIT {question.top}", rows.values
    ).fetchall()


def _told_apart(
    view: View, question: UsageQuestion, rows: Select, groups: Sequence[_Key]
) -> Sequence[UsageRow]:
    """Everything together, each of `groups`, and all others as one; in every bucket."""
    if not groups:
        return []
    ranks = _ranks(question, groups)
    buckets = _buckets(question)
    found = view.connection.execute(
        f"WITH source AS ({rows.sql}), ranked AS"
        f" (SELECT source.*, coalesce(ranks.rank, {len(groups)}) AS rank, bucket"
        f" FROM source {ranks.sql} {buckets.sql})"
        f" {_by_rank(question)} ORDER BY rank NULLS FIRST",
        (*rows.values, *ranks.values, *buckets.values),
    ).fetchall()
    named = [*(_group(view, question, key) for key in groups), _other(question)]
    return [
        UsageRow(None if is_all else named[rank], bucket, _exact(question.aggregate, int(value), int(events)))
        for is_all, rank, bucket, value, events in found
        if events
    ]


def _by_rank(question: UsageQuestion) -> str:
    """Whether it is everything, rank, bucket, value and events of `ranked`: whole, by rank, and by bucket."""
    bucket = "bucket" if question.buckets else "NULL"
    percent = _PERCENTS.get(question.aggregate)
    if percent is None:
        sets = "(), (rank), (rank, bucket)" if question.buckets else "(), (rank)"
        return (
            f"SELECT GROUPING(rank) = 1, rank, {bucket}, {_EXPRESSIONS[question.aggregate]}, sum(events)"
            f" FROM ranked GROUP BY GROUPING SETS ({sets})"
        )
    parts = [
        f"SELECT true, NULL AS rank, NULL, value, events FROM ({_nearest_rank(percent, 'ranked', '')})",
        f"SELECT false, rank, NULL, value, events FROM ({_nearest_rank(percent, 'ranked', 'rank')})",
    ]
    if question.buckets:
        of_bucket = _nearest_rank(percent, "ranked", "rank, bucket")
        parts.append(f"SELECT false, rank, bucket, value, events FROM ({of_bucket})")
    return " UNION ALL ".join(parts)


def _nearest_rank(percent: int, rows: str, keys: str) -> str:
    """The smallest value that so many percent of a group do not exceed, and the group's events.

    From how often each value occurs: DuckDB's own keeps every single one in memory, and 10 M did not fit.
    """
    key_columns = f"{keys}, " if keys else ""
    partition = f"PARTITION BY {keys}" if keys else ""
    return (
        f"SELECT {key_columns}min(billionths) AS value, max(total) AS events FROM ("
        f"SELECT {key_columns}billionths, sum(n) OVER ({partition} ORDER BY billionths) AS upto,"
        f" sum(n) OVER ({partition}) AS total FROM ("
        f"SELECT {key_columns}billionths, count(*) AS n FROM {rows} GROUP BY {key_columns}billionths"
        f")) WHERE upto * 100 >= {percent} * total {f'GROUP BY {keys}' if keys else ''}"
    )


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


def _exact(aggregate: Aggregate, value: int, events: int = 1) -> Decimal:
    if aggregate in _COUNTS:
        return Decimal(value)
    if aggregate is Aggregate.AVG:
        value = _divided(value, events)
    return join(*divmod(value, NANO))


def _divided(value: int, events: int) -> int:
    """Rounded half to even."""
    quotient, rest = divmod(value, events)
    return quotient + (2 * rest > events or (2 * rest == events and quotient % 2))


def _refuse_too_many(view: View, rows: Select) -> None:
    found = first(view.connection, f"SELECT count(*) FROM ({rows.sql})", rows.values)
    if found and found[0] > MAX_PERCENTILE_ROWS:
        raise QueryTooLarge(
            f"A percentile is exact, over at most {MAX_PERCENTILE_ROWS} events; {found[0]} match. "
            "Ask for a shorter range, or filter by type or customer."
        )
