"""`meterhouse export`: what the server answers and what its directory holds are the same bytes."""

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.e2e.run import asking, run_here
from tests.e2e.server import COMMAND, Server, clean_environment
from tests.e2e.wait import until

CUSTOMER = "cus_3C4D5E6F"
PROPERTIES = '{"b":1.50,"a":"=x"}'
DURATION = "0.00000000001"
UNITS = ("0.1", "0.2", "999999999999999.999999999", "0.000000001", "0", "7")


def events(count: int = 2_500) -> list[str]:
    """More than two pages of the server, and times that are equal."""
    return [
        f'{{"type":"{"usage.token" if row % 5 else "usage.api_call"}","customerRef":"{CUSTOMER}",'
        f'"units":{UNITS[row % len(UNITS)]},"timestamp":"2026-11-01T00:{row % 60:02}:00Z",'
        f'"properties":{PROPERTIES if row % 2 else "null"}}}'
        for row in range(count)
    ]


class Filled:
    """A server with events, a key to it, and its directory."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.key = server.key()
        with server.client(self.key) as client:
            lines = {"Content-Type": "application/x-ndjson"}
            answer = client.post("/v1/sdk/events/bulk", content="\n".join(events()), headers=lines)
            assert answer.json()["stored"] == len(events()), answer.text

            def count() -> object:
                return client.get("/v1/usage", params={"aggregate": "count"}).json().get("total")

            until(lambda: count() == len(events()), "the events are seen")

    def export(self, *arguments: str | Path) -> str:
        done = run_here("export", *arguments, environment=asking(self.server, self.key))
        assert done.status == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    with Server(tmp_path_factory.mktemp("export") / "data") as server:
        yield Filled(server)


def test_every_event_is_exported_with_every_digit(filled: Filled) -> None:
    lines = filled.export().splitlines()
    found = [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in lines]
    assert len({event["eventId"] for event in found}) == len(events())
    expected = [Decimal(UNITS[row % len(UNITS)]) for row in range(len(events()))]
    assert sorted(event["units"] for event in found) == sorted(expected)
    ids = [event["eventId"] for event in found]
    assert ids == sorted(ids, reverse=True), "the last received first"


def test_the_three_formats_hold_the_same_events(filled: Filled, tmp_path: Path) -> None:
    for name in ("all.ndjson", "all.csv", "all.parquet"):
        filled.export("--output", tmp_path / name)
    lines = [
        json.loads(line, parse_float=Decimal) for line in (tmp_path / "all.ndjson").read_text().splitlines()
    ]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text(), newline="")))
    table = pq.read_table(tmp_path / "all.parquet").to_pylist()
    assert [(line["eventId"], Decimal(line["units"])) for line in lines] == [
        (row["eventId"], Decimal(row["units"])) for row in rows
    ]
    assert [(row["eventId"], row["units"], row["timestamp"]) for row in table] == [
        (line["eventId"], Decimal(line["units"]), datetime.fromisoformat(line["timestamp"])) for line in lines
    ]
    assert [row["properties"] for row in table] == [row["properties"] or None for row in rows]


def test_filters_leave_out_what_does_not_match(filled: Filled) -> None:
    def count(*arguments: str) -> int:
        return len(filled.export(*arguments).splitlines())

    assert count("--type", "usage.api_call") == len(events()) // 5
    assert count("--type", "usage.api_call", "--type", "usage.token") == len(events())
    assert count("--customer", "cus_NOBODY") == 0
    assert count("--product", "prd_content_api") == 0
    assert count("--from", "2026-11-01T00:30:00Z", "--to", "2026-11-01T01:31:00+01:00") == sum(
        row % 60 == 30 for row in range(len(events()))
    )
    assert count("--to", "2026-11-01") == 0
    assert count("--kind", "meter") == 0
    assert count("--kind", "all") == len(events())


def test_the_directory_gives_the_same_bytes_once_no_server_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server(data) as server:
        filled = Filled(server)
        answered = filled.export("--format", "ndjson")
        refused = run_here("export", "--data", data)
        assert refused.status == 1
        assert f"A Meterhouse serves {data}" in refused.stderr
        assert "--url" in refused.stderr
        assert server.stop() == 0
    for damage in ("none", "the warehouse is gone"):
        if damage != "none":
            (data / "warehouse.duckdb").unlink()
        from_directory = run_here("export", "--data", data)
        assert from_directory.stdout == answered, damage
    assert run_here("export", "--data", data, "--environment", "live").stdout == ""
    assert run_here("export", "--data", data, "--provider", "nobody").status == 1


def test_meter_events_are_exported_with_all_that_was_said_of_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    told = (
        f'{{"customerRef":"{CUSTOMER}","productRef":"prd_content_api","meterName":"tokens","units":7,'
        f'"outcome":"fail","description":"","errorMessage":"=no","duration":{DURATION},"metadata":{{"a":1}}}}'
    )
    with Server(data) as server:
        key = server.key()
        with server.client(key) as client:
            for body in ('{"customerRef":"anonymous"}', told):
                sent = client.post(
                    "/v1/sdk/usages", content=body, headers={"Content-Type": "application/json"}
                )
                assert sent.status_code == 200, sent.text

            def page() -> str:
                return client.get("/v1/events", params={"kind": "meter", "order": "received"}).text

            until(lambda: page().count("eventId") == 2, "the usages are seen")
            seen = json.loads(page(), parse_float=Decimal)["events"]
        formats = {
            name: run_here(
                "export", "--kind", "meter", "--output", tmp_path / name, environment=asking(server, key)
            )
            for name in ("m.ndjson", "m.csv", "m.parquet")
        }
        assert [done.status for done in formats.values()] == [0, 0, 0]
        assert server.stop() == 0
    lines = (tmp_path / "m.ndjson").read_text()
    assert run_here("export", "--data", data, "--kind", "meter").stdout == lines
    assert [json.loads(line, parse_float=Decimal) for line in lines.splitlines()] == seen
    assert seen[0]["duration"] == Decimal(DURATION)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "m.csv").read_text(), newline="")))
    table = pq.read_table(tmp_path / "m.parquet").to_pylist()
    for field in ("meterName", "outcome", "purchaseRef", "description", "duration", "errorMessage"):
        values = [None if (said := event.get(field)) is None else str(said) for event in seen]
        if field == "duration":
            values[0] = DURATION
        assert [row[field] for row in table] == values
        assert [row[field].removeprefix("'") for row in rows] == [value or "" for value in values]


def test_a_file_is_whole_or_not_there(filled: Filled, tmp_path: Path) -> None:
    output = tmp_path / "all.parquet"
    done = run_here("export", "--output", output, "--url", "http://127.0.0.1:9", "--api-key", "sk_sandbox_x")
    assert done.status == 1
    assert "No answer from the server" in done.stderr
    assert list(tmp_path.iterdir()) == []
    nowhere = tmp_path / "no" / "all.csv"
    done = run_here("export", "--output", nowhere, environment=asking(filled.server, filled.key))
    assert done.status == 1
    assert "cannot be written" in done.stderr


def test_a_directory_that_cannot_be_read_is_not_blamed_on_the_output(tmp_path: Path) -> None:
    (tmp_path / "meterhouse.db").touch()
    (tmp_path / "lock").mkdir()
    done = run_here("export", "--data", tmp_path)
    assert (done.status, done.stdout) == (1, "")
    assert f"{tmp_path / 'lock'}: Is a directory." in done.stderr


def test_a_reader_that_has_enough_may_leave(filled: Filled) -> None:
    process = subprocess.Popen(
        [*COMMAND, "export"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment() | asking(filled.server, filled.key),
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read().decode()
    process.stderr.close()
    process.wait(60)
    assert "Traceback" not in said
    assert "Exception" not in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--from", "yesterday"), "--from takes a date or an RFC 3339 time"),
        (("--to", "2026-11-01T00:00:00"), "--to takes a date or an RFC 3339 time with an offset"),
        (("--data", "x", "--url", "http://127.0.0.1:9"), "not both"),
    ],
)
def test_what_cannot_work_is_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    done = run_here("export", *arguments)
    assert done.status == 1
    assert sentence in done.stderr


def test_csv_is_read_by_any_reader(filled: Filled) -> None:
    (row, *_) = csv.DictReader(io.StringIO(filled.export("--format", "csv", "--type", "usage.token")))
    assert row["customerRef"] == CUSTOMER
    assert row["timestamp"].endswith("Z")
