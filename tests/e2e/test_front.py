"""The limits of the front: each is kept, answered in the one error shape, and counted by its reason."""

from collections.abc import Iterator

import pytest

from tests.e2e import fronts
from tests.e2e.server import Server
from tests.e2e.wait import until
from tests.e2e.wire import Wire

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST /v1/sdk/events/bulk HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
HEADERS, MALFORMED = (431, "headers_too_large", "headers_too_large"), (400, "bad_request", "malformed")
REFUSED = {
    "many headers": (GET + b"a: b\r\n" * 100 + b"\r\n", *HEADERS),
    "many headers without an end": (GET + b"a: b\r\n" * 100_000, *HEADERS),
    "large header": (GET + b"a: " + b"b" * 33_000 + b"\r\n\r\n", *HEADERS),
    "large header without an end": (GET + b"a: " + b"b" * 1_000_000, *HEADERS),
    "large header name": (GET + b"a" * 1_000_000, *HEADERS),
    "long path": (b"GET /" + b"a" * 1_000_000, *HEADERS),
    "large headers together": (GET + (b"a: " + b"b" * 400 + b"\r\n") * 90 + b"\r\n", *HEADERS),
    "no host": (b"GET /health HTTP/1.1\r\n\r\n", *MALFORMED),
    "two hosts": (GET + b"Host: x\r\n\r\n", *MALFORMED),
    "two hosts in HTTP/1.0": (b"GET / HTTP/1.0\r\nHost: x\r\nhost: y\r\n\r\n", *MALFORMED),
    "gzip and chunked": (GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n", *MALFORMED),
    "chunked twice": (GET + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n", *MALFORMED),
    "two ways to tell the length": (CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n", *MALFORMED),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01", *MALFORMED),
    "no path": (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", *MALFORMED),
    "websocket": (
        GET + b"Connection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n",
        400,
        "bad_request",
        "websocket",
    ),
    "announced body": (
        GET.replace(b"GET", b"POST") + b"Content-Length: 12582913\r\n\r\n",
        413,
        "payload_too_large",
        "body_too_large",
    ),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"header_seconds": 1, "body_seconds": 1, "unread_seconds": 1, "connection_requests": 1000}
    with fronts.server(tmp_path_factory.mktemp("front"), **settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    return server.key()


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_request_is_refused_with_a_reason(server: Server, case: str) -> None:
    request, status, code, reason = REFUSED[case]
    before = fronts.metrics(server)[reason]
    logged = (server.data.parent / "log").stat().st_size
    with Wire(server.url) as wire:
        wire.send_until_refused(request)
        reply = wire.reply()
        assert (reply.status, reply.body["code"], reply.body["statusCode"]) == (status, code, status)
        assert reply.body["requestId"] == reply.headers["x-request-id"]
        assert reply.headers["connection"] == "close"
        assert wire.is_closed()
    assert fronts.metrics(server)[reason] == before + 1
    assert (server.data.parent / "log").stat().st_size == logged, "refusals do not fill the log"


def test_headers_at_the_limits_are_taken(server: Server) -> None:
    with Wire(server.url) as wire:
        wire.send(GET + b"a: b\r\n" * 99 + b"\r\n")
        assert wire.reply().status == 200
        wire.send(GET + b"a: " + b"b" * 32_600)
        wire.send(b"\r\n\r\n")
        assert wire.reply().status == 200
        wire.send(b"GET /health HTTP/1.0\r\n\r\n")
        assert wire.reply().status == 200, "HTTP/1.0 needs no Host"


def test_an_offer_of_http_2_is_ignored(server: Server) -> None:
    offer = GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n"
    with Wire(server.url) as wire:
        wire.send(offer * 3)
        assert [wire.reply().status for _ in range(3)] == [200, 200, 200]


def test_requests_before_a_broken_one_are_answered(server: Server) -> None:
    with Wire(server.url) as wire:
        wire.send((GET + b"\r\n") * 5 + b"GET /health HTTP/1.1\r\n\r\n")
        assert [wire.reply().status for _ in range(5)] == [200] * 5
        assert wire.is_closed()


@pytest.mark.parametrize("size", [1, 7, 1_000, 32_767, 32_768, 32_769, 1_000_000])
def test_requests_are_understood_in_pieces_of_any_size(server: Server, key: str, size: int) -> None:
    bulk = b'{"events":[%s]}' % b",".join([fronts.EVENT] * 1_000)
    pieces = [bulk[at : at + 999] for at in range(0, len(bulk), 999)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    path = "/v1/sdk/events/bulk"
    requests = [
        fronts.publish(key),
        fronts.publish(key, bulk, path) if size > 1 else GET + b"\r\n",
        fronts.post(key, path, b"Transfer-Encoding: chunked") + chunks if size > 1 else GET + b"\r\n",
        GET + b"\r\n",
        fronts.publish(key),
    ]
    sent = b"".join(requests)
    with Wire(server.url) as wire:
        for at in range(0, len(sent), size):
            wire.send(sent[at : at + size])
        replies = [wire.reply() for _ in requests]
    assert [reply.status for reply in replies] == [201, 200, 200, 200, 201]
    if size > 1:
        assert [reply.body["stored"] for reply in replies[1:3]] == [1_000, 1_000]


def test_trailers_reach_no_route_and_are_bounded(server: Server, key: str) -> None:
    body = b"%x\r\n%s\r\n0\r\n" % (len(fronts.EVENT), fronts.EVENT)
    request = CHUNKED.replace(b"events/bulk", b"events") + body
    with Wire(server.url) as wire:
        wire.send(request + b"Authorization: Bearer %s\r\n\r\n" % key.encode())
        assert wire.reply().status == 401, "a trailer is no header"
    before = fronts.metrics(server)["headers_too_large"]
    with Wire(server.url) as wire:
        wire.send_until_refused(request + b"a: b\r\n" * 1_000_000)
        assert wire.reply().status in (401, 431)
    assert fronts.metrics(server)["headers_too_large"] == before + 1


@pytest.mark.parametrize(
    "piece", [b"ffff\r\n" + b" " * 65_535 + b"\r\n", b"1;" + b"x" * 65_532 + b"\r\n \r\n"]
)
@pytest.mark.parametrize("known", [True, False])
def test_a_chunked_body_ends_at_the_limit(server: Server, key: str, piece: bytes, known: bool) -> None:  # noqa: FBT001
    before = fronts.metrics(server)["body_too_large"]
    with Wire(server.url) as wire:
        wire.send(fronts.post(key if known else "x", "/v1/sdk/events/bulk", b"Transfer-Encoding: chunked"))
        wire.send_until_refused(piece * 200)
        assert wire.reply().status == (413 if known else 401)
        until(wire.is_closed, "the connection ends")
    assert fronts.metrics(server)["body_too_large"] == before + 1


@pytest.mark.parametrize(("part", "stop"), [("headers", -1), ("headers", 5), ("body", 1), ("body", 0)])
def test_a_slow_request_is_408(server: Server, key: str, part: str, stop: int) -> None:
    head, _, body = fronts.publish(key).partition(b"\r\n\r\n")
    begin = head[:stop] if part == "headers" else head + b"\r\n\r\n" + body[:stop]
    with Wire(server.url) as wire:
        wire.send(begin)
        reply = wire.reply()
        assert (reply.status, reply.body["code"]) == (408, "request_timeout")
        assert part in reply.body["message"]
        assert wire.is_closed()
    assert fronts.metrics(server)[f"{part}_too_slow"] >= 1


@pytest.mark.parametrize("path", ["/v1/sdk/events", "/v1/sdk/customers"])
def test_a_request_that_is_given_up_logs_nothing(server: Server, key: str, path: str) -> None:
    logged = (server.data.parent / "log").stat().st_size
    before = fronts.metrics(server)["body_too_slow"]
    with Wire(server.url) as slow, Wire(server.url) as gone:
        begin = fronts.post(key, path, b"Content-Type: application/json", b"Content-Length: 100") + b"{"
        slow.send(begin)
        gone.send(begin)
        gone.close()
        assert slow.reply().status == 408
    assert fronts.metrics(server)["body_too_slow"] == before + 1, "a client that went away is not slow"
    assert (server.data.parent / "log").stat().st_size == logged


@pytest.mark.alone
@pytest.mark.parametrize("case", REFUSED)
def test_refusals_keep_no_memory(server: Server, case: str) -> None:
    def refuse(times: int) -> None:
        for _ in range(times):
            with Wire(server.url) as wire:
                wire.send_until_refused(REFUSED[case][0])
                assert wire.reply().status == REFUSED[case][1]

    refuse(100)
    before = fronts.megabytes(server)
    refuse(300)
    assert fronts.megabytes(server) < 1.05 * before


def test_an_idle_connection_is_no_slow_one(server: Server, key: str) -> None:
    with Wire(server.url) as fresh, Wire(server.url) as used, Wire(server.url) as slow:
        assert used.get().status == 200
        slow.send(GET)
        assert slow.reply().status == 408, "the time for headers is over for all three"
        assert [fresh.get().status, used.get().status] == [200, 200]


def test_an_answer_that_nobody_reads_ends_the_connection(server: Server) -> None:
    before = fronts.metrics(server)["answer_unread"]
    with Wire(server.url) as wire:
        wire.send_until_refused(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
        until(lambda: fronts.metrics(server)["answer_unread"] > before, "it is cut off")


def test_a_connection_ends_after_its_requests(server: Server) -> None:
    with Wire(server.url) as wire:
        wire.send((GET + b"\r\n") * 1000)
        replies = [wire.reply() for _ in range(1000)]
        assert {reply.status for reply in replies} == {200}
        assert ["connection" in reply.headers for reply in replies] == [False] * 999 + [True]
        assert wire.is_closed()
