"""Times as files have them, to exact ones: ISO 8601, access logs, epochs, compact dates, spreadsheet days."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Final

from meterhouse.model.event import EPOCH
from meterhouse.model.units import is_between

_OFFSET: Final = r"(?: ?(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?"
_ISO: Final = re.compile(
    rf"(\d{{4}})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?{_OFFSET})?",
    re.ASCII | re.IGNORECASE,
)
_COMPACT: Final = re.compile(
    rf"(\d{{4}})(\d\d)(\d\d)(?:[T ]?(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?{_OFFSET})?",
    re.ASCII | re.IGNORECASE,
)
_LOG: Final = re.compile(
    r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d)(?:[.,](\d+))? ([+-]\d{4})", re.ASCII
)
_NUMBER: Final = re.compile(r"(0|[1-9]\d{0,18})(?:\.(\d+))?", re.ASCII)
_DAYS: Final = re.compile(r"(\d{1,5})(?:[.,](\d+))?", re.ASCII)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EXAMPLES: Final = "2026-11-01T12:00:00Z, 01/Nov/2026:12:00:00 +0000, or seconds since 1970"
_DIGITS: Final = 6
_FROM_SECONDS: Final = 946_684_800  # 2000-01-01
_TO_SECONDS: Final = 4_102_444_800  # 2100-01-01
_MOST: Final = 10**19
_MOST_PLACES: Final = 40
_DAY_ZERO: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a local time; day 61 is 1 March 1900
_DAY_MS: Final = 24 * 60 * 60 * 1000
_SPREADSHEET_DAYS: Final = range(36_526, 73_051)  # 2000 to 2099


class TimeFormat(StrEnum):
    """How to read the text of a time that is ambiguous by itself."""

    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    MICROSECONDS = "microseconds"
    NANOSECONDS = "nanoseconds"
    COMPACT = "compact"
    SPREADSHEET = "spreadsheet"


_PLACES: Final = {
    TimeFormat.SECONDS: 0,
    TimeFormat.MILLISECONDS: 3,
    TimeFormat.MICROSECONDS: 6,
    TimeFormat.NANOSECONDS: 9,
}


class Times:
    """Reads times, and counts the decisions about them.

    zone: of times that carry no offset. Of a time that a clock change makes happen twice, the first is
    meant. format: the only one that is read; None reads ISO 8601, the time of access logs, and a number
    that is from 2000 to 2100 as seconds, milli-, micro- or nanoseconds since 1970.
    """

    def __init__(self, zone: tzinfo = UTC, format_: TimeFormat | None = None) -> None:
        self._zone = zone
        self._format = format_
        self.cut = 0
        """Times with more than six fractional digits."""
        self.lost = 0
        """Those of them where a digit other than 0 was cut off."""
        self.without_offset = 0
        self.twice = 0
        """Those of them that happened twice in the zone."""
        self.rounded = 0
        """Spreadsheet days that are no whole number of milliseconds."""

    def read(self, value: object) -> datetime:
        """Return an aware time. Raises ValueError with the end of a sentence."""
        text = value.strip() if isinstance(value, str) else _digits(value)
        if not text:
            raise ValueError("is empty" if text == "" or value is None else f"is no time: {value!r:.40}")
        try:
            if (time := self._read(text)) is not None:
                return time
        except (ValueError, OverflowError):  # the 32nd of a month, the year 0
            pass
        raise ValueError(f"is no time{self._as_said()}: {text[:40]!r}{self._advice(text)}")

    def notes(self) -> Iterator[str]:
        """Yield sentences about the decisions."""
        if self.cut:
            yield (
                f"{self.cut} times had more than 6 decimal places and were truncated to microseconds; "
                f"{self.lost} of them lost a digit other than 0."
            )
        if self.rounded:
            yield f"{self.rounded} times were spreadsheet days and were rounded to the millisecond."
        if self.without_offset:
            yield f"{self.without_offset} times had no offset and were taken as {self._zone} (--timezone)."
        if self.twice:
            yield f"{self.twice} of them happened twice, around a clock change; the first was taken."

    def _read(self, text: str) -> datetime | None:
        match self._format:
            case None:
                return self._as_it_stands(text)
            case TimeFormat.COMPACT:
                found = _COMPACT.fullmatch(text)
                return self._local_or_not(*found.groups()) if found else None
            case TimeFormat.SPREADSHEET:
                found = _DAYS.fullmatch(text)
                return self._days(found[1], found[2] or "") if found else None
            case unit:
                found = _NUMBER.fullmatch(text)
                return self._since_1970(found[1], found[2] or "", _PLACES[unit]) if found else None

    def _as_it_stands(self, text: str) -> datetime | None:
        if found := _ISO.fullmatch(text):
            return self._local_or_not(*found.groups())
        if found := _LOG.fullmatch(text):
            return self._log(*found.groups())
        if found := _NUMBER.fullmatch(text):
            for places in _PLACES.values():
                if _FROM_SECONDS <= int(found[1]) // 10**places < _TO_SECONDS:
                    return self._since_1970(found[1], found[2] or "", places)
        return None

    def _local_or_not(self, *parts: str | None) -> datetime:
        *numbers, fraction, offset = parts
        year, month, day, hour, minute, second = (int(each or 0) for each in numbers)
        micros = self._micros(fraction or "")
        if offset is not None:
            return datetime(year, month, day, hour, minute, second, micros, _zone(offset))
        return self._local(datetime(year, month, day, hour, minute, second, micros, self._zone))

    def _local(self, local: datetime) -> datetime:
        """Count a time without offset. Raises ValueError: the clock jumped over it, so it never was."""
        self.without_offset += 1
        if self._zone is UTC or local.utcoffset() == local.replace(fold=1).utcoffset():
            return local
        if local.astimezone(UTC).astimezone(self._zone).replace(fold=0) != local:
            raise ValueError
        self.twice += 1
        return local

    def _log(self, *parts: str | None) -> datetime:
        day, month, year, hour, minute, second, fraction, offset = (each or "" for each in parts)
        numbers = (int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
        return datetime(*numbers, self._micros(fraction), tzinfo=_zone(offset))

    def _since_1970(self, whole: str, fraction: str, places: int) -> datetime:
        """places: how many digits of `whole` are decimal places of seconds."""
        digits = whole.zfill(places + 1)
        seconds, below = digits[: len(digits) - places], digits[len(digits) - places :]
        return EPOCH + timedelta(seconds=int(seconds), microseconds=self._micros(below + fraction))

    def _days(self, whole: str, fraction: str) -> datetime:
        """A spreadsheet keeps days as binary floats: the nearest millisecond is the time that it shows."""
        scale = 10 ** len(fraction)
        milliseconds, rest = divmod(int(whole + fraction) * _DAY_MS, scale)
        self.rounded += rest != 0
        milliseconds += rest * 2 >= scale
        return self._local((_DAY_ZERO + timedelta(milliseconds=milliseconds)).replace(tzinfo=self._zone))

    def _micros(self, fraction: str) -> int:
        if len(fraction) > _DIGITS:
            self.cut += 1
            self.lost += fraction[_DIGITS:].strip("0") != ""
        return int(fraction[:_DIGITS].ljust(_DIGITS, "0"))

    def _as_said(self) -> str:
        return "" if self._format is None else f" in the format {self._format} (--time-format)"

    def _advice(self, text: str) -> str:
        if self._format is not None:
            return ""
        if text.startswith(("19", "20")) and _COMPACT.fullmatch(text):
            return f"; --time-format {TimeFormat.COMPACT} reads it as a date"
        if (days := _DAYS.fullmatch(text)) and int(days[1]) in _SPREADSHEET_DAYS:
            return f"; --time-format {TimeFormat.SPREADSHEET} reads it as a spreadsheet's day"
        if _NUMBER.fullmatch(text):
            return "; a number is a time only from 2000 to 2100, or with --time-format"
        return f"; write e.g. {_EXAMPLES}"


def _digits(value: object) -> str | None:
    """Return a JSON number without exponent, None where it is none or out of any range."""
    if not is_between(value, 0, _MOST):
        return None
    number = Decimal(value)
    exponent = number.as_tuple().exponent
    return format(number, "f") if isinstance(exponent, int) and exponent >= -_MOST_PLACES else None


def _zone(offset: str) -> tzinfo:
    if offset.upper() in ("Z", "UTC", "GMT"):
        return UTC
    sign = -1 if offset[0] == "-" else 1
    digits = offset[1:].replace(":", "").ljust(4, "0")
    return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))
