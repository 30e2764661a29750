"""Which meter events feed a meter. The warehouse counts the same events (`model.scalar`)."""

from typing import Final

import msgspec
from msgspec import Raw

from meterhouse.model.event import Kind
from meterhouse.model.meter import Meter, sources
from meterhouse.model.plan import DEFAULT_MEASURES
from meterhouse.model.scalar import is_one_of

_read_texts: Final = msgspec.json.Decoder(list[str]).decode
_read_accepted: Final = msgspec.json.Decoder(dict[str, list[str]]).decode
_read_properties: Final = msgspec.json.Decoder(dict[str, Raw]).decode


def counts(
    meter: Meter,
    *,
    meter_name: str,
    type: str,  # noqa: A002 - the field's name everywhere
    properties: str | None,
) -> bool:
    """Whether an event of outcome success that was recorded on `meter_name` feeds a meter.

    properties: canonical JSON text of an object, or None. An event of any other outcome feeds none, and
    whether the meter is archived is for the caller to ask.
    """
    if meter.is_plain:  # as most are
        return meter_name == meter.name
    if meter.kind is not Kind.METER or meter_name not in sources(meter):
        return False
    types = _read_texts(meter.event_types)
    if types and type not in types:
        return False
    accepted = _read_accepted(meter.properties)
    if not accepted:
        return True
    given = {} if properties is None else _read_properties(properties)
    return all(name in given and is_one_of(bytes(given[name]), texts) for name, texts in accepted.items())


def recorded_on(meter: Meter | None) -> str:
    """Return the name of the meter that takes the events for one: itself, or the first of those it counts."""
    if meter is None:
        return DEFAULT_MEASURES
    return meter.name if meter.is_recorded_on else sources(meter)[0]
