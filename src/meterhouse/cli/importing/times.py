"""Times as files have them, to exact ones: ISO 8601, those of access logs, and seconds since 1970."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Final

from meterhouse.model.event import EPOCH

_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?"
    r"(?: ?(Z|UTC|[+-]\d\d(?::?\d\d)?))?",
    re.ASCII | re.IGNORECASE,
)
_LOG: Final = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})", re.ASCII)
_SECONDS: Final = re.compile(r"(\d{1,10})(?:\.(\d+))?|(\d{13}|\d{16}|\d{19})", re.ASCII)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EXAMPLES: Final = "2026-11-01T12:00:00Z, 01/Nov/2026:12:00:00 +0000, or seconds since 1970"
_DIGITS: Final = 6


class Times:
    """Reads times, and counts what had to be decided about them.

    zone: of times that carry no offset. Of a time that a clock change makes happen twice, the first is
    meant. A number of 13, 16 or 19 digits is in milli-, micro- or nanoseconds.
    """

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._zone = zone
        self.cut = 0
        """Times with more than six fractional digits."""
        self.lost = 0
        """Those of them where a digit other than 0 was cut off."""
        self.without_offset = 0
        self.twice = 0
        """Those of them that happened twice in the zone."""

    def read(self, value: object) -> datetime:
        """Return an aware time. Raises ValueError with the end of a sentence."""
        text = str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value
        if not isinstance(text, str) or not (text := text.strip()):
            raise ValueError("is empty" if value in (None, "") else f"is no time: {value!r}")
        try:
            if found := _ISO.fullmatch(text):
                return self._iso(*found.groups())
            if found := _LOG.fullmatch(text):
                return _log(*found.groups())
            if found := _SECONDS.fullmatch(text):
                return self._since_1970(*found.groups())
        except (ValueError, OverflowError):  # the 32nd of a month, the year 0
            pass
        raise ValueError(f"is no time: {text[:40]!r}; write e.g. {_EXAMPLES}")

    def _iso(self, *parts: str | None) -> datetime:
        *numbers, fraction, offset = parts
        year, month, day, hour, minute, second = (int(each or 0) for each in numbers)
        micros = self._micros(fraction or "")
        if offset is not None:
            return datetime(year, month, day, hour, minute, second, micros, _zone(offset))
        local = datetime(year, month, day, hour, minute, second, micros, self._zone)
        self.without_offset += 1
        if self._zone is not UTC:
            self._check_clock_change(local)
        return local

    def _check_clock_change(self, local: datetime) -> None:
        """Raises ValueError for a time that the clock jumped over: it never was."""
        if local.utcoffset() == local.replace(fold=1).utcoffset():
            return
        if local.astimezone(UTC).astimezone(self._zone).replace(fold=0) != local:
            raise ValueError
        self.twice += 1

    def _since_1970(self, seconds: str | None, fraction: str | None, digits: str | None) -> datetime:
        if digits is not None:
            seconds, fraction = digits[:10], digits[10:]
        return EPOCH + timedelta(seconds=int(seconds or 0), microseconds=self._micros(fraction or ""))

    def _micros(self, fraction: str) -> int:
        if len(fraction) > _DIGITS:
            self.cut += 1
            self.lost += fraction[_DIGITS:].strip("0") != ""
        return int(fraction[:_DIGITS].ljust(_DIGITS, "0"))


def _log(*parts: str) -> datetime:
    day, month, year, hour, minute, second, offset = parts
    numbers = (int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
    return datetime(*numbers, tzinfo=_zone(offset))


def _zone(offset: str) -> tzinfo:
    if offset.upper() in ("Z", "UTC"):
        return UTC
    sign = -1 if offset[0] == "-" else 1
    digits = offset[1:].replace(":", "").ljust(4, "0")
    return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))
