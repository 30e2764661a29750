"""`GET /v1/ingest`: received = stored + duplicates + rejected, for everybody to check."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import Struct

from meterhouse.model.errors import FieldError, ValidationFailed
from meterhouse.model.event import from_microseconds, to_microseconds
from meterhouse.model.tenant import Caller
from meterhouse.ports import Tally
from meterhouse.query.parameters import Reader

_HOUR_US: Final = 3_600_000_000
_DEFAULT_HOURS: Final = 7 * 24
_MAX_HOURS: Final = 366 * 24
_TIME: Final = "RFC 3339 with an offset, or a date in UTC."
_OUTCOMES: Final = ("received", "stored", "duplicate")  # every other code is a rejection


class Counts(Struct):
    """codes: the rejected events by the code of their error."""

    received: int
    stored: int
    duplicates: int
    rejected: int
    codes: dict[str, int]


class HourAnswer(Struct):
    """start: of the hour of receipt, UTC."""

    start: datetime
    counts: Counts


class RejectionAnswer(Struct, rename="camel"):
    received_at: datetime
    code: str
    errors: tuple[FieldError, ...]


class IngestAnswer(Struct):
    """total: over the hours given. hours: those in which something came in. rejections: newest first."""

    total: Counts
    hours: tuple[HourAnswer, ...]
    rejections: tuple[RejectionAnswer, ...]


class TallyRoutes:
    """now: the server's clock, an aware datetime."""

    def __init__(self, tally: Tally, now: Callable[[], datetime]) -> None:
        self._tally = tally
        self._now = now

    async def get(
        self,
        caller: NamedDependency[Caller],
        from_: Annotated[str | None, QueryParameter(name="from", description=_TIME)] = None,
        to: Annotated[str | None, QueryParameter(description=_TIME)] = None,
        limit: Annotated[int, QueryParameter(ge=0, le=1000, description="Rejections shown.")] = 1000,
    ) -> IngestAnswer:
        """Count what came in, by hour of receipt, the last 7 days unless said; show the last rejections."""
        start, end = self._hours(from_, to)
        hours = await self._tally.hours(caller.scope.id, start, end)
        rejections = await self._tally.rejections(caller.scope.id)
        total: Counter[str] = Counter()
        for hour in hours:
            total.update(hour.counts)
        return IngestAnswer(
            _counts(total),
            tuple(
                HourAnswer(from_microseconds(hour.hour * _HOUR_US), _counts(hour.counts)) for hour in hours
            ),
            tuple(
                RejectionAnswer(
                    from_microseconds(kept.received_at), kept.rejection.code, kept.rejection.errors
                )
                for kept in rejections[:limit]
            ),
        )

    def _hours(self, from_: str | None, to: str | None) -> tuple[int, int]:
        """Return the hours that touch the time asked for, the last one excluded."""
        given = {name: [text] for name, text in (("from", from_), ("to", to)) if text is not None}
        reader = Reader(given)
        start, end = reader.span(ZoneInfo("UTC"))
        reader.finish()
        last = -(-(to_microseconds(self._now()) if end is None else end) // _HOUR_US)
        first = last - _DEFAULT_HOURS if start is None else start // _HOUR_US
        if not first < last <= first + _MAX_HOURS:
            raise ValidationFailed.of("from", f"must be before to, by at most {_MAX_HOURS} hours")
        return first, last


def _counts(codes: Mapping[str, int]) -> Counts:
    rejected = {code: events for code, events in codes.items() if code not in _OUTCOMES}
    return Counts(
        received=codes.get("received", 0),
        stored=codes.get("stored", 0),
        duplicates=codes.get("duplicate", 0),
        rejected=sum(rejected.values()),
        codes=rejected,
    )
