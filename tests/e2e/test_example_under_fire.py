"""The FastAPI example publishes through its buffer, under load, while the server is killed and restarted."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx
import pytest

from meterhouse_sdk import EventBuffer, Meterhouse
from tests.e2e.server import Server, clean_environment
from tests.e2e.wait import LONGEST_SECONDS, until

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
CUSTOMER = {"X-Customer-Ref": "cus_3C4D5E6F"}
KILLS = 3


@contextmanager
def example(environment: dict[str, str], directory: Path) -> Iterator[str]:
    """Run the example under uvicorn; yield its URL, and let it stop as a service manager would."""
    command = [sys.executable, "-m", "uvicorn", "examples.fastapi_api:app", "--port", "0"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=clean_environment() | environment | {"PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            raise AssertionError("the example did not start")
        said: list[str] = []
        drain = threading.Thread(target=said.extend, args=(process.stderr,), daemon=True)
        drain.start()
        yield found[0]
        process.terminate()
        assert process.wait(LONGEST_SECONDS) == -signal.SIGTERM  # which uvicorn passes on at its end
        drain.join(LONGEST_SECONDS)
        process.stderr.close()
        assert "Application shutdown complete" in "".join(said)
    finally:
        process.kill()
        process.wait(10)


class Callers:
    """Clients of the example; `answered` counts the calls that succeeded."""

    def __init__(self, url: str, threads: int = 3) -> None:
        self._url = url
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.answered = 0
        self._threads = [threading.Thread(target=self._call) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _call(self) -> None:
        with httpx.Client(base_url=self._url, headers=CUSTOMER, timeout=30) as client:
            while not self._stop.is_set():
                answer = client.post("/api/generate", json={"topic": "tea"})
                assert answer.status_code == 200, answer.text
                with self._lock:
                    self.answered += 1


def test_totals_agree_to_the_unit_though_the_server_is_killed_and_restarted(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        environment = {
            "METERHOUSE_URL": server.url,
            "METERHOUSE_API_KEY": server.key(),
            "SPOOL_DIR": str(tmp_path / "spool"),
        }
        with example(environment, tmp_path) as url:
            with Callers(url) as callers:
                for kill in range(1, KILLS + 1):
                    wanted = callers.answered + 100 * kill
                    until(lambda wanted=wanted: callers.answered >= wanted, "calls come in")  # type: ignore[misc]
                    server.kill()
                    wanted = callers.answered + 50
                    until(lambda wanted=wanted: callers.answered >= wanted, "calls go on without the server")  # type: ignore[misc]
                    server.start()
            answered = callers.answered
        with Meterhouse(api_key=environment["METERHOUSE_API_KEY"], base_url=server.url) as client:
            with EventBuffer(client, spool_dir=environment["SPOOL_DIR"]) as left:
                left.flush(LONGEST_SECONDS)  # what the example could not send in the time it had to end
            until(
                lambda: client.usage(type="usage.api_call").total == answered,
                f"all {answered} calls are counted",
            )
            assert client.usage(aggregate="count").total == answered
