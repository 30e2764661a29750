"""The import between a file and a server that comes and goes."""

import gzip
import json
import zlib
from collections.abc import Callable
from io import BufferedReader, BytesIO

import httpx
import pytest

from meterhouse.cli.importing.formats import Format, open_rows
from meterhouse.cli.importing.keys import TextKeys
from meterhouse.cli.importing.mapping import Asked, Meaning
from meterhouse.cli.importing.report import Report
from meterhouse.cli.importing.run import Run, Stream
from meterhouse.cli.importing.sending import Customers
from meterhouse.cli.importing.streams import text_bytes
from meterhouse.cli.importing.times import Times
from meterhouse_sdk import Meterhouse

ROWS = 12_000
FILE = b"time,n\n" + b"".join(b"2026-11-01,%d\n" % row for row in range(ROWS))
ASKED = Asked(type="usage.token", units="n", customer="=cus_1", timestamp="time")
Handler = Callable[[httpx.Request], httpx.Response]


class Server:
    """Stores every event; `before` may raise instead of answering a bulk."""

    def __init__(self, before: Callable[[int], None] = lambda _bulk: None) -> None:
        self._before = before
        self._bulks = 0
        self.keys: set[str] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self._bulks += 1
        self._before(self._bulks)
        body = request.content
        if request.headers.get("content-encoding") == "gzip":
            body = zlib.decompress(body, wbits=31)
        keys = [json.loads(line)["idempotencyKey"] for line in body.splitlines()]
        results = [
            {"status": "duplicate" if key in self.keys else "stored", "eventId": "evt_1"} for key in keys
        ]
        self.keys.update(keys)
        return httpx.Response(200, json={"stored": 0, "duplicates": 0, "rejected": 0, "results": results})


def imported(server: Server, data: bytes = FILE, after_line: int = 0) -> Report:
    report = Report(lambda _refusal: None)
    file = text_bytes(BufferedReader(BytesIO(data)))
    opened = open_rows(file, Format.CSV)
    with Meterhouse(
        "sk_sandbox_x", transport=httpx.MockTransport(server), sleep=lambda _seconds: None
    ) as client:
        run = Run(client, Customers(client, create=False), report, TextKeys(), after_line)
        run.whole(Stream(file, len(data), lambda: 0), opened, Meaning(ASKED, opened.columns, Times()))
    return report


def fail(*bulks: int) -> Callable[[int], None]:
    def before(bulk: int) -> None:
        if bulk in bulks:
            raise httpx.ConnectError("refused")

    return before


def test_every_row_is_sent_once() -> None:
    server = Server()
    assert imported(server).types["usage.token"].stored == ROWS
    assert len(server.keys) == ROWS


def test_a_server_that_is_away_for_a_moment_does_not_end_an_import() -> None:
    server = Server(fail(2, 3, 4))
    assert imported(server).types["usage.token"].stored == ROWS


def test_a_server_that_stays_away_ends_it_with_the_line_to_go_on_after() -> None:
    server = Server(fail(*range(2, 100)))
    with pytest.raises(RuntimeError, match=r"No answer .* line 5001 is settled.*--after-line 5001"):
        imported(server)
    assert len(server.keys) == 5_000
    server._before = fail()
    report = imported(server, after_line=5_001)
    assert (report.skipped, report.types["usage.token"].stored) == (5_000, 7_000)
    assert len(server.keys) == ROWS


def test_keys_do_not_depend_on_where_an_import_went_on() -> None:
    """Equal rows on both sides of the line: those before it are counted though they are not sent."""
    data = b"time,n\n" + b"2026-11-01,1\n" * 10
    server = Server()
    imported(server, data)
    assert imported(server, data, after_line=6).types["usage.token"].present == 5


def test_a_damaged_file_is_imported_up_to_the_damage() -> None:
    whole = gzip.compress(FILE)
    server = Server()
    with pytest.raises(RuntimeError, match="cannot be read to its end"):
        imported(server, whole[: len(whole) // 2])
    assert 0 < len(server.keys) < ROWS
