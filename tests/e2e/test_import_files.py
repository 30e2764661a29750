"""`meterhouse import` of files as other tools write them, against a real server."""

import json
import re
import shlex
from pathlib import Path

from tests.e2e.importing import CUSTOMER, Imported, imported, server

__all__ = ["imported", "server"]  # fixtures
PAGE = Path(__file__).parents[2] / "docs" / "importing.md"
_EXAMPLE = re.compile(
    r"^```(?:csv|ndjson|text)\n(.*?)^```\n\n```sh\n(meterhouse import .*?)^```", re.MULTILINE | re.DOTALL
)
LINE = '{} - - [30/Nov/2025:10:00:0{} +0000] "GET / HTTP/1.1" 200 100 "-" "curl/8.0"'
SMALL = ("--type", "usage.token", "--units", "tokens", "--customer", "customer", "--create-customers")


def test_every_example_of_the_page_imports_all_rows(imported: Imported, tmp_path: Path) -> None:
    examples = _EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))
    said = {}
    for content, command in examples:
        _, _, name, *options = shlex.split(command)
        path = tmp_path / name
        path.write_text(content)
        said[name] = imported(path, *options)
    rows = {name: re.findall(r"^\d+ rows$", text, re.MULTILINE) for name, text in said.items()}
    assert rows == {
        "spend.csv": ["3 rows"],
        "calls.ndjson": ["2 rows"],
        "batch.json": ["2 rows"],
        "access.log": ["3 rows"],
        "days.csv": ["2 rows"],
    }
    assert "2 rows were rounded to 9 decimal places (--round); 0 of them became 0." in said["spend.csv"]
    assert "The types of 1 rows have no dot" in said["calls.ndjson"]
    assert "The client of 2 lines is the first" in said["access.log"]
    events = imported.events()
    assert {event["idempotencyKey"] for event in events} >= {"r1", "r2", "r3", "m-1", "m-2", "svc a", "svc b"}
    clients = {event["customer"] for event in events if event["type"] == "usage.api_call"}
    assert clients == {"203.0.113.7", "203.0.113.8", "203.0.113.9"}
    units = [event["units"] for event in events if event["type"] == "usage.spend"]
    assert units == ["0.000887", "0.000000038", "0.00012"]


def test_every_option_is_in_the_help_and_on_the_page(imported: Imported) -> None:
    helped = imported("--help")
    page = PAGE.read_text(encoding="utf-8")
    for option in re.findall(r"--[a-z-]+", helped):
        assert option in page or option in {"--url", "--api-key", "--help"}


def test_the_customer_of_a_log_line_is_its_client(imported: Imported, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    prefixes = (
        "{}",
        "shop.example.com:443 {}",
        "shop.example.com {}",
        "{}, 10.0.0.1",
        "<13>Nov 30 10:00:00 h n: {}",
    )
    clients = [f"203.0.113.{i}" for i in range(len(prefixes))]
    heads = [prefix.format(client) for prefix, client in zip(prefixes, clients, strict=True)]
    path.write_text("\n".join(LINE.format(head, i) for i, head in enumerate(heads)))
    imported(path, "--create-customers")
    assert [event["customer"] for event in imported.events()] == clients


def test_an_unclear_client_is_refused_until_an_option_names_it(imported: Imported, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(LINE.format("127.0.1.1 203.0.113.1", 0))
    said = imported(path, "--create-customers", status=1)
    assert "line 1: the client is not clear" in said
    imported(path, "--create-customers", "--customer", "peer")
    assert [event["customer"] for event in imported.events()] == ["203.0.113.1"]


def test_a_number_that_is_no_plausible_time_is_refused(imported: Imported, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    dates = ("20261130", "2026", "46356", "46356.4167", "2026-11")
    path.write_text("date,customer,tokens\n" + "".join(f"{date},acme,1\n" for date in dates))
    said = imported(path, *SMALL, status=1)
    for line, date in enumerate(dates, 2):
        assert f"line {line}: date is no time: {date!r}" in said
    assert imported.stored() == 0


def test_a_date_of_a_spreadsheet_is_read_on_request(imported: Imported, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text("sep=;\r\ndate;customer;tokens\r\n46326,416666666664;acme;1\r\n")
    said = imported(path, *SMALL, "--time-format", "spreadsheet", "--timezone", "Europe/Stockholm")
    assert "1 times were spreadsheet days and were rounded to the millisecond" in said
    assert [event["timestamp"] for event in imported.events()] == ["2026-10-31T09:00:00Z"]


def cloud_event(id_: str, ms: int = 12, **more: str) -> str:
    event = {
        "specversion": "1.0", "type": "call", "id": id_, "source": "svc", "subject": "acme",
        "time": "2025-11-30T10:00:00.001Z", "data": {"ms": ms},
    }  # fmt: skip
    return json.dumps(event | more)


def test_cloud_events_count_once_for_each_id_and_source(imported: Imported, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    rows = [cloud_event("a"), cloud_event("b"), cloud_event("a"), cloud_event("a", more="later")]
    path.write_text("\n".join([*rows, cloud_event("a", source="other")]))
    said = imported(path, "--units", "data.ms", "--create-customers")
    assert re.search(r"usage.call\s*│ 3\s*│ 2\s*│ 0\s*│ 36", said)
    batch = tmp_path / "batch.json"
    batch.write_text("[" + ",".join(reversed(rows)) + "]")
    assert re.search(r"usage.call\s*│ 0\s*│ 4\s*│ 0", imported(batch, "--units", "data.ms"))
    assert {event["idempotencyKey"] for event in imported.events()} == {"svc a", "svc b", "other a"}


def test_options_win_over_the_attributes_of_cloud_events(imported: Imported, tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(json.loads(cloud_event("a")), indent=2))
    options = ("--type", "usage.x", "--customer", f"={CUSTOMER}", "--key", "data.ms", "--timestamp", "time")
    imported(path, *options, "--source", "eu 1")
    (event,) = imported.events()
    assert (event["type"], event["customerRef"], event["idempotencyKey"]) == (
        "usage.x",
        CUSTOMER,
        "eu%201:12",
    )


def test_a_file_that_is_exported_again_adds_only_new_keys(imported: Imported, tmp_path: Path) -> None:
    first, again = tmp_path / "first.csv", tmp_path / "again.csv"
    first.write_text("id,time,customer,tokens\n1,2025-11-30,acme,5\n2,2025-11-30,acme,6\n")
    again.write_text(
        "time;tokens;id;customer;note\n2025-11-30T00:00:00Z;6.0;2;acme;x\n2025-11-30;7;3;acme;\n"
        "2025-11-30;5;1;acme;\n2025-11-30;9;1;acme;\n2025-11-30;9; ;acme;\n"
    )
    imported(first, *SMALL, "--key", "id")
    said = imported(again, *SMALL, "--key", "id", status=1)
    assert re.search(r"usage.token\s*│ 1\s*│ 2\s*│ 1\s*│ 7", said)
    assert "line 5: usage.token: idempotency_conflict: the key '1'" in said
    assert "line 6: id is empty" in said
    assert sorted(event["idempotencyKey"] for event in imported.events()) == ["1", "2", "3"]


def test_a_second_event_of_a_keyed_row_has_a_key_of_its_own(imported: Imported, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text(f"id,time,customer,tokens\n{'x' * 300},2025-11-30,acme,5\n")
    options = (*SMALL, "--key", "id", "--also", "usage.word=tokens")
    imported(path, *options)
    said = imported(path, *options)
    assert re.search(r"usage.token\s*│ 0\s*│ 1", said)
    assert re.search(r"usage.word\s*│ 0\s*│ 1", said)


def test_units_with_many_places_are_refused_or_rounded(imported: Imported, tmp_path: Path) -> None:
    path = tmp_path / "spend.csv"
    costs = ("0.0008869999999999999", "3.75e-08", "0.00012", "4e-10", "0.0000000005")
    path.write_text("time,customer,tokens\n" + "".join(f"2025-11-30,acme,{cost}\n" for cost in costs))
    said = imported(path, *SMALL, status=1)
    assert "line 2: tokens has more than 9 decimal places: 0.0008869999999999999; --round 9 rounds it" in said
    assert imported.stored() == 1
    said = imported(path, *SMALL, "--round", "9")
    assert "4 rows were rounded to 9 decimal places (--round); 2 of them became 0." in said
    imported.settled()
    assert str(imported.total("usage.token", "sum")) == "0.001007038"


def test_blank_rows_and_unnamed_columns_of_a_spreadsheet_do_not_matter(
    imported: Imported, tmp_path: Path
) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(
        "timestamp,customer,tokens,,note,note,\r\n2025-11-30T10:00:00Z,acme,12,,x,y,z,,\r\n"
        ",,,,,,\r\n\r\n   \r\n"
        "2025-11-30T10:00:00Z,acme,13,,,\r\n2025-11-30T10:00:00Z,acme,14,,,,,x\r\n".encode("utf-16")
    )
    said = imported(path, *SMALL, status=1)
    assert "3 rows, 3 blank" in said
    assert "line 7: has 8 columns, the header 7" in said
    assert imported.stored() == 2
    said = imported(path, *SMALL, "--property", "note=note", status=1)
    assert "--property: The header has the column 'note' more than once" in said
