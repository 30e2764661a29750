"""`meterhouse export`: every event that matches, from a running server or from its directory."""

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from enum import StrEnum
from itertools import islice
from typing import Annotated, Final

import msgspec
import typer
from msgspec import Struct

from meterhouse.cli.client import ApiKey, Url, connected
from meterhouse.cli.exporting.events import answered, stored
from meterhouse.cli.exporting.formats import Format
from meterhouse.cli.exporting.sink import STDOUT, Sink, sink
from meterhouse.cli.options import Data, In, ProviderName, load, sentences
from meterhouse.model.event import Event, Kind, to_microseconds
from meterhouse.model.question import Filter
from meterhouse.model.tenant import Environment
from meterhouse.settings import Settings
from meterhouse.wiring import export_events

_PAGE_EVENTS: Final = 1_000
_KEY_NAMES: Final = ("METERHOUSE_API_KEY", "SOLVAPAY_SECRET_KEY")


class AskedKind(StrEnum):
    USAGE = "usage"
    METER = "meter"
    ALL = "all"


_KINDS: Final = {
    AskedKind.USAGE: (Kind.USAGE,),
    AskedKind.METER: (Kind.METER,),
    AskedKind.ALL: tuple(Kind),
}


class _Matching(Struct, frozen=True, kw_only=True):
    type: tuple[str, ...]
    customer: tuple[str, ...]
    product: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    kind: AskedKind


Output = Annotated[str, typer.Option("--output", help="A file; - is stdout.")]
FileFormat = Annotated[
    Format | None, typer.Option("--format", help="Told by the output's name when absent, else NDJSON.")
]
Types = Annotated[list[str] | None, typer.Option("--type", help="Repeatable: any of them.")]
Customers = Annotated[list[str] | None, typer.Option("--customer", metavar="REF", help="Repeatable.")]
Products = Annotated[list[str] | None, typer.Option("--product", metavar="REF", help="Repeatable.")]
From = Annotated[
    str | None, typer.Option("--from", help="Included: RFC 3339 with an offset, or a date, UTC.")
]
To = Annotated[str | None, typer.Option("--to", help="Excluded.")]
WhichKind = Annotated[AskedKind, typer.Option("--kind", help="Which kind of events.")]


def export(  # noqa: PLR0913, PLR0917 - the options of the command
    output: Output = STDOUT,
    format_: FileFormat = None,
    type_: Types = None,
    customer: Customers = None,
    product: Products = None,
    from_: From = None,
    to: To = None,
    kind: WhichKind = AskedKind.USAGE,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    environment: In = Environment.SANDBOX,
    provider: ProviderName = "default",
) -> None:
    """Write every matching event, the last received first: as NDJSON, CSV or Parquet, with exact units.

    With --url, --api-key or METERHOUSE_API_KEY the running server is asked, and the key decides the
    environment. With --data, or without any of them, the directory is opened, which no server may serve.
    """
    with sentences():
        if data is not None and (url is not None or api_key is not None):
            raise ValueError("Give --data, or --url and --api-key; not both.")
        matching = _Matching(
            type=tuple(type_ or ()),
            customer=tuple(customer or ()),
            product=tuple(product or ()),
            start=_time("--from", from_),
            end=_time("--to", to),
            kind=kind,
        )
        with sink(output, format_) as out:
            if url is not None or api_key is not None or (data is None and _has_key()):
                _from_server(url, api_key, matching, out)
            else:
                settings = load(data=data)
                _from_directory(settings, (provider, environment), matching, out)
    typer.echo(f"{out.events} events", err=True)


def _has_key() -> bool:
    return any(os.environ.get(name) for name in _KEY_NAMES)


def _from_server(url: str | None, api_key: str | None, matching: _Matching, out: Sink) -> None:
    with connected(url, api_key) as client:
        events = client.events(
            from_=matching.start,
            to=matching.end,
            type=matching.type,
            customer_ref=matching.customer,
            product_ref=matching.product,
            kind=matching.kind.value,
            order="received",
            page_events=_PAGE_EVENTS,
        )
        while page := list(islice(events, _PAGE_EVENTS)):
            out.take([answered(event) for event in page])


def _from_directory(
    settings: Settings, whose: tuple[str, Environment], matching: _Matching, out: Sink
) -> None:
    question = Filter(
        scope_id=0,
        kinds=_KINDS[matching.kind],
        start=_microseconds(matching.start),
        end=_microseconds(matching.end),
        type=matching.type,
        customer_ref=matching.customer,
        product_ref=matching.product,
    )
    provider, environment = whose

    def take(page: Sequence[Event]) -> None:
        out.take([stored(event) for event in page])

    try:
        asyncio.run(export_events(settings, provider, environment, question, take))
    except RuntimeError as error:
        raise RuntimeError(f"{error} A server that runs is asked with --url and --api-key.") from None


def _time(option: str, text: str | None) -> datetime | None:
    """Raises ValueError with a sentence."""
    if text is None:
        return None
    try:
        if len(text) == len("2026-11-01"):
            return datetime.combine(date.fromisoformat(text), time.min, UTC)
        found = msgspec.convert(text, datetime)
    except (msgspec.ValidationError, ValueError):
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f"{option} takes a date or an RFC 3339 time with an offset, not {text!r}.")
    return found


def _microseconds(at: datetime | None) -> int | None:
    return None if at is None else to_microseconds(at)
