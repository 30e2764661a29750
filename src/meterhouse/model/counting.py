"""Which meter events feed a meter. Agrees with what the warehouse counts for it, text by text."""

from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Raw, Struct

from meterhouse.model.event import Kind
from meterhouse.model.meter import Meter, sources
from meterhouse.model.plan import DEFAULT_MEASURES

_REMEMBERED_RULES: Final = 4_096
_read_properties: Final = msgspec.json.Decoder(dict[str, Raw]).decode


class CountingRule(Struct, frozen=True):
    """A meter's own words, read once: it is asked for every meter event of its scope.

    meter_names: empty for a meter of kind usage, which none feeds. event_types: empty for every type.
    """

    meter_names: frozenset[str]
    event_types: frozenset[str]
    properties: tuple[tuple[str, frozenset[str]], ...]

    @classmethod
    def of(cls, meter: Meter) -> "CountingRule":
        """Return the rule of a meter. Whether it is archived is for the caller to ask."""
        properties = msgspec.json.decode(meter.properties, type=dict[str, frozenset[str]])
        return cls(
            frozenset(sources(meter) if meter.kind is Kind.METER else ()),
            msgspec.json.decode(meter.event_types, type=frozenset[str]),
            tuple(properties.items()),
        )

    def counts(self, *, meter_name: str, type_: str, properties: str | None) -> bool:
        """Whether an event of outcome success that was recorded on `meter_name` feeds the meter.

        properties: canonical JSON text of an object, or None. Any other outcome feeds none.
        """
        if meter_name not in self.meter_names or (self.event_types and type_ not in self.event_types):
            return False
        if not self.properties:
            return True
        given = {} if properties is None else _read_properties(properties)
        return all(
            name in given and _scalar_text(bytes(given[name])) in texts for name, texts in self.properties
        )


def _scalar_text(raw: bytes) -> str | None:
    """Return a text as it is, numbers and booleans as JSON writes them; None for what is no scalar."""
    match raw[:1]:
        case b'"':
            return msgspec.json.decode(raw, type=str)
        case b"{" | b"[" | b"n":
            return None
    return raw.decode()


@lru_cache(_REMEMBERED_RULES)
def _rule(meter: Meter) -> CountingRule:
    return CountingRule.of(meter)


def feeds(meter: Meter, *, meter_name: str, type_: str, properties: str | None) -> bool:
    """Whether an event of outcome success feeds a meter; see `CountingRule.counts`."""
    if meter.is_plain:  # most are
        return meter_name == meter.name
    return _rule(meter).counts(meter_name=meter_name, type_=type_, properties=properties)


def recorded_on(meter: Meter | None) -> str:
    """Return the name of the meter that takes events for one: itself, or the first of those it counts."""
    if meter is None:
        return DEFAULT_MEASURES
    return meter.name if meter.is_recorded_on else sources(meter)[0]
