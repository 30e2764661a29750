"""What came in and what became of it: counts per hour, and the last rejections with their reasons."""

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from meterhouse.model.event import Rejection, Repeat, Submission

_MICROSECONDS_PER_HOUR: Final = 3_600_000_000
KEPT_REJECTIONS: Final = 1_000  # per scope
_PRUNE_EVERY: Final = 128


def count(counts: Counter[tuple[int, str]], submission: Submission, repeats: Mapping[int, Repeat]) -> None:
    """Add one submission: received is counted on its own, the outcomes must add up to it."""
    scope_id = submission.scope_id
    counts[scope_id, "received"] += submission.received
    counts[scope_id, "stored"] += len(submission.events) - len(repeats)
    for repeat in repeats.values():
        counts[scope_id, "idempotency_conflict" if repeat.conflict else "duplicate"] += 1
    for rejection in submission.rejections:
        counts[scope_id, rejection.code] += 1


def add(connection: sqlite3.Connection, counts: Counter[tuple[int, str]], now_us: int) -> None:
    hour = now_us // _MICROSECONDS_PER_HOUR
    connection.executemany(
        "INSERT INTO ingest_tally VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET events = events + excluded.events",
        [(scope_id, hour, code, events) for (scope_id, code), events in counts.items() if events],
    )


def keep(connection: sqlite3.Connection, scope_id: int, rejections: Sequence[Rejection], now_us: int) -> None:
    """Keep the newest rejections of a scope, at least KEPT_REJECTIONS of them."""
    last = 0
    for rejection in rejections[-KEPT_REJECTIONS:]:
        last = (
            connection.execute(
                "INSERT INTO rejection (scope_id, received_at, code, errors) VALUES (?, ?, ?, ?)",
                (scope_id, now_us, rejection.code, msgspec.json.encode(rejection.errors).decode()),
            ).lastrowid
            or 0
        )
    if last % _PRUNE_EVERY < len(rejections):
        connection.execute(
            "DELETE FROM rejection WHERE scope_id = ?1 AND id <= ("
            " SELECT id FROM rejection WHERE scope_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            (scope_id, KEPT_REJECTIONS),
        )
