"""Programs with a buffer, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

from meterhouse_sdk import EventBuffer, Meterhouse
from sdk.python.tests.stand_in import WAIT_SECONDS, StandInOnPort

PROLOGUE = """
import os, signal, sys, threading
from meterhouse_sdk import EventBuffer, Meterhouse

spool_dir = sys.argv[1] or None
buffer = EventBuffer(
    spool_dir=spool_dir, max_batch_events=10, max_delay_seconds=3600, exit_timeout_seconds=3600
)

def add(count):
    for _ in range(count):
        key = buffer.add(type="usage.api_call", customer_ref="cus_1", units=1)
        os.write(1, key.encode() + b"\\n")  # whole lines, also of several processes
"""


def start(stand_in: StandInOnPort, spool_dir: Path | str, program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own program
        [
            sys.executable,
            "-W",
            "error",
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            PROLOGUE + program,
            str(spool_dir),
        ],
        env=os.environ | {"METERHOUSE_API_KEY": "sk_sandbox_1", "METERHOUSE_URL": stand_in.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(stand_in: StandInOnPort, spool_dir: Path | str, program: str) -> tuple[list[str], str, int]:
    """Return the keys it printed, its errors and its status."""
    process = start(stand_in, spool_dir, program)
    printed, errors = process.communicate(timeout=WAIT_SECONDS)
    return printed.split(), errors, process.returncode


def deliver(stand_in: StandInOnPort, spool_dir: Path) -> None:
    """As the next start of the program would."""
    with EventBuffer(Meterhouse("sk_sandbox_1", stand_in.url), spool_dir=spool_dir) as buffer:
        buffer.flush(WAIT_SECONDS)
    assert lanes(spool_dir) == []


def lanes(spool_dir: Path) -> list[Path]:
    """The events that wait on disk, of every key."""
    return [*spool_dir.rglob("lock"), *spool_dir.rglob("*.ndjson")]
