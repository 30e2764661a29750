"""What came in and what became of it: counts per hour, and the last rejections with their reasons."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from meterhouse.model.errors import FieldError
from meterhouse.model.event import Rejection, Repeat, Submission

_MICROSECONDS_PER_HOUR: Final = 3_600_000_000
KEPT_REJECTIONS: Final = 1_000  # per scope
_PRUNE_EVERY: Final = 128
_KEPT_FAULTS: Final = 20  # of one rejection: a bulk may have thousands


class Counts:
    """What one commit adds. received is counted on its own, the outcomes must add up to it."""

    def __init__(self) -> None:
        self._by_scope: dict[int, dict[str, int]] = {}

    def count(self, submission: Submission, repeats: Mapping[int, Repeat]) -> None:
        counts = self._of(submission.scope_id)
        events, rejections = len(submission.events.type), submission.rejections
        counts["received"] += events + len(rejections)
        counts["stored"] += events - len(repeats)
        if repeats:
            for repeat in repeats.values():
                code = "idempotency_conflict" if repeat.conflict else "duplicate"
                counts[code] = counts.get(code, 0) + 1
        if rejections:
            for rejection in rejections:
                counts[rejection.code] = counts.get(rejection.code, 0) + 1

    def add(self, scope_id: int, code: str, events: int) -> None:
        """Count events that were received and became `code`."""
        counts = self._of(scope_id)
        counts["received"] += events
        counts[code] = counts.get(code, 0) + events

    def _of(self, scope_id: int) -> dict[str, int]:
        counts = self._by_scope.get(scope_id)
        if counts is None:
            counts = self._by_scope[scope_id] = {"received": 0, "stored": 0}
        return counts

    def write(self, connection: sqlite3.Connection, now_us: int) -> None:
        hour = now_us // _MICROSECONDS_PER_HOUR
        rows = [
            (scope_id, hour, code, events)
            for scope_id, counts in self._by_scope.items()
            for code, events in counts.items()
            if events
        ]
        connection.executemany(
            "INSERT INTO ingest_tally VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET events = events + excluded.events",
            rows,
        )


def _kept(faults: Sequence[FieldError]) -> Sequence[FieldError]:
    """Return the first faults and how many more there are."""
    if len(faults) <= _KEPT_FAULTS:
        return faults
    return [*faults[:_KEPT_FAULTS], FieldError("", f"and {len(faults) - _KEPT_FAULTS} more")]


def keep(connection: sqlite3.Connection, scope_id: int, rejections: Sequence[Rejection], now_us: int) -> None:
    """Keep the newest rejections of a scope, at least KEPT_REJECTIONS of them."""
    last = 0
    for rejection in rejections[-KEPT_REJECTIONS:]:
        last = (
            connection.execute(
                "INSERT INTO rejection (scope_id, received_at, code, errors) VALUES (?, ?, ?, ?)",
                (scope_id, now_us, rejection.code, msgspec.json.encode(_kept(rejection.errors)).decode()),
            ).lastrowid
            or 0
        )
    if last % _PRUNE_EVERY < len(rejections):
        connection.execute(
            "DELETE FROM rejection WHERE scope_id = ?1 AND id <= ("
            " SELECT id FROM rejection WHERE scope_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            (scope_id, KEPT_REJECTIONS),
        )
