"""The parameters of the query routes, for /openapi.json; `query.parameters` reads and checks them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from litestar.openapi.spec import OpenAPIType, Operation, Parameter, Reference, Schema

from meterhouse.model.event import Outcome
from meterhouse.model.question import Aggregate, EventOrder, Granularity
from meterhouse.query.parameters import FILTERS

Described = Parameter | Reference
_TIME: Final = "RFC 3339 with an offset, or a date in `timezone`."


def _text(name: str, description: str, choices: Iterable[str] | None = None) -> Described:
    schema = Schema(type=OpenAPIType.STRING, enum=None if choices is None else list(choices))
    return Parameter(name, "query", schema=schema, description=description)


def _texts(name: str, description: str, choices: Iterable[str] | None = None) -> Described:
    items = Schema(type=OpenAPIType.STRING, enum=None if choices is None else list(choices))
    return Parameter(
        name,
        "query",
        schema=Schema(type=OpenAPIType.ARRAY, items=items),
        description=description,
        style="form",
        explode=True,
    )


def _whole(name: str, description: str, default: int) -> Described:
    schema = Schema(type=OpenAPIType.INTEGER, minimum=1, maximum=1_000, default=default)
    return Parameter(name, "query", schema=schema, description=description)


_SPAN: Final = (
    _text("from", f"Included. {_TIME}"),
    _text("to", f"Excluded. {_TIME}"),
    _text("timezone", "An IANA name for buckets and dates; UTC when absent."),
)
_NUMBERS: Final = _text(
    "numbers", "string: numbers as strings, for readers that lose digits past 2^53.", ("number", "string")
)
_EXTERNAL: Final = _texts("externalRef", "Events of the customers that have these ids of your own.")
_FILTERS: Final = (
    *_SPAN,
    _texts("type", "Events of any of these types."),
    _texts("customerRef", "Events of any of these customers."),
    _EXTERNAL,
    _texts("productRef", "Events of any of these products."),
    _texts("meterName", "Meter events recorded on any of these meters; with kind meter or all."),
    _texts("outcome", "Meter events that ended in any of these ways; with kind meter or all.", Outcome),
    _texts("purchaseRef", "Meter events of any of these purchases; with kind meter or all."),
    _texts("properties.<name>", "Events whose property has any of these values; only scalars match."),
    _text("kind", "usage when absent.", ("usage", "meter", "all")),
    _NUMBERS,
)


@dataclass
class UsageOperation(Operation):
    """`GET /v1/usage`."""

    def __post_init__(self) -> None:
        self.parameters = [
            *_FILTERS,
            _text("granularity", "Points of this length; none when absent.", Granularity),
            _texts("groupBy", f"At most 3 of {', '.join(FILTERS)}, properties.<name>."),
            _text("aggregate", "sum when absent. Percentiles are nearest-rank, exact.", Aggregate),
            _whole("top", "The largest groups are told apart, the rest is one.", 50),
            _text("format", "json when absent.", ("json", "csv")),
        ]


@dataclass
class MeterOperation(Operation):
    """`GET /v1/meters/{reference}/usage`."""

    def __post_init__(self) -> None:
        self.parameters = [
            *(self.parameters or ()),
            *_SPAN,
            _text("granularity", "Points of this length; day when absent.", Granularity),
            _texts("customerRef", "Events of any of these customers; customerId is the same."),
            _EXTERNAL,
            _texts("productRef", "Events of any of these products."),
            _NUMBERS,
        ]


@dataclass
class EventsOperation(Operation):
    """`GET /v1/events`."""

    def __post_init__(self) -> None:
        self.parameters = [
            *_FILTERS,
            _text("order", "By when it happened, or by when it was received.", EventOrder),
            _whole("limit", "Events on a page.", 100),
            _text("cursor", "`nextCursor` of the page before; the other parameters must stay the same."),
        ]
