"""The buffer in one process: nothing is lost, nothing counts twice, and what is wrong is said."""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from meterhouse_sdk import (
    AsyncMeterhouse,
    AuthenticationError,
    BufferClosed,
    EventBuffer,
    Meterhouse,
    NotDelivered,
    RejectedEvent,
    ServerError,
    ValidationFailed,
)
from meterhouse_sdk._outbox import Limits, due_in_seconds
from sdk.python.tests.stand_in import WAIT_SECONDS, StandIn, add, opened
from tests.e2e.wait import until


@pytest.fixture(params=["memory", "disk"])
def spool_dir(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "spool" if request.param == "disk" else None


def test_flush_returns_when_every_event_is_stored(spool_dir: Path | None) -> None:
    stand_in = StandIn()
    with opened(stand_in, spool_dir) as buffer:
        keys = [add(buffer, number) for number in range(2_500)]
        assert len(set(keys)) == 2_500
        buffer.flush()
        assert [stand_in.events[key]["units"] for key in keys] == list(range(2_500))
        assert (buffer.waiting_events, buffer.delivered_events, buffer.rejected_events) == (0, 2_500, 0)
        assert max(stand_in.sent.values()) == 1
        buffer.flush()  # nothing to do


def test_a_full_batch_is_sent_without_being_asked(spool_dir: Path | None) -> None:
    stand_in = StandIn()
    with opened(stand_in, spool_dir, max_batch_events=10) as buffer:
        for _ in range(25):
            add(buffer)
        stand_in.wait_for(lambda: len(stand_in.events) >= 20)
        assert all(events <= 10 for events in stand_in.batches)


def test_the_oldest_event_waits_no_longer_than_it_may(spool_dir: Path | None) -> None:
    stand_in = StandIn()
    with opened(stand_in, spool_dir, max_delay_seconds=0.01) as buffer:
        for number in range(3):  # each begins to wait anew
            add(buffer)
            stand_in.wait_for(lambda number=number: len(stand_in.events) == number + 1)  # type: ignore[misc]  # bound now


def test_when_a_batch_is_due() -> None:
    limits = Limits(max_batch_events=10, max_delay_seconds=2.0)
    assert due_in_seconds(0, 99.0, limits, urgent=True) is None
    assert due_in_seconds(1, 0.5, limits, urgent=False) == 1.5
    assert due_in_seconds(1, 3.0, limits, urgent=False) == 0
    assert due_in_seconds(10, 0.0, limits, urgent=False) == 0
    assert due_in_seconds(1, 0.0, limits, urgent=True) == 0


def test_an_event_travels_as_it_was_added(spool_dir: Path | None) -> None:
    stand_in = StandIn()
    before = datetime.now(UTC)
    with opened(stand_in, spool_dir) as buffer:
        key = add(buffer, properties={"model": "m"}, product_ref="prd_1", units=Decimal("0.1"))
        mine = add(buffer, idempotency_key="mine", timestamp=datetime(2026, 11, 1, tzinfo=UTC))
        buffer.flush()
    assert stand_in.events[key]["units"] == 0.1
    assert stand_in.events[key]["properties"] == {"model": "m"}
    assert before <= datetime.fromisoformat(stand_in.events[key]["bufferedAt"]) <= datetime.now(UTC)
    assert "timestamp" not in stand_in.events[key]
    assert mine == "mine"
    assert stand_in.events["mine"]["timestamp"] == "2026-11-01T00:00:00Z"
    assert "bufferedAt" not in stand_in.events["mine"]


def test_a_malformed_event_is_refused_in_the_line_that_adds_it(spool_dir: Path | None) -> None:
    with opened(StandIn(), spool_dir) as buffer:
        with pytest.raises(TypeError):
            add(buffer, units=0.1)
        with pytest.raises(ValidationFailed):
            add(buffer, type="x")
        assert buffer.waiting_events == 0


def test_while_the_server_is_away_events_wait_and_flush_says_how_many(spool_dir: Path | None) -> None:
    stand_in = StandIn()
    stand_in.away = True
    with opened(stand_in, spool_dir, max_batch_events=3) as buffer:
        for _ in range(3):
            add(buffer)
        until(lambda: buffer.last_error is not None, "the server has refused them")
        with pytest.raises(NotDelivered, match=r"3 events are not delivered yet .*503") as failed:
            buffer.flush(timeout_seconds=0.05)
        assert failed.value.waiting_events == 3
        assert isinstance(failed.value.__cause__, ServerError)
        assert "503" in str(buffer.last_error)
        stand_in.away = False
        buffer.flush()  # tries at once, though it was backing off
        assert (len(stand_in.events), buffer.waiting_events) == (3, 0)
        assert str(buffer.last_error) == "None"


def test_events_added_while_a_batch_fails_are_sent_after_it_in_order(spool_dir: Path | None) -> None:
    stand_in = StandIn()
    stand_in.away = True
    with opened(stand_in, spool_dir, max_batch_events=10) as buffer:
        for number in range(10):
            add(buffer, number)
        stand_in.wait_for(lambda: stand_in.refused_requests > 0)
        for number in range(10, 25):
            add(buffer, number)
        stand_in.away = False
        buffer.flush()
        assert [event["units"] for event in stand_in.events.values()] == list(range(25))


def test_a_refused_key_keeps_the_events(spool_dir: Path | None) -> None:
    stand_in = StandIn()
    revoked = True

    def server(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401) if revoked else stand_in._handle(request)

    client = Meterhouse("sk_1", "http://h", transport=httpx.MockTransport(server))
    with EventBuffer(client, spool_dir=spool_dir, max_batch_events=1) as buffer:
        add(buffer)
        until(lambda: buffer.last_error is not None, "the key is refused")
        with pytest.raises(NotDelivered) as failed:
            buffer.flush(0.05)
        assert isinstance(failed.value.__cause__, AuthenticationError)
        revoked = False
        buffer.flush()
    assert len(stand_in.events) == 1


def test_a_rejected_event_is_told_and_stops_no_other(
    spool_dir: Path | None, caplog: pytest.LogCaptureFixture
) -> None:
    stand_in = StandIn()
    stand_in.unknown = {"cus_bad"}
    told: list[RejectedEvent] = []
    with opened(stand_in, spool_dir, on_rejected=told.append) as buffer:
        good = add(buffer)
        bad = add(buffer, customer_ref="cus_bad", units=7)
        with (
            caplog.at_level(logging.WARNING),
            pytest.raises(NotDelivered, match="customer_not_found") as failed,
        ):
            buffer.flush()
        assert (failed.value.waiting_events, failed.value.rejected_events) == (0, 1)
        assert list(stand_in.events) == [good]
        (rejected,) = told
        assert rejected.event is not None
        assert (rejected.event.idempotency_key, rejected.event.units, rejected.code) == (
            bad,
            7,
            "customer_not_found",
        )
        assert buffer.rejected == (rejected,)
        assert "customer_not_found" in caplog.text
        buffer.flush()  # it was told once; nothing waits


def test_a_callback_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    stand_in = StandIn()
    stand_in.unknown = {"cus_bad"}

    def failing(_: RejectedEvent) -> None:
        raise RuntimeError("in the callback")

    with opened(stand_in, on_rejected=failing) as buffer:
        add(buffer, customer_ref="cus_bad")
        with pytest.raises(NotDelivered):
            buffer.flush()
        add(buffer)
        buffer.flush()
    assert "in the callback" in caplog.text


def test_a_proxy_that_takes_less_gets_smaller_batches(spool_dir: Path | None) -> None:
    stand_in = StandIn()
    stand_in.most_bytes = 2_000
    with opened(stand_in, spool_dir, max_batch_events=100) as buffer:
        for _ in range(100):
            add(buffer)
        buffer.flush()
        assert len(stand_in.events) == 100
        assert max(stand_in.sent.values()) == 1
        stand_in.most_bytes = 10
        add(buffer)
        with pytest.raises(NotDelivered, match="payload_too_large"):
            buffer.flush()


def test_many_threads_add_at_once(spool_dir: Path | None) -> None:
    stand_in = StandIn()
    with opened(stand_in, spool_dir, max_batch_events=50, max_delay_seconds=0.001) as buffer:
        with ThreadPoolExecutor(8) as pool:
            keys = list(pool.map(lambda number: add(buffer, number), range(4_000)))
        buffer.flush()
        assert sorted(stand_in.events) == sorted(keys)
        assert max(stand_in.sent.values()) == 1


async def test_adding_from_asyncio_does_not_hold_up_the_loop(spool_dir: Path | None) -> None:
    stand_in = StandIn()
    answering = threading.Event()

    def server(request: httpx.Request) -> httpx.Response:
        answering.wait(WAIT_SECONDS)  # an unresponsive server
        return stand_in._handle(request)

    client = Meterhouse("sk_1", "http://h", transport=httpx.MockTransport(server))
    buffer = EventBuffer(client, spool_dir=spool_dir, max_batch_events=10)
    for _ in range(100):
        add(buffer)
    flushed = asyncio.create_task(asyncio.to_thread(buffer.flush))
    assert stand_in.events == {}
    answering.set()
    await flushed
    assert len(stand_in.events) == 100
    await asyncio.to_thread(buffer.close)


def test_close_delivers_what_waits_and_takes_no_more(spool_dir: Path | None) -> None:
    stand_in = StandIn()
    with opened(stand_in, spool_dir) as buffer:
        add(buffer)
        assert buffer.close(WAIT_SECONDS) == 0
        assert len(stand_in.events) == 1
        with pytest.raises(BufferClosed):
            add(buffer)
        assert buffer.close() == 0


def test_close_without_a_spool_says_what_is_lost() -> None:
    stand_in = StandIn()
    stand_in.away = True
    buffer = EventBuffer(stand_in.client())
    add(buffer)
    with pytest.raises(NotDelivered) as failed:
        buffer.close(WAIT_SECONDS)
    assert failed.value.waiting_events == 1


def test_settings_are_enough_for_a_buffer() -> None:
    settings = AsyncMeterhouse("sk_live_1", "http://127.0.0.1:9", max_retries=0).settings
    with EventBuffer(settings) as buffer:
        assert buffer._client.settings.base_url == "http://127.0.0.1:9"


def test_the_users_own_client_and_transport_stay_open() -> None:
    stand_in = StandIn()
    closed = threading.Event()

    class Transport(httpx.MockTransport):
        def close(self) -> None:
            closed.set()

    client = Meterhouse("sk_1", "http://h", transport=Transport(stand_in._handle))
    with EventBuffer(client) as buffer:
        add(buffer)
    assert len(stand_in.events) == 1
    assert not closed.is_set()
