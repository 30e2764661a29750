"""Which meter events feed a meter. Agrees with what the warehouse counts for it, text by text."""

from typing import Final

import msgspec
from msgspec import Raw

from meterhouse.model.event import Kind
from meterhouse.model.meter import Meter, sources
from meterhouse.model.plan import DEFAULT_MEASURES

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
    return all(
        name in given and _scalar_text(bytes(given[name])) in texts for name, texts in accepted.items()
    )


def recorded_on(meter: Meter | None) -> str:
    """Return the name of the meter that takes the events for one: itself, or the first of those it counts."""
    if meter is None:
        return DEFAULT_MEASURES
    return meter.name if meter.is_recorded_on else sources(meter)[0]


def _scalar_text(raw: bytes) -> str | None:
    """Return a text as it is, numbers and booleans as JSON writes them; None for what is no scalar."""
    match raw[:1]:
        case b'"':
            return msgspec.json.decode(raw, type=str)
        case b"{" | b"[" | b"n":
            return None
    return raw.decode()
