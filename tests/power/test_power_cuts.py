"""Promises 1, 2, 6 and 8 hold on every disk that a power cut could leave of a server under traffic."""

import random
import shutil
from pathlib import Path

import pytest

from tests.power.disk import Disk, Loss, steps
from tests.power.effects import Sent
from tests.power.recorded import Recorded, record
from tests.power.trial import Report, try_states

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(
        shutil.which("strace") is None, reason="needs strace (Debian: apt-get install strace)"
    ),
]
ANSWERS = (80, 200)
"""Of two runs of one server: the second start reads what the first run left."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return record(tmp_path_factory.mktemp("recorded"), ANSWERS)


def assert_all_promises_hold(
    recorded: Recorded, count: int, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    report = try_states(recorded, count, seed)
    tell(recorded, report, capsys)
    assert not report.failures, "\n".join(report.failures)
    assert (report.states, set(report.losses)) == (count, set(Loss))
    assert min(report.in_a_sync, report.lost, report.acknowledged) > 0


def test_the_recording_rebuilds_every_file_of_the_server(recorded: Recorded) -> None:
    """So that no write is missing from it. SQLite's index of its log is mapped memory: no start reads it."""
    disk = Disk(recorded.replay.top)
    for _, is_end, moment in steps(recorded.moments):
        (disk.end if is_end else disk.begin)(moment)
    root = Path(recorded.replay.root)
    found = {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")
    }
    assert disk.cut(0, Loss.NOTHING, random.Random(1)).files == found
    assert recorded.replay.mapped == {"data/meterhouse.db-shm"}
    sent = [moment.effect.data for moment in recorded.moments if isinstance(moment.effect, Sent)]
    assert len(recorded.traffic.acknowledged(sent)) == recorded.traffic.answered > sum(ANSWERS)


def test_no_power_cut_breaks_a_promise(recorded: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    assert_all_promises_hold(recorded, 200, 1, capsys)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 6))
def test_no_power_cut_of_thousands_breaks_a_promise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    assert_all_promises_hold(record(tmp_path, (*ANSWERS, 2_000)), 1_000, seed, capsys)


def test_a_log_that_is_not_synced_is_caught(tmp_path: Path) -> None:
    report = try_states(record(tmp_path, (60,), level="OFF"), 60, 1, most_failures=1)
    assert report.failures


def tell(recorded: Recorded, report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{report}; of {recorded.syncs} syncs, {len(report.cut_syncs)} were cut")  # noqa: T201 - the figure
