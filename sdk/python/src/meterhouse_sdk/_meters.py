"""Meters: questions with a name. Writes carry an idempotency key made once for the call."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

from meterhouse_sdk._answers import Meter, Meters, MeterUsage, read
from meterhouse_sdk._products import encoded
from meterhouse_sdk._protocol import Operation, Request, segment
from meterhouse_sdk._publish import new_key
from meterhouse_sdk._questions import Granularity, OneOrMore, several, written_time

Aggregation = Literal["count", "sum", "max", "min", "avg", "unique", "latest"]
MeterKind = Literal["meter", "usage"]
_METERS: Final = "/v1/meters"


def create_meter(  # noqa: PLR0913 - the fields of a meter
    *,
    name: str,
    kind: MeterKind = "meter",
    meter_names: Sequence[str] = (),
    aggregation: Aggregation = "count",
    event_types: Sequence[str] = (),
    properties: Mapping[str, Sequence[str]] | None = None,
    display_name: str | None = None,
    description: str | None = None,
    unit: str | None = None,
    reference: str | None = None,
    idempotency_key: str | None = None,
) -> Operation[Meter]:
    """Create a meter. It counts the events of before, too. What it counts never changes.

    name: 1 to 100 of A-Z a-z 0-9 _ . : -, its own for ever, also once the meter is archived.
    kind: "meter" counts meter events of outcome success, "usage" counts usage events, for analytics.
    meter_names: of kind meter, counts what is recorded on any of these meters, and nothing can be recorded on
        it; empty, what is recorded on itself.
    event_types: empty counts every type. properties: only events that have one of the texts of each name.
    reference: your own ref (`mtr_` and 1 to 16 of A-Z a-z 0-9 _ -); None: the server mints one.

    Raises ValidationFailed, MeterNameTaken, ReferenceTaken: nothing was written.
    """
    reply = yield Request(
        "POST",
        _METERS,
        repeatable=True,
        body=encoded(
            name=name,
            kind=kind,
            meterNames=meter_names or None,
            aggregation=aggregation,
            eventTypes=event_types,
            properties=properties,
            displayName=display_name,
            description=description,
            unit=unit,
            reference=reference,
        ),
        idempotency_key=idempotency_key or new_key(),
    )
    return read(reply, Meter)


def list_meters(
    *, status: Literal["active", "archived"] | None = None, kind: MeterKind | None = None
) -> Operation[Sequence[Meter]]:
    """Return the meters, the default ones first, by name; without a status, archived ones too."""
    params = [(name, value) for name, value in (("status", status), ("kind", kind)) if value is not None]
    reply = yield Request("GET", _METERS, repeatable=True, params=tuple(params))
    return read(reply, Meters).meters


def get_meter(meter_ref: str) -> Operation[Meter]:
    """Return a meter. Raises MeterNotFound."""
    reply = yield Request("GET", _path(meter_ref), repeatable=True)
    return read(reply, Meter)


def update_meter(
    meter_ref: str,
    *,
    display_name: str | None = None,
    description: str | None = None,
    unit: str | None = None,
) -> Operation[Meter]:
    """Change how a meter is shown. Raises MeterNotFound, ValidationFailed: nothing was changed."""
    reply = yield Request(
        "PUT",
        _path(meter_ref),
        repeatable=True,
        body=encoded(displayName=display_name, description=description, unit=unit),
        idempotency_key=new_key(),
    )
    return read(reply, Meter)


def archive_meter(meter_ref: str) -> Operation[Meter]:
    """Put a meter away; its history still answers. Again is a no-op. Raises MeterNotFound,
    DefaultMeter, MeterCounted."""
    reply = yield Request("POST", f"{_path(meter_ref)}/archive", repeatable=True, idempotency_key=new_key())
    return read(reply, Meter)


def meter_usage(  # noqa: PLR0913 - the parts of a question
    meter_ref: str,
    *,
    from_: datetime | None = None,
    to: datetime | None = None,
    granularity: Granularity = "day",
    timezone: str | None = None,
    customer_ref: OneOrMore = (),
    product_ref: OneOrMore = (),
) -> Operation[MeterUsage]:
    """Return what a meter counted, in total and for each bucket of time; every bucket is there.

    from_ is included, to is not, both aware; None is all of history. customer_ref, product_ref: only these.

    Raises MeterNotFound, ValidationFailed, QueryTooLarge. Raises ValueError for a naive time.
    """
    params = [
        (name.rstrip("_"), written_time(name, time))
        for name, time in (("from_", from_), ("to", to))
        if time is not None
    ]
    params += [("customerRef", each) for each in several(customer_ref)]
    params += [("productRef", each) for each in several(product_ref)]
    params += [] if timezone is None else [("timezone", timezone)]
    reply = yield Request(
        "GET",
        f"{_path(meter_ref)}/usage",
        repeatable=True,
        params=(*params, ("granularity", granularity)),
    )
    return read(reply, MeterUsage)


def _path(meter_ref: str) -> str:
    return f"{_METERS}/{segment(meter_ref)}"
