"""The checks that the fields of meter events share: every fault of a body is found, not the first alone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from msgspec import UNSET, Raw, UnsetType

from meterhouse.ingest.body import MAX_AHEAD, read_timestamp
from meterhouse.ingest.properties import read_properties
from meterhouse.model import units
from meterhouse.model.errors import FieldError
from meterhouse.model.event import to_microseconds
from meterhouse.model.once import key_fault
from meterhouse.model.ref import MAX_CHARACTERS as MAX_REF
from meterhouse.model.units import NANO

MAX_USAGE_UNITS: Final = 100_000
_REQUIRED: Final = "is required"
_WHOLE_UNITS: Final = (
    f"must be a whole number from 0 to {MAX_USAGE_UNITS}; for more, or for fractions, settle a hold or use "
    "/v1/sdk/meter-events"
)


class Faults:
    """Collects what is wrong; each check returns the field's value, or one that is not used."""

    def __init__(self) -> None:
        self.found: list[FieldError] = []

    def add(self, path: str, sentence: str) -> None:
        self.found.append(FieldError(path, sentence))

    def customer(self, ref: str | None, alias: str | None) -> str:
        given = ref if ref is not None else alias
        if not given:
            self.add("customerRef", _REQUIRED)
            return ""
        return self.ref("customerRef", given, alias) or ""

    def ref(self, path: str, ref: str | None, alias: str | None) -> str | None:
        given = ref if ref is not None else alias
        if given is None:
            return None
        if not 0 < len(given) <= MAX_REF:
            self.add(path, f"must have 1 to {MAX_REF} characters")
        elif alias not in (None, given):
            self.add(path, "is given twice, with different values; send one of them")
        return given

    def whole_units(self, value: object) -> int:
        """Return billionths: 1 unit where none are given."""
        if value is UNSET or value is None:
            return NANO
        whole = units.whole_between(value, 0, MAX_USAGE_UNITS)
        if whole is None:
            self.add("units", _WHOLE_UNITS)
            return NANO
        return whole * NANO

    def units(self, path: str, value: object, default: int) -> int:
        if value is UNSET or value is None:
            return default
        amount = units.split(value)
        if isinstance(amount, str):
            self.add(path, amount)
            return default
        return amount[0] * NANO + amount[1]

    def time(self, given: str | None, clock: Callable[[], datetime], age_days: int) -> int | None:
        """age_days: how many days back it may lie, 0 for any number."""
        if given is None:
            return None
        now = clock()
        at = read_timestamp(given, now + MAX_AHEAD)
        if isinstance(at, str):
            self.add("timestamp", at)
            return None
        if age_days and at < to_microseconds(now - timedelta(days=age_days)):
            self.add("timestamp", "must not be older than the server takes (METERHOUSE_USAGE_MAX_AGE_DAYS)")
        return at

    def key(self, own: str | None, header: str | None) -> str | None:
        if fault := key_fault(own, header):
            self.add("idempotencyKey", fault)
        return own if own is not None else header

    def properties(self, path: str, raw: Raw | UnsetType) -> str | None:
        if raw is UNSET:
            return None
        found = read_properties(bytes(raw))
        if isinstance(found, FieldError):
            self.add(path + found.path.removeprefix("properties"), found.message)
            return None
        return found
