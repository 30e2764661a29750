"""Meters: named ways to count events. And the decisions about them, without I/O.

A meter of kind `meter` counts meter events, and limits are decided by it; one of kind `usage` counts usage
events, for analytics. `model.counting` says which meter events feed a meter.
"""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from meterhouse.model import text
from meterhouse.model.errors import DefaultMeter, FieldError, ValidationFailed
from meterhouse.model.event import Kind
from meterhouse.model.ref import Prefix, is_ref

_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}", re.ASCII)
_MAX_UNIT: Final = 50
_MAX_TYPE: Final = 128
_MAX_TYPES: Final = 100
_MAX_METER_NAMES: Final = 100
_MAX_PROPERTIES: Final = 10
_MAX_PROPERTY: Final = 64
_MAX_VALUES: Final = 100
_MAX_VALUE: Final = 256


class Aggregation(StrEnum):
    """How the units of many events become one number (contract §4.5, and two more).

    count: each event is 1; of meter events, as many as it says that it tells of: its units.
    unique: how many customers there were. latest: the units of the newest event.
    """

    COUNT = "count"
    SUM = "sum"
    MAX = "max"
    MIN = "min"
    AVG = "avg"
    UNIQUE = "unique"
    LATEST = "latest"


class MeterStatus(StrEnum):
    ACTIVE = "active"
    ARCHIVED = "archived"


class Meter(Struct, frozen=True, kw_only=True):
    """name: its own in the scope, for ever. Times: microseconds since 1970.

    meter_names: JSON text of a list. Of kind meter it counts the events recorded on any of these meters;
    where there are none, those recorded on itself. Only outcome success counts.
    is_default: made with the scope; it cannot be archived.
    event_types: JSON text of a list; it counts events of any of them, of an empty one every event.
    properties: canonical JSON text of `{name: [text…]}`; an event must have one of the texts of each name.
    """

    ref: str
    name: str
    display_name: str
    description: str = ""
    aggregation: Aggregation = Aggregation.COUNT
    unit: str = ""
    event_types: str = "[]"
    properties: str = "{}"
    status: MeterStatus = MeterStatus.ACTIVE
    created_at: int
    updated_at: int
    # Meters from before there were these were so, also in the answers kept for idempotency keys.
    kind: Kind = Kind.USAGE
    is_default: bool = False
    meter_names: str = "[]"

    @property
    def is_recorded_on(self) -> bool:
        """Whether meter events are recorded on it, while it is active; on a derived one nothing is."""
        return self.kind is Kind.METER and self.meter_names == "[]"

    @property
    def is_plain(self) -> bool:
        """Whether it counts every event that is recorded on it, and no other."""
        return self.is_recorded_on and self.event_types == "[]" and self.properties == "{}"


class MeterDetails(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What may change of a meter: how it is shown, never what it counts. Left out or null: not said."""

    display_name: str | None = None
    description: str | None = None
    unit: str | None = None


class MeterChange(MeterDetails, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a change says besides must be what the meter has, as where all that was answered is sent back."""

    reference: str | None = None
    name: str | None = None
    kind: Kind | None = None
    meter_names: Sequence[str] | None = None
    aggregation: Aggregation | None = None
    status: MeterStatus | None = None
    event_types: Sequence[str] | None = None
    properties: dict[str, Sequence[str]] | None = None


class NewMeter(MeterDetails, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """reference: the meter's own ref (`mtr_…`); left out, one is minted. displayName: left out, the name.

    meterNames: of kind meter only; left out or empty, events are recorded on the meter itself.
    """

    reference: str | None = None
    name: str | None = None
    kind: Kind = Kind.METER
    meter_names: Sequence[str] | None = None
    aggregation: Aggregation = Aggregation.COUNT
    event_types: Sequence[str] | None = None
    properties: dict[str, Sequence[str]] | None = None


_DEFAULTS: Final = (
    NewMeter(name="requests", display_name="Requests"),
    NewMeter(name="tokens", display_name="Tokens", aggregation=Aggregation.SUM, unit="tokens"),
    NewMeter(name="api_requests", display_name="API requests"),
    NewMeter(name="api_calls", display_name="API calls"),
)


def check_new(new: NewMeter) -> None:
    """Raises ValidationFailed, naming every fault."""
    errors = _faults(new)
    if new.name is None:
        errors.insert(0, FieldError("name", "is required"))
    elif not _NAME.fullmatch(new.name):
        errors.insert(0, FieldError("name", "must have 1 to 100 of A-Z a-z 0-9 _ . : -"))
    if new.reference is not None and not is_ref(new.reference, Prefix.METER):
        errors.append(FieldError("reference", "must be mtr_ and 1 to 16 of A-Z a-z 0-9 _ -"))
    errors += _source_faults(new)
    errors += _type_faults(new.event_types or ())
    errors += _property_faults(new.properties or {})
    if errors:
        raise ValidationFailed(errors)


def check_sources(found: Sequence[Meter | None]) -> None:
    """found: the meters of a new one's `meterNames`. Raises ValidationFailed, naming each on which nothing
    can be recorded: there would be nothing of it to count."""
    sentence = "must be the name of a meter of kind meter that is recorded on itself; make that one first"
    errors = [
        FieldError(f"meterNames.{i}", sentence)
        for i, source in enumerate(found)
        if source is None or not source.is_recorded_on
    ]
    if errors:
        raise ValidationFailed(errors)


def check_details(details: MeterDetails) -> None:
    """Raises ValidationFailed, naming every fault."""
    if errors := _faults(details):
        raise ValidationFailed(errors)


def created(new: NewMeter, ref: str, now_us: int) -> Meter:
    name = new.name or ""
    return Meter(
        ref=ref,
        name=name,
        display_name=new.display_name or name,
        description=new.description or "",
        aggregation=new.aggregation,
        unit=new.unit or "",
        event_types=_set(new.event_types or ()),
        properties=_sets(new.properties or {}),
        created_at=now_us,
        updated_at=now_us,
        kind=new.kind,
        meter_names=_set(new.meter_names or ()),
    )


def default_meters(now_us: int) -> Sequence[Meter]:
    """Return the meters that every scope begins with, of the same refs in each (contract §4.5)."""
    return [
        msgspec.structs.replace(created(new, f"{Prefix.METER}{new.name}", now_us), is_default=True)
        for new in _DEFAULTS
    ]


def sources(meter: Meter) -> Sequence[str]:
    """Return the names of the meters whose events feed one of kind meter."""
    return msgspec.json.decode(meter.meter_names, type=list[str]) or [meter.name]


def changed(meter: Meter, details: MeterDetails, now_us: int) -> Meter:
    """Return the meter with what `details` says; what it does not say stays.

    Raises ValidationFailed, naming what can never change and would.
    """
    if isinstance(details, MeterChange) and (errors := list(_fixed_faults(meter, details))):
        raise ValidationFailed(errors)
    said = {
        name: value
        for name in ("display_name", "description", "unit")
        if (value := getattr(details, name)) is not None
    }
    if said.get("display_name") == "":
        said["display_name"] = meter.name
    return msgspec.structs.replace(meter, **said, updated_at=now_us)


def archived(meter: Meter, now_us: int) -> Meter:
    """Raises DefaultMeter."""
    if meter.is_default:
        raise DefaultMeter
    return msgspec.structs.replace(meter, status=MeterStatus.ARCHIVED, updated_at=now_us)


def _set(texts: Sequence[str]) -> str:
    return text.canonical(sorted(set(texts)))


def _sets(properties: dict[str, Sequence[str]]) -> str:
    return text.canonical({name: sorted(set(texts)) for name, texts in properties.items()})


def _fixed_faults(meter: Meter, said: MeterChange) -> Iterator[FieldError]:
    pairs = {
        "reference": (said.reference, meter.ref),
        "name": (said.name, meter.name),
        "kind": (said.kind, meter.kind),
        "meterNames": (None if said.meter_names is None else _set(said.meter_names), meter.meter_names),
        "aggregation": (said.aggregation, meter.aggregation),
        "eventTypes": (None if said.event_types is None else _set(said.event_types), meter.event_types),
        "properties": (None if said.properties is None else _sets(said.properties), meter.properties),
    }
    for path, (given, own) in pairs.items():
        if given not in (None, own):
            yield FieldError(path, f"stays {own}; make another meter, or leave it out")
    if said.status not in (None, meter.status):
        remedy = (
            "make another meter"
            if meter.status is MeterStatus.ARCHIVED
            else "archive it with POST …/archive, for good"
        )
        yield FieldError("status", f"stays {meter.status}; {remedy}")


def _faults(details: MeterDetails) -> list[FieldError]:
    d = details
    sentences = {
        "displayName": d.display_name is not None and text.name_fault(d.display_name),
        "description": d.description is not None and text.description_fault(d.description),
        "unit": d.unit is not None and text.length_fault(d.unit, _MAX_UNIT),
    }
    return [FieldError(path, sentence) for path, sentence in sentences.items() if sentence]


def _source_faults(new: NewMeter) -> list[FieldError]:
    names = new.meter_names or ()
    if names and new.kind is not Kind.METER:
        return [FieldError("meterNames", "is for meters of kind meter; leave it out, or say kind meter")]
    if len(names) > _MAX_METER_NAMES:
        return [FieldError("meterNames", f"must have at most {_MAX_METER_NAMES}")]
    return []


def _type_faults(types: Sequence[str]) -> list[FieldError]:
    if len(types) > _MAX_TYPES:
        return [FieldError("eventTypes", f"must have at most {_MAX_TYPES}")]
    return [
        FieldError(f"eventTypes.{i}", f"must have 1 to {_MAX_TYPE} characters")
        for i, each in enumerate(types)
        if not 0 < len(each) <= _MAX_TYPE
    ]


def _property_faults(properties: dict[str, Sequence[str]]) -> list[FieldError]:
    errors = []
    if len(properties) > _MAX_PROPERTIES:
        errors.append(FieldError("properties", f"must have at most {_MAX_PROPERTIES} names"))
    for name, values in properties.items():
        if not 0 < len(name) <= _MAX_PROPERTY:
            errors.append(FieldError("properties", f"names must have 1 to {_MAX_PROPERTY} characters"))
        elif not 0 < len(values) <= _MAX_VALUES or any(len(value) > _MAX_VALUE for value in values):
            sentence = f"must have 1 to {_MAX_VALUES} texts of at most {_MAX_VALUE} characters"
            errors.append(FieldError(f"properties.{name}", sentence))
    return errors
