"""What the buffer holds is bounded, in memory and on disk; and what is on disk outlives it."""

import json
import os
import threading
import tracemalloc
from pathlib import Path

import httpx
import pytest

from meterhouse_sdk import (
    BufferFull,
    EventBuffer,
    Meterhouse,
    NotDelivered,
    _sender,
)
from meterhouse_sdk._queue import MAX_BATCH_BYTES, MemoryQueue
from sdk.python.tests.processes import lanes
from sdk.python.tests.stand_in import NEVER, WAIT_SECONDS, StandIn, add, opened
from tests.e2e.wait import until


def test_memory_is_bounded_and_beyond_it_the_event_is_refused_aloud() -> None:
    stand_in = StandIn()
    stand_in.away = True
    with opened(stand_in, max_memory_events=5) as buffer:
        for _ in range(5):
            add(buffer)
        with pytest.raises(BufferFull, match="spool_dir"):
            add(buffer)
        assert buffer.waiting_events == 5
        stand_in.away = False
        buffer.flush()
        add(buffer)


def test_with_a_spool_memory_does_not_grow_with_what_waits(tmp_path: Path) -> None:
    stand_in = StandIn()
    stand_in.away = True
    with opened(stand_in, tmp_path, max_batch_events=100) as buffer:
        add(buffer, properties={"text": "x" * 1_000})
        tracemalloc.start()
        try:
            for _ in range(10_000):
                add(buffer, properties={"text": "x" * 1_000})  # 11 MB on disk
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak_bytes < 2_000_000
        assert buffer.waiting_events == 10_001


def test_the_disk_is_bounded_and_beyond_it_the_event_is_refused_aloud(tmp_path: Path) -> None:
    stand_in = StandIn()
    stand_in.away = True
    with opened(stand_in, tmp_path, max_spool_bytes=10_000) as buffer:
        with pytest.raises(BufferFull, match="10000 bytes"):
            list(iter(lambda: add(buffer), None))  # until it refuses
        taken = buffer.waiting_events
        assert taken > 50
        assert sum(path.stat().st_size for path in tmp_path.rglob("*.ndjson")) <= 10_000
        stand_in.away = False
        buffer.flush()
        assert len(stand_in.events) == taken
        add(buffer)


def test_what_close_leaves_on_disk_is_sent_by_the_next_buffer(tmp_path: Path) -> None:
    stand_in = StandIn()
    stand_in.away = True
    buffer = EventBuffer(stand_in.client(), spool_dir=tmp_path, max_delay_seconds=NEVER)
    keys = [add(buffer) for _ in range(7)]
    assert buffer.close(WAIT_SECONDS) == 7
    stand_in.away = False
    with opened(stand_in, tmp_path) as following:
        following.flush()
        assert sorted(stand_in.events) == sorted(keys)
        assert following.delivered_events == 7
    assert [path.name for path in tmp_path.iterdir()] == ["sandbox"]
    assert lanes(tmp_path) == []


def test_what_another_process_leaves_is_sent_by_one_that_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sender, "_ADOPT_SECONDS", 0.01)
    stand_in = StandIn()
    with opened(stand_in, tmp_path) as living:
        living.flush()
        stand_in.away = True
        dying = EventBuffer(stand_in.client(), spool_dir=tmp_path, max_delay_seconds=NEVER)
        key = add(dying)
        assert dying.close(WAIT_SECONDS) == 1
        stand_in.away = False
        stand_in.wait_for(lambda: key in stand_in.events)


def test_while_the_server_is_away_what_waits_is_synced_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sender, "_SYNC_SECONDS", 0.01)
    synced = threading.Event()
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        fsync(descriptor)
        synced.set()

    monkeypatch.setattr(os, "fsync", noting)
    stand_in = StandIn()
    stand_in.away = True
    with opened(stand_in, tmp_path) as buffer:
        for _ in range(2):
            add(buffer)
            with pytest.raises(NotDelivered):
                buffer.flush(0.01)
            assert synced.wait(WAIT_SECONDS)
            synced.clear()


def test_what_waits_is_synced_before_a_request_that_may_take_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sender, "_SYNC_SECONDS", 0.0)
    synced: list[int] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    stand_in = StandIn()
    before_requests: list[bool] = []

    def server(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            before_requests.append(bool(synced))
            synced.clear()
        return stand_in._handle(request)

    client = Meterhouse("sk_sandbox_1", "http://h", transport=httpx.MockTransport(server))
    with EventBuffer(client, spool_dir=tmp_path, max_delay_seconds=NEVER) as buffer:
        for _ in range(3):
            add(buffer)
            buffer.flush()
    assert before_requests == [True] * 3


def test_a_batch_in_memory_is_bounded_in_bytes_too() -> None:
    queue = MemoryQueue(10)
    for number in range(4):
        queue.append(bytes([number]) * (MAX_BATCH_BYTES // 3))
    batch = queue.take(10)
    assert [line[0] for line in batch.lines] == [0, 1]
    queue.drop(batch)
    assert [line[0] for line in queue.take(10).lines] == [2, 3]


def test_flush_counts_what_it_found_in_the_spool(tmp_path: Path) -> None:
    stand_in = StandIn()
    stand_in.away = True
    first = EventBuffer(stand_in.client(), spool_dir=tmp_path, max_delay_seconds=NEVER)
    add(first)
    first.close(WAIT_SECONDS)
    with opened(stand_in, tmp_path) as buffer:
        add(buffer)
        until(lambda: buffer.last_error is not None, "what was found is refused")
        with pytest.raises(NotDelivered) as failed:
            buffer.flush(0.05)
        assert failed.value.waiting_events == 2


def test_a_damaged_line_in_the_spool_is_told_and_stops_no_other(tmp_path: Path) -> None:
    stand_in = StandIn()
    stand_in.away = True
    first = EventBuffer(stand_in.client(), spool_dir=tmp_path, max_delay_seconds=NEVER)
    keys = [add(first) for _ in range(3)]
    first.close(WAIT_SECONDS)
    (path,) = tmp_path.rglob("*.ndjson")
    one, _, three = path.read_bytes().splitlines()
    path.write_bytes(
        one + b"\n" + b"\0" * 50 + b"\n\n" + three + b'\n{"type":"a.b","customerRef":"c","units":'
    )
    stand_in.away = False
    with opened(stand_in, tmp_path) as buffer:
        with pytest.raises(NotDelivered, match="damaged_spool"):
            buffer.flush()
        assert sorted(stand_in.events) == sorted([keys[0], keys[2]])
        assert [(each.event, each.code) for each in buffer.rejected] == [(None, "damaged_spool")] * 2
        assert buffer.rejected[0].line == b"\0" * 50


def test_sandbox_and_live_never_meet_in_one_spool(tmp_path: Path) -> None:
    stand_in = StandIn()
    stand_in.away = True
    transport = httpx.MockTransport(stand_in._handle)
    live = EventBuffer(Meterhouse("sk_live_1", "http://h", transport=transport), spool_dir=tmp_path)
    add(live)
    live.close(WAIT_SECONDS)
    stand_in.away = False
    with opened(stand_in, tmp_path) as sandbox:
        sandbox.flush()
        assert stand_in.events == {}
    with EventBuffer(Meterhouse("sk_live_1", "http://h", transport=transport), spool_dir=tmp_path) as again:
        again.flush()
    assert len(stand_in.events) == 1


def test_what_is_spooled_is_what_the_bulk_route_takes(tmp_path: Path) -> None:
    stand_in = StandIn()
    with opened(stand_in, tmp_path) as buffer:
        key = add(buffer, units=3)
        (path,) = tmp_path.rglob("*.ndjson")
        assert json.loads(path.read_text())["idempotencyKey"] == key


def test_an_unusable_spool_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        EventBuffer(StandIn().client(), spool_dir=tmp_path / "file")


@pytest.mark.parametrize(
    "knobs",
    [
        {"max_batch_events": 0},
        {"max_batch_events": 10_001},
        {"max_delay_seconds": -1},
        {"max_memory_events": 0},
    ],
)
def test_a_knob_out_of_range_is_refused(knobs: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="max_"):
        EventBuffer(StandIn().client(), **knobs)  # type: ignore[arg-type]  # one of them
