"""Promise 1: a 2xx is sent after the event is on disk. Proved from the system calls, not assumed."""

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.server import COMMAND, Server

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(
        shutil.which("strace") is None, reason="needs strace (Debian: apt-get install strace)"
    ),
]
MARKS = [f"request-{i}-of-5" for i in range(1, 6)]
EVENT = {"type": "usage.api_call", "customerRef": "cus_3C4D5E6F", "units": 1}
# On a busy machine another thread's call may stand between the beginning of a call and its end.
_READ = re.compile(r"\b(?:read|recvfrom|recvmsg)(?:\(| resumed>)")
_SYNC = re.compile(r"(?:fdatasync|fsync)\(\d+<[^>]*meterhouse\.db-wal>\)\s+= 0")
_SYNC_BEGUN = re.compile(r"^(\d+) .*(?:fdatasync|fsync)\(\d+<[^>]*meterhouse\.db-wal> <unfinished")
_SYNC_RESUMED = re.compile(r"^(\d+) .*<\.\.\. (?:fdatasync|fsync) resumed>\)\s+= 0")


def synced_before_the_answer(trace: str, mark: str) -> bool:
    """Whether a sync of the log began after the request was read and ended before its 2xx was sent."""
    requested = False
    begun: set[str] = set()
    synced = False
    for line in trace.splitlines():
        if not requested:
            requested = f"X-Request-Id: {mark}" in line and _READ.search(line) is not None
            continue
        if f"x-request-id: {mark}" in line and ("write(" in line or "send" in line):
            return synced
        if _SYNC.search(line):
            synced = True
        elif started := _SYNC_BEGUN.match(line):
            begun.add(started[1])
        elif (ended := _SYNC_RESUMED.match(line)) and ended[1] in begun:
            synced = True
    raise AssertionError("the trace has no such request and answer")


def trace_of_requests(tmp_path: Path, path: str, body: object, program: Sequence[str] = COMMAND) -> str:
    trace = tmp_path / "trace"
    calls = "trace=read,recvfrom,recvmsg,write,writev,sendto,sendmsg,fsync,fdatasync"
    under = ("strace", "-f", "-y", "-ttt", "-s", "400", "-e", calls, "-o", str(trace))
    with Server(tmp_path / "data", under=under, program=program) as server:
        with server.client(server.key()) as client:
            client.post("/v1/sdk/events", json=EVENT).raise_for_status()  # so that nothing is new any more
            for mark in MARKS:
                client.post(path, json=body, headers={"X-Request-Id": mark}).raise_for_status()
        assert server.stop() == 0
    return trace.read_text(errors="replace")


routes = pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/sdk/events", EVENT),
        ("/v1/sdk/events/bulk", {"events": [EVENT] * 3}),
        ("/v1/sdk/usages", {"customerRef": "cus_3C4D5E6F"}),
    ],
    ids=["single", "bulk", "usage"],
)


@routes
def test_the_log_is_synced_between_a_request_and_its_2xx(tmp_path: Path, path: str, body: object) -> None:
    trace = trace_of_requests(tmp_path, path, body)
    assert all(synced_before_the_answer(trace, mark) for mark in MARKS)


@routes
@pytest.mark.parametrize("level", ["OFF", "NORMAL"])
def test_this_test_notices_a_log_that_is_not_synced(
    tmp_path: Path, path: str, body: object, level: str
) -> None:
    program = (sys.executable, "-m", "tests.e2e.unsynced", level)
    trace = trace_of_requests(tmp_path, path, body, program)
    # One or another may be synced by chance: SQLite syncs the head of a log that begins anew.
    assert not all(synced_before_the_answer(trace, mark) for mark in MARKS)
