"""Query strings to questions. Every parameter that is not known is refused: a filter that is silently
ignored would answer for more than was asked."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from meterhouse.model.errors import FieldError, ValidationFailed
from meterhouse.model.event import Kind, Outcome, to_microseconds
from meterhouse.model.question import Filter
from meterhouse.model.timestamp import read_time
from meterhouse.query.buckets import midnight

Parameters = Mapping[str, Sequence[str]]
"""Every value of every name, in order."""

METER_FILTERS: Final = ("meterName", "outcome", "purchaseRef")
FILTERS: Final = ("type", "customerRef", "productRef", *METER_FILTERS)
ADD_KIND: Final = "is of meter events only; add kind=meter or kind=all"
_PROPERTY: Final = re.compile(r"properties\.(.{1,64})", re.DOTALL)
_LOST_PLUS: Final = re.compile(r" (?=\d\d:\d\d$)")  # "+01:00" that was not sent as %2B
MAX_VALUES: Final = 100
_EARLIEST: Final = to_microseconds(datetime(1969, 12, 31, tzinfo=UTC))  # 1970 begins then, east of Greenwich
_LATEST: Final = to_microseconds(datetime(2200, 1, 2, tzinfo=UTC))
E = TypeVar("E", bound=StrEnum)


class Reader:
    """Reads parameters one by one and remembers every fault; `finish` raises them all together."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._unread = set(parameters)
        self._faults: list[FieldError] = []

    def fault(self, path: str, message: str) -> None:
        self._faults.append(FieldError(path, message))

    def text(self, name: str) -> str | None:
        """Return the one value of a parameter; None when it is absent."""
        values = self.texts(name)
        if len(values) > 1:
            self.fault(name, "must be given once")
        return values[0] if values else None

    def texts(self, name: str) -> tuple[str, ...]:
        """Return all values of a parameter; empty when it is absent."""
        self._unread.discard(name)
        values = tuple(self._parameters.get(name, ()))
        if len(values) > MAX_VALUES:
            self.fault(name, f"may be given at most {MAX_VALUES} times")
        return values

    def choice(self, name: str, choices: type[E], default: E) -> E:
        return self.optional_choice(name, choices) or default

    def optional_choice(self, name: str, choices: type[E]) -> E | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            return choices(text)
        except ValueError:
            self.fault(name, f"must be one of {', '.join(choices)}")
            return None

    def whole(self, name: str, default: int, highest: int) -> int:
        """Return a whole number from 1 to `highest`."""
        text = self.text(name)
        if text is None:
            return default
        if not (len(text) <= 9 and text.isascii() and text.isdigit() and 1 <= int(text) <= highest):
            self.fault(name, f"must be a whole number from 1 to {highest}")
            return default
        return int(text)

    def zone(self) -> ZoneInfo:
        """Return `timezone`, UTC when absent."""
        name = self.text("timezone") or "UTC"
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.fault("timezone", "must be an IANA name, e.g. Europe/Stockholm")
            return ZoneInfo("UTC")

    def time(self, name: str, zone: ZoneInfo) -> int | None:
        """Return a time as microseconds since 1970: RFC 3339 with an offset, or a date in `zone`."""
        text = self.text(name)
        if text is None:
            return None
        at = _microseconds(text, zone)
        if at is None:
            self.fault(name, "must be a date or an RFC 3339 time with an offset, e.g. 2026-11-01T00:00:00Z")
        elif not _EARLIEST <= at <= _LATEST:
            self.fault(name, "must be from 1970 to 2200")
            return None
        return at

    def span(self, zone: ZoneInfo) -> tuple[int | None, int | None]:
        """Return `from` (included) and `to` (excluded)."""
        start, end = self.time("from", zone), self.time("to", zone)
        if start is not None and end is not None and start >= end:
            self.fault("to", "must be after from")
        return start, end

    def filter(self, scope_id: int, zone: ZoneInfo) -> Filter:
        start, end = self.span(zone)
        kinds = self._kinds()
        names = sorted(name for name in self._unread if _PROPERTY.fullmatch(name))
        return Filter(
            scope_id=scope_id,
            kinds=kinds,
            start=start,
            end=end,
            type=self.texts("type"),
            customer_ref=self.texts("customerRef"),
            product_ref=self.texts("productRef"),
            meter=self._of_meters("meterName", kinds),
            outcome=self._outcomes(kinds),
            purchase_ref=self._of_meters("purchaseRef", kinds),
            properties=tuple((name.removeprefix("properties."), self.texts(name)) for name in names),
        )

    def finish(self, also_known: Collection[str] = ()) -> None:
        """Raise ValidationFailed with every fault, and every parameter nobody asked for."""
        for name in sorted(self._unread - set(also_known)):
            self.fault(name, "is not a parameter of this route")
        if self._faults:
            raise ValidationFailed(self._faults)

    def _of_meters(self, name: str, kinds: Collection[Kind]) -> tuple[str, ...]:
        texts = self.texts(name)
        if texts and Kind.METER not in kinds:
            self.fault(name, ADD_KIND)
        return texts

    def _outcomes(self, kinds: Collection[Kind]) -> tuple[str, ...]:
        texts = self._of_meters("outcome", kinds)
        if not set(Outcome).issuperset(texts):
            self.fault("outcome", f"must be one of {', '.join(Outcome)}")
        return texts

    def _kinds(self) -> tuple[Kind, ...]:
        match self.text("kind") or "usage":
            case "usage":
                return (Kind.USAGE,)
            case "meter":
                return (Kind.METER,)
            case "all":
                return (Kind.USAGE, Kind.METER)
        self.fault("kind", "must be one of usage, meter, all")
        return (Kind.USAGE,)


def _microseconds(text: str, zone: ZoneInfo) -> int | None:
    try:
        if len(text) == len("2026-11-01"):
            return midnight(date.fromisoformat(text), zone)
        time = read_time(_LOST_PLUS.sub("+", text))
        return None if time is None or time.tzinfo is None else to_microseconds(time)
    except (ValueError, OverflowError):
        return None


def is_property(name: str) -> bool:
    """Whether `name` is `properties.<name>`."""
    return _PROPERTY.fullmatch(name) is not None
