"""The queue on disk: what went in comes out, once, in order, whatever happens between."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from meterhouse_sdk import BufferFull
from meterhouse_sdk._spool import Lane, orphans

MAX_BYTES = 1 << 20
lines = st.binary(min_size=1, max_size=200).filter(lambda line: b"\n" not in line)


def drain(lane: Lane, most_events: int = 3) -> list[bytes]:
    found: list[bytes] = []
    while (batch := lane.take(most_events)).lines:
        assert len(batch.lines) <= most_events
        found += batch.lines
        lane.drop(batch)
    return found


def reopened(lane: Lane) -> Lane:
    """As after the death of the process: only what the kernel does."""
    lane.abandon()
    again = Lane.adopt(lane.directory)
    assert again is not None
    return again


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


class AQueueOnDisk(RuleBasedStateMachine):
    """Against a plain list; segments are small, so that there are many."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self.root = Path(self._directory.name)
        self.lane = Lane.create(self.root, 4_000)
        self.waiting: list[bytes] = []

    @rule(line=lines)
    def append(self, line: bytes) -> None:
        try:
            self.lane.append(line)
        except BufferFull:
            assert (
                sum(map(len, self.waiting)) + len(line) > 2_000
            )  # the bound counts what is not given back yet
        else:
            self.waiting.append(line)

    @rule(most_events=st.integers(1, 5))
    def take_without_an_answer(self, most_events: int) -> None:
        taken = self.lane.take(most_events).lines
        assert list(taken) == self.waiting[: len(taken)]
        assert bool(taken) == bool(self.waiting)

    @rule(most_events=st.integers(1, 5))
    def take_and_drop(self, most_events: int) -> None:
        batch = self.lane.take(most_events)
        assert list(batch.lines) == self.waiting[: len(batch.lines)]
        self.lane.drop(batch)
        del self.waiting[: len(batch.lines)]

    @rule()
    def sync(self) -> None:
        self.lane.sync()

    @precondition(lambda self: not self.lane._read_at)
    @rule()
    def hand_over(self) -> None:
        """The process dies, another sends what it left: nothing is lost. (After a part was read, that part
        comes again, which its keys make harmless.)"""
        self.lane = reopened(self.lane)
        assert drain(self.lane) == self.waiting
        self.lane.close()
        assert files(self.root) == []
        self.lane, self.waiting = Lane.create(self.root, 4_000), []

    @invariant()
    def the_count_is_right(self) -> None:
        assert self.lane.waiting_events() == len(self.waiting)

    @invariant()
    def the_disk_is_bounded(self) -> None:
        assert sum(path.stat().st_size for path in self.root.rglob("*.ndjson")) <= 4_000

    def teardown(self) -> None:
        self.lane.close()
        self._directory.cleanup()


TestAQueueOnDisk = AQueueOnDisk.TestCase
TestAQueueOnDisk.settings = settings(max_examples=40, stateful_step_count=40)


def test_an_emptied_lane_leaves_nothing_behind(tmp_path: Path) -> None:
    lane = Lane.create(tmp_path, MAX_BYTES)
    lane.append(b"1")
    assert files(tmp_path) == [
        lane.directory.name,
        f"{lane.directory.name}/00000001.ndjson",
        f"{lane.directory.name}/lock",
    ]
    assert drain(lane) == [b"1"]
    lane.close()
    lane.close()  # a no-op
    assert files(tmp_path) == []


def test_the_file_is_emptied_whenever_everything_is_answered_for(tmp_path: Path) -> None:
    lane = Lane.create(tmp_path, MAX_BYTES)
    for _ in range(3):
        lane.append(b"x" * 100)
        drain(lane)
        assert [path.stat().st_size for path in tmp_path.rglob("*.ndjson")] == [0]
    lane.close()


def test_a_lane_in_use_is_nobody_elses(tmp_path: Path) -> None:
    lane = Lane.create(tmp_path, MAX_BYTES)
    lane.append(b"1")
    assert list(orphans(tmp_path)) == []
    lane.abandon()
    (adopted,) = orphans(tmp_path)
    assert list(orphans(tmp_path)) == []
    assert adopted.waiting_events() == 1
    adopted.close()


def test_a_lane_that_was_finished_in_between_is_not_adopted(tmp_path: Path) -> None:
    lane = Lane.create(tmp_path, MAX_BYTES)
    lane.close()
    assert Lane.adopt(lane.directory) is None


def test_a_lane_that_is_looked_at_while_it_closes_is_gone_and_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = Lane.create(tmp_path, MAX_BYTES)
    lock = lane._lock_descriptor
    assert lock is not None

    def removed_by_another(directory: Path) -> None:
        monkeypatch.undo()
        assert list(orphans(tmp_path)) == []
        assert files(tmp_path) == []
        directory.rmdir()

    monkeypatch.setattr(Path, "rmdir", removed_by_another)
    lane.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(lock)


def test_what_is_left_of_a_lane_that_died_while_closing_is_removed(tmp_path: Path) -> None:
    (tmp_path / "1-left").mkdir()
    assert list(orphans(tmp_path)) == []
    assert files(tmp_path) == []


@given(st.lists(lines, min_size=1, max_size=5), st.integers(1, 300))
def test_a_torn_last_line_costs_no_other(events: list[bytes], cut: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        lane = Lane.create(Path(directory), MAX_BYTES)
        for line in events:
            lane.append(line)
        (path,) = Path(directory).rglob("*.ndjson")
        lane.abandon()
        cut = min(cut, len(events[-1]) + 1)
        os.truncate(path, path.stat().st_size - cut)
        (adopted,) = orphans(Path(directory))
        found = drain(adopted)
        adopted.close()
    torn = events[-1][: len(events[-1]) + 1 - cut]
    assert found == events[:-1] + ([torn] if torn else [])


def test_a_line_longer_than_any_event_does_not_stop_the_rest(tmp_path: Path) -> None:
    lane = Lane.create(tmp_path, MAX_BYTES)
    lane.append(b"\0" * 200_000)
    lane.append(b"good")
    assert drain(lane)[-1] == b"good"
    lane.close()


def test_above_its_bound_it_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    lane = Lane.create(tmp_path, 1_000)
    for number in range(200):
        lane.append(b"%04d" % number)
    with pytest.raises(BufferFull, match="1000 bytes"):
        lane.append(b"0200")
    assert drain(lane) == [b"%04d" % number for number in range(200)]
    lane.append(b"again")
    lane.close()


def test_a_disk_that_takes_no_more_is_said_and_leaves_no_torn_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = Lane.create(tmp_path, MAX_BYTES)
    lane.append(b"before")
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
        with pytest.raises(BufferFull, match="only 3 of 7 bytes"):
            lane.append(b"during")
    lane.append(b"after")
    assert lane.waiting_events() == 2
    assert drain(reopened(lane)) == [b"before", b"after"]


def test_others_cannot_read_what_waits(tmp_path: Path) -> None:
    lane = Lane.create(tmp_path / "spool", MAX_BYTES)
    lane.append(b"1")
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "spool").rglob("*")} == {0}
    lane.close()
