"""Backup of a large directory while events come in, the waits of those who publish, and the restore."""

import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from bench.dataset import copy
from bench.rows import FIRST_CUSTOMER, Row, Scale, share
from bench.servers import Meterhouse, environment, meterhouse

_RATE: Final = 2_000  # events a second
_BULK: Final = 10  # so that 200 commits a second reach the file that is copied
_QUIET_SECONDS: Final = 5.0


class _Publishing:
    """Publishes at a steady rate on one connection, and keeps the wait of each bulk from when it was due."""

    def __init__(self, server: Meterhouse) -> None:
        self._server = server
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.waits: list[float] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        events = [{"type": "usage.api_call", "customerRef": FIRST_CUSTOMER, "units": 1}] * _BULK
        due = time.perf_counter()
        while not self._end.is_set():
            self._server.client.post("/v1/sdk/events/bulk", json={"events": events}).raise_for_status()
            self.waits.append(time.perf_counter() - due)
            due += _BULK / _RATE
            self._end.wait(max(0.0, due - time.perf_counter()))


def backing_up(data: Path, work: Path, scale: Scale) -> list[Row]:
    """First backups under load, one after the other; then one that is incremental, and a restore."""
    directory = copy(data, work / "backed-up")
    targets = [work / f"backup-{run}" for run in range(scale.runs)]
    with meterhouse(directory) as ours:
        ours.count()  # the warehouse answers: the start is over
        publishing = _Publishing(ours)
        publishing.start()
        time.sleep(_QUIET_SECONDS)
        quiet = list(publishing.waits)
        first = time.perf_counter()
        seconds = [_timed("backup", str(target), "--data", str(directory)) for target in targets]
        busy = list(publishing.waits[len(quiet) :])
        lasted = time.perf_counter() - first
        incremental = _timed("backup", str(targets[-1]), "--data", str(directory))
        publishing.stop()
    rate = len(busy) * _BULK / lasted
    if rate < 0.95 * _RATE:
        raise SystemExit(f"only {rate:.0f} events/s were sent during the backup")
    restored = _timed("restore", str(targets[-1]), "--data", str(work / "restored"))
    return [
        Row("backup of all events, at 2 000 events/s", statistics.median(seconds), "s", "fsync", 60, 60, lower_is_better=True, runs=seconds),
        Row("  the next backup into the same directory", incremental, "s", "fsync", lower_is_better=True),
        Row("  publishing p99 during it", share(busy, 0.99) * 1000, "ms", "fsync", lower_is_better=True),
        Row("  publishing p99 before it", share(quiet, 0.99) * 1000, "ms", "fsync", lower_is_better=True),
        Row("restore of all events, every file checked", restored, "s", "fsync", lower_is_better=True),
    ]  # fmt: skip


def _timed(*arguments: str) -> float:
    """Run a command of `meterhouse`; return its seconds."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "meterhouse", *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        env=environment(),
    )
    return time.perf_counter() - started
