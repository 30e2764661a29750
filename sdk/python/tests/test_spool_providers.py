"""One spool directory, several API keys, a real server: an event counts for the provider of its key."""

import logging
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from meterhouse_sdk import EventBuffer, Meterhouse, NotDelivered
from meterhouse_sdk._spool import Lane
from sdk.python.tests.processes import lanes
from sdk.python.tests.stand_in import WAIT_SECONDS
from tests.e2e.server import Server, command
from tests.e2e.wait import until

CUSTOMER = "cus_shared"  # both providers have a customer with this ref
PROGRAM = """
import os, signal, sys
from meterhouse_sdk import EventBuffer

spool_dir, type_, reached = sys.argv[1:]
buffer = EventBuffer(spool_dir=spool_dir, max_delay_seconds=3600)
if reached == "reached":
    buffer.add(type=type_, customer_ref="cus_shared", units=1)
    buffer.flush()
for _ in range(5):
    buffer.add(type=type_, customer_ref="cus_shared", units=1)
os.kill(os.getpid(), signal.SIGKILL)
"""


class Provider:
    """A provider of the server with a customer, and as many keys as are asked for."""

    def __init__(self, server: Server, name: str) -> None:
        self._server, self._name = server, name
        with self.client(self.key()) as client:
            client.create_customer(email=f"{name}@example.com", name=name, reference=CUSTOMER)

    def key(self, environment: str = "sandbox") -> str:
        arguments = ("--environment", environment, "--provider", self._name)
        return command("key", "create", "--data", self._server.data, *arguments).strip()

    def client(self, key: str) -> Meterhouse:
        return Meterhouse(key, self._server.url)

    def total(self, type_: str) -> Decimal:
        with self.client(self.key()) as client:
            return client.usage(type=type_).total or Decimal(0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "data") as server:
        yield server


@pytest.fixture
def ours(server: Server) -> Provider:
    command("provider", "create", "ours", "--data", server.data)
    return Provider(server, "ours")


@pytest.fixture
def theirs(server: Server) -> Provider:
    command("provider", "create", "theirs", "--data", server.data)
    return Provider(server, "theirs")


def leave_five_events(spool: Path, url: str, key: str, *, reached: bool = True) -> str:
    """Have a process add events and die; return their type. reached: it has spoken with the server before."""
    type_ = f"test.{uuid.uuid4().hex}"
    process = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, str(spool), type_, "reached" if reached else ""],
        env=os.environ | {"METERHOUSE_API_KEY": key, "METERHOUSE_URL": url},
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL
    return type_


def flush(spool: Path, client: Meterhouse) -> int:
    """As the next process with these settings; return how many events it delivered."""
    with client, EventBuffer(client, spool_dir=spool) as buffer:
        buffer.flush(WAIT_SECONDS)
        return buffer.delivered_events


def test_another_providers_process_does_not_send_events_left_by_a_crash(
    server: Server, ours: Provider, theirs: Provider, tmp_path: Path
) -> None:
    key = ours.key()
    type_ = leave_five_events(tmp_path / "spool", server.url, key)
    assert flush(tmp_path / "spool", theirs.client(theirs.key())) == 0
    assert flush(tmp_path / "spool", ours.client(key)) == 5
    until(lambda: ours.total(type_) == 6, "the events are counted for their provider")
    assert theirs.total(type_) == 0
    assert lanes(tmp_path / "spool") == []


def test_a_new_key_of_the_same_provider_sends_events_left_by_a_crash(
    server: Server, ours: Provider, tmp_path: Path
) -> None:
    type_ = leave_five_events(tmp_path / "spool", server.url, ours.key())
    assert flush(tmp_path / "spool", ours.client(ours.key())) == 5
    until(lambda: ours.total(type_) == 6, "each event is counted once")
    assert lanes(tmp_path / "spool") == []


def test_a_live_key_does_not_send_sandbox_events_of_its_provider(
    server: Server, ours: Provider, tmp_path: Path
) -> None:
    key = ours.key()
    leave_five_events(tmp_path / "spool", server.url, key)
    assert flush(tmp_path / "spool", ours.client(ours.key("live"))) == 0
    assert flush(tmp_path / "spool", ours.client(key)) == 5


def test_a_new_key_waits_for_the_server_to_name_its_provider(
    server: Server, ours: Provider, theirs: Provider, tmp_path: Path
) -> None:
    """While the server is away, the provider of the events is unknown; they wait, and are then sent once."""
    type_ = leave_five_events(tmp_path / "spool", server.url, ours.key())
    rotated, foreign = ours.client(ours.key()), theirs.client(theirs.key())
    server.kill()
    with EventBuffer(foreign, spool_dir=tmp_path / "spool") as other:
        with EventBuffer(rotated, spool_dir=tmp_path / "spool") as buffer:
            with pytest.raises(NotDelivered):
                buffer.flush(0.2)
            server.start()
            buffer.flush(WAIT_SECONDS)
            assert buffer.delivered_events == 5
        other.flush(WAIT_SECONDS)
        assert other.delivered_events == 0
    until(lambda: ours.total(type_) == 6, "each event is counted once")
    assert theirs.total(type_) == 0


def test_events_of_an_unknown_provider_wait_for_their_own_key(
    server: Server, ours: Provider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The process died before it ever reached the server."""
    key = ours.key()
    server.kill()
    type_ = leave_five_events(tmp_path / "spool", server.url, key, reached=False)
    server.start()
    with caplog.at_level(logging.WARNING, "meterhouse_sdk"):
        assert flush(tmp_path / "spool", ours.client(ours.key())) == 0
    assert "5 events in" in caplog.text
    assert flush(tmp_path / "spool", ours.client(key)) == 5
    until(lambda: ours.total(type_) == 5, "each event is counted once")


def test_events_of_an_earlier_release_are_sent_once_they_are_moved_to_a_key(
    ours: Provider, theirs: Provider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its lanes lie in the environment's directory and say nothing of a key."""
    spool = tmp_path / "spool"
    type_ = f"test.{uuid.uuid4().hex}"
    lane = Lane.create(spool / "sandbox", 1 << 20)
    lane.append(b'{"type":"%s","customerRef":"cus_shared","units":1,"idempotencyKey":"k"}' % type_.encode())
    lane.abandon()
    client = ours.client(ours.key())
    with caplog.at_level(logging.WARNING, "meterhouse_sdk"):
        assert flush(spool, theirs.client(theirs.key())) == 0
        assert str(lane.directory) in caplog.text
        caplog.clear()
        with client, EventBuffer(client, spool_dir=spool) as buffer:
            buffer.flush(WAIT_SECONDS)
            target = Path(caplog.messages[-1].rsplit(" into ", 1)[1])
            lane.directory.rename(target / lane.directory.name)
    assert flush(spool, ours.client(client.settings.api_key)) == 1
    until(lambda: ours.total(type_) == 1, "the event is counted for the provider that was named")
    assert theirs.total(type_) == 0
