"""A server that refuses keeps nothing of the requests that it refused."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.refusals import REFUSALS, first_use
from tests.e2e.server import Server
from tests.e2e.wait import until

pytestmark = pytest.mark.alone

_MOST = 1.05
_WARM = 5
_SAMPLE = 50
_LONG = 1_000
_PAGE_BYTES = 4096


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("refusals") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    """Every kind of refusal has been sent a few times: all code is loaded and all pools are filled."""
    with server.client(server.key()) as opened:
        first_use(opened)
        for refusal in REFUSALS.values():
            for _ in range(_WARM):
                refusal.send(opened)
        yield opened


def resident_bytes(server: Server) -> int:
    statm = Path(f"/proc/{server.process.pid}/statm").read_text(encoding="ascii")
    return int(statm.split()[1]) * _PAGE_BYTES


@pytest.mark.parametrize("kind", REFUSALS)
def test_fifty_refusals_leave_no_memory_behind(kind: str, server: Server, client: httpx.Client) -> None:
    refuse(kind, _SAMPLE, server, client)


@pytest.mark.soak
@pytest.mark.parametrize("kind", REFUSALS)
def test_a_thousand_refusals_leave_no_memory_behind(kind: str, server: Server, client: httpx.Client) -> None:
    refuse(kind, _LONG, server, client)


def refuse(kind: str, times: int, server: Server, client: httpx.Client) -> None:
    before = resident_bytes(server)
    for _ in range(times):
        REFUSALS[kind].send(client)
    until(
        lambda: resident_bytes(server) <= _MOST * before,
        f"memory after {times} of {kind} is near the {before / 1e6:.0f} MB before",
        seconds=10,
    )
