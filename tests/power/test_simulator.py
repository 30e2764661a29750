"""The simulator finds the sync that a small program forgets, and finds nothing where none is forgotten."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.power.disk import Disk, Loss, State, states
from tests.power.recording import read_calls, under_strace
from tests.power.replay import Replay
from tests.power.toy import NUMBERS

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs strace (Debian: apt-get install strace)"
)


def broken_promises(tmp_path: Path, forgets: str) -> tuple[int, set[str]]:
    """Return how many states of the toy were tried, and what was wrong with some of them."""
    folder, trace = tmp_path / "toy", tmp_path / "trace"
    folder.mkdir()
    program = (sys.executable, "-m", "tests.power.toy", forgets, str(folder))
    subprocess.run([*under_strace(trace), *program], check=True, stdout=subprocess.PIPE, timeout=60)
    replay = Replay(str(folder))
    moments = replay.moments(read_calls(trace))
    assert moments

    def everywhere(_number: int, _disk: Disk) -> Sequence[Loss]:
        return [*Loss]

    found = [*states(replay.top, moments, everywhere, seed=1)]
    assert len(found) == 2 * len(moments) * len(Loss)
    return len(found), {wrong for state, sent in found if (wrong := wrong_with(state, sent))}


def wrong_with(state: State, sent: Sequence[bytes]) -> str:
    told = [data for data in sent if data.startswith(b"stored ")]
    if not told:
        return ""
    if not (state.files.get("log") or b"").startswith(b"".join(b"%d\n" % each for each in range(len(told)))):
        return "the log lost a number"
    newest = state.files.get("newest") or b""
    return "" if newest.isdigit() and int(newest) >= len(told) - 1 else "the newest number is lost"


def test_a_program_that_syncs_everything_loses_nothing(tmp_path: Path) -> None:
    tried, wrong = broken_promises(tmp_path, "nothing")
    assert not wrong
    assert tried > 100 * NUMBERS


@pytest.mark.parametrize(
    ("forgets", "expected"),
    [
        ("file", {"the log lost a number"}),
        ("content", {"the newest number is lost"}),
        ("directory", {"the log lost a number", "the newest number is lost"}),
    ],
)
def test_a_program_that_forgets_a_sync_is_caught(tmp_path: Path, forgets: str, expected: set[str]) -> None:
    assert broken_promises(tmp_path, forgets)[1] == expected
