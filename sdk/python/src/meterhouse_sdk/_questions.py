"""What was consumed: totals and series, single events, and pages of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from meterhouse_sdk._answers import Event, EventPage, Series, Usage, read
from meterhouse_sdk._protocol import Operation, Request, segment

Granularity = Literal["minute", "hour", "day", "week", "month"]
Aggregate = Literal["sum", "count", "avg", "min", "max", "latest", "unique_customers", "p50", "p95", "p99"]
Kind = Literal["usage", "meter", "all"]
Scalar = str | int | Decimal
OneOrMore = str | Sequence[str]
Pages = Callable[[str | None], Operation[EventPage]]
"""The page at a cursor; None is the first."""

_WIRE: Final = {"customer_ref": "customerRef", "product_ref": "productRef"}
_PYTHON: Final = {wire: name for name, wire in _WIRE.items()}


def usage(  # noqa: PLR0913 - the parts of a question
    *,
    from_: datetime | None = None,
    to: datetime | None = None,
    granularity: Granularity | None = None,
    timezone: str | None = None,
    group_by: OneOrMore = (),
    aggregate: Aggregate = "sum",
    top: int | None = None,
    type: OneOrMore = (),  # noqa: A002 - the field's name everywhere
    customer_ref: OneOrMore = (),
    external_ref: OneOrMore = (),
    product_ref: OneOrMore = (),
    properties: Mapping[str, Scalar | Sequence[Scalar]] | None = None,
    kind: Kind = "usage",
) -> Operation[Usage]:
    """Return how much was consumed: a total, and one series for each group.

    from_ is included, to is not, both aware; None is all of history. Without a granularity there are no
    points; with one every bucket is there, days and longer as `timezone` (IANA, default UTC) has them.
    group_by: "type", "customer_ref", "product_ref", "properties.<name>", or up to three of them.
    top: how many of the largest groups are told apart (default 50, at most 1000); the rest is one series
        whose `other` is true, so that sums and counts stay complete.
    type, customer_ref, product_ref, properties: only these; several values mean any of them. external_ref:
        customers by your own ids for them.

    Raises ValidationFailed, QueryTooLarge (more than 10 000 points a series, or 10 s).
    Raises ValueError for a naive time.
    """
    params = _filters(from_, to, type, customer_ref, external_ref, product_ref, properties, kind)
    params += [("groupBy", _WIRE.get(name, name)) for name in several(group_by)]
    params += [
        (name, str(value))
        for name, value in (("granularity", granularity), ("timezone", timezone), ("top", top))
        if value is not None
    ]
    reply = yield Request("GET", "/v1/usage", repeatable=True, params=(*params, ("aggregate", aggregate)))
    return _in_python_names(read(reply, Usage))


def events(  # noqa: PLR0913 - the parts of a question
    *,
    from_: datetime | None = None,
    to: datetime | None = None,
    type: OneOrMore = (),  # noqa: A002 - the field's name everywhere
    customer_ref: OneOrMore = (),
    external_ref: OneOrMore = (),
    product_ref: OneOrMore = (),
    properties: Mapping[str, Scalar | Sequence[Scalar]] | None = None,
    kind: Kind = "usage",
    order: Literal["timestamp", "received"] = "timestamp",
    page_events: int = 100,
) -> Pages:
    """Iterate over stored events, the newest first, page by page as they are needed.

    from_ is included, to is not, both aware. Several values of a filter mean any of them.
    order: by when they happened, or by when they were received. Events that arrive meanwhile never
    repeat or skip one.

    Raises ValueError for a naive time, ValidationFailed, Unavailable: from the iteration, which may not
    be continued then.
    """
    params = _filters(from_, to, type, customer_ref, external_ref, product_ref, properties, kind)
    if order != "timestamp":
        params.append(("order", order))
    params.append(("limit", str(page_events)))

    def page(cursor: str | None) -> Operation[EventPage]:
        at = () if cursor is None else (("cursor", cursor),)
        reply = yield Request("GET", "/v1/events", repeatable=True, params=(*params, *at))
        return read(reply, EventPage)

    return page


def event(event_id: str) -> Operation[Event]:
    """Return one event. Raises EventNotFound."""
    reply = yield Request("GET", f"/v1/events/{segment(event_id)}", repeatable=True)
    return read(reply, Event)


def _filters(  # noqa: PLR0913, PLR0917 - the parts that both questions share
    from_: datetime | None,
    to: datetime | None,
    type_: OneOrMore,
    customer_ref: OneOrMore,
    external_ref: OneOrMore,
    product_ref: OneOrMore,
    properties: Mapping[str, Scalar | Sequence[Scalar]] | None,
    kind: Kind,
) -> list[tuple[str, str]]:
    params = [
        (name.rstrip("_"), written_time(name, time))
        for name, time in (("from_", from_), ("to", to))
        if time is not None
    ]
    params += [("type", each) for each in several(type_)]
    params += [("customerRef", each) for each in several(customer_ref)]
    params += [("externalRef", each) for each in several(external_ref)]
    params += [("productRef", each) for each in several(product_ref)]
    for name, wanted in (properties or {}).items():
        values = wanted if isinstance(wanted, Sequence) and not isinstance(wanted, str) else (wanted,)
        params += [(f"properties.{name}", _scalar(value)) for value in values]
    if kind != "usage":
        params.append(("kind", kind))
    return params


def several(values: OneOrMore) -> Iterable[str]:
    return (values,) if isinstance(values, str) else values


def _scalar(value: Scalar) -> str:
    """Write a value as JSON does, which is what the server compares with."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def written_time(name: str, time: datetime) -> str:
    """Raises ValueError, naming the argument, for a naive time."""
    if time.utcoffset() is None:
        raise ValueError(
            f"{name} must be aware, e.g. datetime.now(UTC); a naive time could be any of 26 hours"
        )
    return time.isoformat()


def _in_python_names(usage: Usage) -> Usage:
    """Name groups as the caller did: `customer_ref`, not `customerRef`."""
    if not any(name in _PYTHON for name in usage.group_by):
        return usage
    return msgspec.structs.replace(
        usage,
        group_by=tuple(_PYTHON.get(name, name) for name in usage.group_by),
        series=tuple(
            Series(
                {_PYTHON.get(name, name): value for name, value in each.group.items()},
                each.total,
                each.points,
            )
            for each in usage.series
        ),
    )
