"""The buffer across processes: killed, forked, ended. The server stands on a port of this process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdk.python.tests.processes import PROLOGUE, deliver, run, start
from sdk.python.tests.stand_in import WAIT_SECONDS, StandInOnPort


@pytest.fixture
def stand_in() -> Iterator[StandInOnPort]:
    with StandInOnPort() as stand_in:
        yield stand_in


def test_a_process_killed_while_the_server_is_away_loses_nothing(
    stand_in: StandInOnPort, tmp_path: Path
) -> None:
    stand_in.away = True
    keys, _, status = run(stand_in, tmp_path, "add(1234)\nos.kill(os.getpid(), signal.SIGKILL)")
    assert status == -signal.SIGKILL
    assert len(keys) == 1234
    stand_in.away = False
    deliver(stand_in, tmp_path)
    assert sorted(stand_in.events) == sorted(keys)


def test_a_process_killed_while_it_sends_loses_nothing_and_counts_nothing_twice(
    stand_in: StandInOnPort, tmp_path: Path
) -> None:
    """Killed at any moment: whatever key it has printed is stored, under that key, once."""
    process = start(stand_in, tmp_path, "add(1_000_000)")
    stand_in.wait_for(lambda: len(stand_in.events) >= 300)
    process.kill()
    printed, _ = process.communicate(timeout=WAIT_SECONDS)
    keys = printed.split()
    assert len(keys) >= 300
    deliver(stand_in, tmp_path)
    whole = {key for key in keys if len(key) == len(keys[0])}  # the last line may be cut
    assert whole <= set(stand_in.events)
    assert len(stand_in.events) - len(whole) <= 1  # taken, and killed before it was printed


@pytest.mark.parametrize("spooled", [True, False])
def test_the_end_of_the_program_delivers_what_waits(
    stand_in: StandInOnPort, tmp_path: Path, *, spooled: bool
) -> None:
    keys, errors, status = run(stand_in, tmp_path if spooled else "", "add(23)")
    assert (status, errors) == (0, "")
    assert sorted(stand_in.events) == sorted(keys)
    assert max(stand_in.sent.values()) == 1


def test_a_program_that_fails_delivers_what_it_added_before(stand_in: StandInOnPort, tmp_path: Path) -> None:
    keys, errors, status = run(stand_in, tmp_path, "add(3)\nraise SystemError('bug')")
    assert status == 1
    assert "bug" in errors
    assert sorted(stand_in.events) == sorted(keys)


def test_the_end_of_the_program_waits_for_no_server_that_is_away(
    stand_in: StandInOnPort, tmp_path: Path
) -> None:
    stand_in.away = True
    keys, errors, status = run(stand_in, tmp_path, "add(23)")
    assert status == 0
    assert "23 events wait" in errors
    stand_in.away = False
    deliver(stand_in, tmp_path)
    assert sorted(stand_in.events) == sorted(keys)


def test_the_end_of_the_program_says_what_is_lost_without_a_spool(stand_in: StandInOnPort) -> None:
    stand_in.away = True
    _, errors, status = run(stand_in, "", "add(23)")
    assert status == 0
    assert "23 events are not delivered" in errors


FORK = """
add(5)
pid = os.fork()
add(3)          # parent and child, each its own
if pid:
    assert os.waitpid(pid, 0)[1] == 0
buffer.flush()
assert buffer.delivered_events == (8 if pid else 3), buffer.delivered_events
"""


@pytest.mark.parametrize("spooled", [True, False])
def test_a_forked_child_sends_its_own_events_and_none_of_the_parents(
    stand_in: StandInOnPort, tmp_path: Path, *, spooled: bool
) -> None:
    keys, errors, status = run(stand_in, tmp_path if spooled else "", FORK)
    assert (status, errors) == (0, "")
    assert len(set(keys)) == 11
    assert sorted(stand_in.events) == sorted(keys)
    assert max(stand_in.sent.values()) == 1


def test_a_fork_in_the_middle_of_adding_and_sending_confuses_nobody(
    stand_in: StandInOnPort, tmp_path: Path
) -> None:
    program = """
adding = [threading.Thread(target=add, args=(200,)) for _ in range(4)]
for thread in adding: thread.start()
children = []
for _ in range(5):
    pid = os.fork()
    if pid == 0:
        add(50)
        sys.exit()
    children.append(pid)
for thread in adding: thread.join()
for pid in children: assert os.waitpid(pid, 0)[1] == 0
"""
    keys, errors, status = run(stand_in, tmp_path, program)
    assert (status, errors) == (0, "")
    deliver(stand_in, tmp_path)
    assert len(keys) == 4 * 200 + 5 * 50
    assert sorted(stand_in.events) == sorted(keys)
    assert max(stand_in.sent.values()) == 1


def test_a_killed_child_leaves_its_spool_to_the_parents_next_start(
    stand_in: StandInOnPort, tmp_path: Path
) -> None:
    stand_in.away = True
    program = """
pid = os.fork()
if pid == 0:
    add(4)
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(pid, 0)
add(2)
"""
    keys, _, status = run(stand_in, tmp_path, program)
    assert status == 0
    stand_in.away = False
    deliver(stand_in, tmp_path)
    assert len(keys) == 6
    assert sorted(stand_in.events) == sorted(keys)


def test_a_child_that_lives_on_does_not_keep_the_spool_of_its_dead_parent(
    stand_in: StandInOnPort, tmp_path: Path
) -> None:
    stand_in.away = True
    program = """
add(4)
if os.fork() == 0:
    print("child", flush=True)
    sys.stdin.read()
    os._exit(0)
os.kill(os.getpid(), signal.SIGKILL)
"""
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-W", "ignore", "-c", PROLOGUE + program, str(tmp_path)],
        env=os.environ | {"METERHOUSE_API_KEY": "sk_sandbox_1", "METERHOUSE_URL": stand_in.url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    keys = [process.stdout.readline().strip() for _ in range(5)]
    keys.remove("child")
    assert process.wait(WAIT_SECONDS) == -signal.SIGKILL
    stand_in.away = False
    deliver(stand_in, tmp_path)
    assert sorted(stand_in.events) == sorted(keys)
    process.stdin.close()
    process.stdout.close()
