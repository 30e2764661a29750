"""Connections and request bytes at their limits: newcomers are served, memory stays, small requests go on."""

import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e import fronts
from tests.e2e.fronts import megabytes, metrics
from tests.e2e.server import Server
from tests.e2e.wait import until
from tests.e2e.wire import Wire

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
MEGABYTE = 1024 * 1024


@contextmanager
def opened(server: Server, count: int, begin: bytes = b"") -> Iterator[list[Wire]]:
    """Open connections, each of which has sent the beginning of a request."""
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.url)) for _ in range(count)]
        for wire in wires:
            wire.send(begin)
        yield wires


def unfinished(key: str) -> bytes:
    """Return a request whose body the server asks for: status 100."""
    length = b"Content-Length: %d" % len(fronts.EVENT)
    return fronts.post(key, "/v1/sdk/events", length, b"Expect: 100-continue")


def test_the_longest_idle_connection_makes_room_for_a_newcomer(tmp_path: Path) -> None:
    with fronts.server(tmp_path, connections=20) as server, opened(server, 20) as wires:
        for wire in [*wires[1:], wires[0]]:
            assert wire.get().status == 200, "it is idle from now on"
        with Wire(server.url) as newcomer:
            assert newcomer.get().status == 200
            assert wires[1].is_closed(), "it has been idle longest"
            assert all(wire.get().status == 200 for wire in [wires[0], *wires[2:]])
        assert metrics(server)["idle_longest"] >= 1


def test_a_newcomer_is_503_while_no_connection_is_idle(tmp_path: Path) -> None:
    with fronts.server(tmp_path, connections=20) as server:
        begin = unfinished(server.key())
        with opened(server, 20, begin) as wires:
            assert {wire.reply().status for wire in wires} == {100}, "the server waits for their bodies"
            newcomer = Wire(server.url)
            reply = newcomer.reply()
            assert (reply.status, reply.body["code"]) == (503, "too_many_connections")
            assert int(reply.headers["retry-after"]) >= 1
            assert newcomer.is_closed()
            newcomer.close()
            for wire in wires:
                wire.send(fronts.EVENT)
                assert wire.reply().status == 201
        until(lambda: metrics(server)["connections"] == 1, "the connections are closed")
        assert metrics(server)["connections_full"] == 1


def test_a_flood_of_newcomers_takes_no_descriptors(tmp_path: Path) -> None:
    with fronts.server(tmp_path, connections=20) as server:
        begin = unfinished(server.key())
        before = descriptors(server.process.pid)
        with opened(server, 20, begin) as wires:
            assert {wire.reply().status for wire in wires} == {100}, "the server waits for their bodies"
            with ExitStack() as stack:
                flood = [stack.enter_context(Wire(server.url)) for _ in range(100)]
                ends = [wire.end() for wire in flood]
                assert set(ends) == {503, None}, "the first ones get an answer, the others are closed"
                assert descriptors(server.process.pid) <= before + 20 + 10
            for wire in wires:
                wire.send(fronts.EVENT)
                assert wire.reply().status == 201
        until(lambda: metrics(server)["connections"] == 1, "the connections are closed")
        assert metrics(server)["connections_full"] == 100


def test_one_address_has_its_own_limit(tmp_path: Path) -> None:
    with fronts.server(tmp_path, address_connections=5) as server:
        with opened(server, 5) as wires, Wire(server.url) as sixth:
            reply = sixth.reply()
            assert (reply.status, reply.body["code"]) == (503, "too_many_connections")
            assert all(wire.get().status == 200 for wire in wires)
        with Wire(server.url) as later:
            until(lambda: not wires_open(server), "the others are forgotten")
            assert later.get().status == 200
        assert metrics(server)["address_full"] >= 1


def wires_open(server: Server) -> bool:
    """Whether the server has sockets of more than two clients, the test's own look included."""
    return metrics(server)["connections"] > 2


def test_an_idle_connection_ends_by_itself(tmp_path: Path) -> None:
    with fronts.server(tmp_path, idle_seconds=1) as server, Wire(server.url) as fresh:
        with Wire(server.url) as used:
            assert used.get().status == 200
            assert used.is_closed()
        assert fresh.is_closed()


@pytest.mark.alone
def test_newcomers_are_served_when_the_descriptor_limit_falls(tmp_path: Path) -> None:
    with fronts.server(tmp_path) as server:
        pid = server.process.pid
        before = metrics(server)["connections_most"]
        limit = descriptors(pid) + 256
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
        until(lambda: 100 < metrics(server)["connections_most"] < before, "the server follows the limit")
        with opened(server, 200), opened(server, 56, GET):
            for _ in range(100):
                with Wire(server.url) as newcomer:
                    assert newcomer.get().status == 200
            assert descriptors(pid) < limit
        assert metrics(server)["idle_longest"] >= 56


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.alone
@pytest.mark.parametrize(
    "flood",
    [GET + b"a: b\r\n" * (48 * MEGABYTE // 6), GET + b"a: " + b"b" * 150_000_000],
    ids=["small headers", "one large header"],
)
def test_a_flood_of_headers_takes_no_memory_and_no_time(tmp_path: Path, flood: bytes) -> None:
    with fronts.server(tmp_path) as server:
        key = server.key()
        with Wire(server.url) as publisher, Wire(server.url) as attacker:
            publisher.send(fronts.publish(key))
            assert publisher.reply().status == 201
            before = megabytes(server)
            began = time.monotonic()
            attacker.send_until_refused(flood)
            publisher.send(fronts.publish(key))
            assert publisher.reply().status == 201
            assert time.monotonic() - began < 5, "the loop is free"
            assert attacker.reply().status == 431
            assert megabytes(server) < before + 20


@pytest.mark.alone
def test_bodies_that_stop_before_their_end_are_bounded_and_given_up(tmp_path: Path) -> None:
    settings = {"requests_bytes": 20 * MEGABYTE, "body_seconds": 5}
    length = 10 * MEGABYTE - 100
    with fronts.server(tmp_path, **settings) as server:
        key = server.key()
        head = fronts.post(key, "/v1/sdk/events/bulk", b"Content-Length: %d" % length)
        with Wire(server.url) as publisher:
            publisher.send(fronts.publish(key))
            assert publisher.reply().status == 201
            before = megabytes(server)
            with opened(server, 200, head) as attackers:
                for attacker in attackers:
                    attacker.send_until_refused(b" " * (length - 1))
                assert metrics(server)["request_bytes"] <= 20 * MEGABYTE
                assert megabytes(server) < before + 100
                publisher.send(fronts.publish(key))
                assert publisher.reply().status == 201, "a small request needs no room"
                replies = [attacker.reply() for attacker in attackers]
                assert {reply.body["code"] for reply in replies} == {"overloaded", "request_timeout"}
                assert all("retry-after" in each.headers for each in replies if each.status == 503)
            until(lambda: metrics(server)["request_bytes"] == 0, "the bytes are released")
            bulk = b'{"events":[%s]}' % b",".join([fronts.EVENT] * 10_000)
            publisher.send(fronts.publish(key, bulk, "/v1/sdk/events/bulk"))
            assert publisher.reply().body["stored"] == 10_000, "there is room again"


@pytest.mark.alone
def test_pipelined_requests_wait_in_bounded_memory(tmp_path: Path) -> None:
    """Each answer must not let in more requests than were answered."""
    with fronts.server(tmp_path, unread_seconds=2) as server, Wire(server.url) as wire:
        before = megabytes(server)
        wire.send_until_refused((GET + b"\r\n") * 100_000)
        assert wire.reply().status == 200
        assert megabytes(server) < before + 100
