"""Idle and slow connections beside publishing: events are stored as before, and slow clients are given up."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e import fronts
from tests.e2e.fronts import metrics
from tests.e2e.server import Server, clean_environment
from tests.e2e.wait import until
from tests.e2e.wire import Wire


@contextmanager
def crowd(server: Server, idle: int, slow: int) -> Iterator[None]:
    """Hold these connections open, from a process of its own."""
    host, port = server.url.removeprefix("http://").split(":")
    program = [sys.executable, "-m", "tests.e2e.crowd", host, port, str(idle), str(slow)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root, env=clean_environment()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        process.communicate(timeout=60)
        assert process.returncode == 0


def publishing_ms(server: Server, key: str, count: int) -> list[float]:
    """Publish events one after the other; return the time that each took."""
    request = fronts.publish(key)
    took = []
    with Wire(server.url) as wire:
        for _ in range(count):
            began = time.perf_counter()
            wire.send(request)
            assert wire.reply().status == 201
            took.append((time.perf_counter() - began) * 1000)
    return took


def p99(took: list[float]) -> float:
    return statistics.quantiles(took, n=100)[98]


@pytest.mark.alone
def test_publishing_goes_on_beside_idle_and_slow_connections(tmp_path: Path) -> None:
    with fronts.server(tmp_path, header_seconds=2) as server:
        key = server.key()
        with crowd(server, idle=500, slow=100):
            assert metrics(server)["connections"] >= 600
            publishing_ms(server, key, 500)
            until(lambda: metrics(server)["headers_too_slow"] >= 100, "slow clients are given up")
            publishing_ms(server, key, 500)
            assert metrics(server)["connections"] >= 500, "idle connections stay"
        until(lambda: metrics(server)["connections"] == 1, "all are closed")


@pytest.mark.soak
@pytest.mark.alone
def test_publishing_is_as_fast_beside_10_000_idle_and_1_000_slow_connections(tmp_path: Path) -> None:
    with fronts.server(tmp_path, idle_seconds=3_600) as server:
        key = server.key()
        publishing_ms(server, key, 1_000)
        quiet = p99(publishing_ms(server, key, 10_000))
        before = fronts.megabytes(server)
        with crowd(server, idle=10_000, slow=1_000):
            memory = fronts.megabytes(server) - before
            loud = p99(publishing_ms(server, key, 10_000))
            until(lambda: metrics(server)["headers_too_slow"] >= 1_000, "slow clients are given up")
        again = p99(publishing_ms(server, key, 10_000))
        print(  # noqa: T201
            f"p99: {quiet:.2f} ms quiet, {loud:.2f} ms beside them, {again:.2f} ms after; {memory:.0f} MB"
        )
        assert loud <= 2 * max(quiet, again)
