"""Servers in processes of their own: Meterhouse, and the peers it is held against."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

START_SECONDS = 120
_URL = re.compile(r"http://127\.0\.0\.1:\d+")


def environment() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith("METERHOUSE_")}


class Meterhouse:
    """A running server on a data directory."""

    def __init__(self, data: Path, core: int | None) -> None:
        command = [*pinned(core), sys.executable, "-m", "meterhouse", "serve"]
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [*command, "--data", str(data), "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := _URL.search(line):
                self.url = found[0]
                break
        else:
            raise RuntimeError("the server did not start")
        key = [
            sys.executable,
            "-m",
            "meterhouse",
            "key",
            "create",
            "--data",
            str(data),
            "--environment",
            "sandbox",
        ]
        ready = httpx.Client(base_url=self.url)
        while ready.get("/ready").status_code != 200:
            time.sleep(0.01)
        self.start_seconds = time.perf_counter() - started
        ready.close()
        self.key = subprocess.run(
            key, check=True, capture_output=True, text=True, env=environment()
        ).stdout.strip()
        self.client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=60
        )

    def memory_megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def count(self, kind: str = "usage") -> int:
        """How many events are in the answers now."""
        asked = {"aggregate": "count", "kind": kind}
        return int(self.client.get("/v1/usage", params=asked).json()["total"])

    def stored(self) -> int:
        """How many events were acknowledged, over all time of the data directory."""
        answer = self.client.get("/v1/ingest", params={"from": hour_ago(24 * 300)}).json()
        return int(answer["total"]["stored"])

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(60)
        if self.process.stdout:
            self.process.stdout.close()


def hour_ago(hours: int) -> str:
    return time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(time.time() - hours * 3600))


@contextmanager
def meterhouse(data: Path, core: int | None = None) -> Iterator[Meterhouse]:
    server = Meterhouse(data, core)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def peer(module: str, core: int, *arguments: str) -> Iterator[str]:
    """Run `python -m bench.peers.<module> PORT …`; yield its URL once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*pinned(core), sys.executable, "-m", f"bench.peers.{module}", str(port), *arguments]
    process = subprocess.Popen(command, env=environment())
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            try:
                httpx.get(f"{url}/health")
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def pin(pid: int, core: int) -> None:
    """Keep a running server, and every process it will start, on one core, where there are two."""
    if (os.cpu_count() or 1) >= 2 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, {core})


def pinned(core: int | None) -> Sequence[str]:
    """A prefix that keeps a command on one core, where there are two and a way to do it."""
    if core is None or (os.cpu_count() or 1) < 2 or shutil.which("taskset") is None:
        return ()
    return ("taskset", "-c", str(core))
