"""The buffer's own time travels apart from the caller's: it is no part of what an event means."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from meterhouse_sdk import EventBuffer, Meterhouse, NewEvent, NotDelivered
from meterhouse_sdk._new_event import from_line, to_line
from meterhouse_sdk._spool import Lane
from sdk.python.tests.stand_in import StandIn, add, opened


def test_an_event_that_is_added_twice_with_a_key_counts_once(client: Meterhouse, customer: str) -> None:
    fact = {"type": "usage.report", "units": 1, "idempotency_key": f"report-{customer}"}
    with EventBuffer(client) as buffer:
        for _ in range(2):
            add(buffer, customer_ref=customer, **fact)
            buffer.flush()
        assert (buffer.delivered_events, buffer.rejected_events) == (2, 0)
    assert client.create_event(customer_ref=customer, **fact).duplicate  # type: ignore[arg-type]  # a dict


def test_the_time_of_the_buffer_travels_as_utc() -> None:
    time = datetime(2026, 11, 1, 12, 30, tzinfo=timezone(timedelta(hours=1)))
    made = NewEvent(type="usage.a", customer_ref="cus_1", units=1, buffered_at=time)
    assert b'"bufferedAt":"2026-11-01T11:30:00Z"' in to_line(made)
    assert made.buffered_at == time == datetime(2026, 11, 1, 11, 30, tzinfo=UTC)
    assert from_line(to_line(made)) == made


def test_a_rejected_event_that_is_sent_again_keeps_its_time() -> None:
    stand_in = StandIn()
    stand_in.unknown = {"cus_1"}
    with opened(stand_in) as buffer:
        key = add(buffer)
        with pytest.raises(NotDelivered):
            buffer.flush()
        (rejected,) = buffer.rejected
    assert rejected.event is not None
    assert rejected.event.buffered_at is not None
    stand_in.unknown = set()
    with stand_in.client() as client:
        client.create_events([rejected.event])
    assert datetime.fromisoformat(stand_in.events[key]["bufferedAt"]) == rejected.event.buffered_at


def test_a_spool_of_an_earlier_release_is_sent_as_it_was_written(tmp_path: Path) -> None:
    """It has the time at which an event was added as its timestamp."""
    stand_in = StandIn()
    with opened(stand_in, tmp_path) as buffer:
        add(buffer)
        (own,) = (tmp_path / "sandbox").glob("key-*")
    lane = Lane.create(own, 1 << 20)
    old = (
        b'{"type":"usage.a","customerRef":"cus_1","units":1,'
        b'"timestamp":"2026-11-01T00:00:00Z","idempotencyKey":"k"}'
    )
    lane.append(old)
    lane.abandon()
    with opened(stand_in, tmp_path) as buffer:
        buffer.flush()
    assert stand_in.events["k"] == json.loads(old)
