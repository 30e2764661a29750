"""`meterhouse import` against a real server: real traffic; again, grown, bad, interrupted."""

import gzip
import json
import re
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.importing import CUSTOMER, PRODUCT, Imported, imported, server
from tests.e2e.run import asking
from tests.e2e.server import COMMAND, clean_environment
from tests.e2e.wait import until
from tests.recorded import recorded

__all__ = ["imported", "server"]  # fixtures
TOKENS = ("--type", "usage.token", "--units", "ContextTokens+GeneratedTokens", "--customer", f"={CUSTOMER}")
EGRESS = ("--create-customers", "--also", "usage.egress=bytes")
SMALL = ("--type", "usage.token", "--units", "n", "--customer", f"={CUSTOMER}")


def test_an_hour_of_a_language_model_is_counted_to_the_token(imported: Imported) -> None:
    path = recorded("azure_llm_conv_2023.csv")
    said = imported(path, *TOKENS)
    assert "Format: csv" in said
    assert "19366 times had more than 6 decimal places and were truncated" in said
    assert "19366 times had no offset and were taken as UTC" in said
    imported.settled()
    assert imported.total("usage.token") == 19_366
    assert imported.total("usage.token", "sum") == 26_450_535
    assert imported.total("usage.token", "unique_customers") == 1

    assert re.search(r"usage.token\s*│ 0\s*│ 19366\s*│ 0", imported(path, *TOKENS))
    imported.settled()
    assert imported.total("usage.token", "sum") == 26_450_535


def test_the_times_are_those_of_the_file(imported: Imported) -> None:
    imported(recorded("azure_llm_conv_2023.csv"), *TOKENS)
    imported.settled()
    params = {"type": "usage.token", "limit": "1", "to": "2023-11-17"}
    (last,) = imported.client.get("/v1/events", params=params).json()["events"]
    assert last["timestamp"] == "2023-11-16T19:14:08.402527Z"


def test_a_web_server_s_log_is_counted_by_client_and_day(imported: Imported) -> None:
    path = recorded("apache_access_2015.log")
    said = imported(path, *EGRESS)
    assert "Format: apache" in said
    imported.settled()
    assert imported.total("usage.api_call") == 10_000
    assert imported.total("usage.api_call", "unique_customers") == 1_753
    assert imported.total("usage.egress", "sum") == 2_747_282_740

    by_day = imported.usage(type="usage.api_call", aggregate="count", granularity="day")
    (series,) = by_day["series"]
    answered = {point["start"][:10]: point["value"] for point in series["points"] if point["value"]}
    assert answered == plain_count_by_day(path)

    again = imported(path, *EGRESS)
    assert re.search(r"usage.api_call\s*│ 0\s*│ 10000\s*│ 0", again)
    assert re.search(r"usage.egress\s*│ 0\s*│ 10000\s*│ 0", again)
    imported.settled()
    assert imported.total("usage.egress", "sum") == 2_747_282_740


def plain_count_by_day(path: Path) -> dict[str, int]:
    days: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        time = datetime.strptime(line.partition("[")[2].partition("]")[0], "%d/%b/%Y:%H:%M:%S %z")
        assert time.utcoffset() is not None
        days[f"{time:%Y-%m-%d}"] += 1
    return dict(days)


def test_a_grown_renamed_compressed_file_adds_only_what_is_new(imported: Imported, tmp_path: Path) -> None:
    rows = ["2026-11-01 12:00,1", "2026-11-01 12:00,1", "2026-11-01 12:01,2"]
    first = tmp_path / "usage.csv"
    first.write_text("time,n\n" + "\n".join(rows))
    imported(first, *SMALL)
    grown = tmp_path / "renamed.csv.gz"
    grown_rows = [*rows, rows[0], "2026-11-01 12:02,9"]
    grown.write_bytes(gzip.compress(("time,n\n" + "\n".join(grown_rows)).encode()))
    said = imported(grown, *SMALL)
    assert re.search(r"usage.token\s*│ 2\s*│ 3\s*│ 0\s*│ 10", said)
    imported.settled()
    assert imported.total("usage.token", "sum") == 14


def test_the_units_of_a_row_are_exact(imported: Imported) -> None:
    rows = b"time,n\n2026-11-01,0.1\n2026-11-01,0.2\n2026-11-01,1e-9\n"
    imported("-", "--format", "csv", *SMALL, stdin=rows)
    imported.settled()
    assert imported.total("usage.token", "sum") == Decimal("0.300000001")


def test_rows_that_cannot_be_are_counted_shown_and_written(imported: Imported, tmp_path: Path) -> None:
    path, rejects = tmp_path / "usage.csv", tmp_path / "rejects"
    path.write_text(
        "time,n,who\n"
        f"2026-11-01,1,{CUSTOMER}\n"
        f"yesterday,1,{CUSTOMER}\n"
        f"2026-11-01,-1,{CUSTOMER}\n"
        "2026-11-01,1,cus_NOBODY\n"
        "2026-11-01,1,acme\n"
        "2026-11-01,1\n"
        f"2100-01-01,1,{CUSTOMER}\n",
    )
    said = imported(path, *SMALL[:4], "--customer", "who", "--rejects", rejects, status=1)
    assert "2 rows could not be read, 4 were refused." in said
    refused = {each["line"]: each for each in map(json.loads, rejects.read_text().splitlines())}
    assert sorted(refused) == [3, 4, 5, 6, 7, 8]
    assert "is no time" in refused[3]["reason"]
    assert "must not be negative" in refused[4]["reason"]
    assert "customerRef" in refused[5]["reason"]
    assert "--create-customers" in refused[6]["reason"]
    assert refused[7]["row"] == "2026-11-01,1"
    assert "24 hours ahead" in refused[8]["reason"]
    imported.settled()
    assert imported.total("usage.token") == 1


def test_other_units_for_a_row_that_was_imported_are_refused_and_not_added(
    imported: Imported, tmp_path: Path
) -> None:
    path = tmp_path / "usage.csv"
    path.write_text("time,n\n2026-11-01,1\n")
    imported(path, *SMALL)
    said = imported(path, "--type", "usage.token", "--units", "7", "--customer", f"={CUSTOMER}", status=1)
    assert "imported before with another meaning" in said
    imported(path, *SMALL, "--source", "another")
    imported.settled()
    assert imported.total("usage.token") == 2


def test_customers_are_made_once_whatever_their_names(imported: Imported, tmp_path: Path) -> None:
    names = ["ada@example.com", "Åsa & co", "100 %", "192.0.2.7", "cus_3C4D5E6F"]
    path = tmp_path / "usage.ndjson"
    lines = [json.dumps({"timestamp": "2026-11-01T00:00:00Z", "who": name, "n": 1}) for name in names]
    path.write_text("\n".join(lines))
    options = (*SMALL[:4], "--customer", "who", "--create-customers")
    imported(path, *options)
    path.write_text("\n".join([*lines, lines[0].replace("00:00:00Z", "01:00:00Z")]))
    imported(path, *options)
    imported.settled()
    assert imported.total("usage.token", "unique_customers") == len(names)
    found = imported.client.get("/v1/sdk/customers", params={"externalRef": "ada@example.com"}).json()
    assert found["email"] == "ada%40example.com@imported.local"
    assert imported.client.get("/v1/customers").json()["customers"][0]["externalRef"] in names


def test_properties_are_kept_and_can_be_asked_for(imported: Imported) -> None:
    data = b'{"at":"2026-11-01T00:00:00Z","n":2,"llm":{"name":"large"}}\n'
    imported(
        "-", *SMALL, "--timestamp", "at", "--property", "model=llm.name", "--product", PRODUCT,
        stdin=data,
    )  # fmt: skip
    imported.settled()
    found = imported.usage(**{"properties.model": "large", "productRef": PRODUCT})
    assert found["total"] == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("usage.csv", *SMALL, "--product", "prd_none"), "not found"),
        (("usage.csv", *SMALL[:4], "--customer", "=cus_NONE"), "not found"),
        (("usage.csv", *SMALL, "--api-key", "sk_sandbox_wrong"), "meterhouse key create"),
        (("usage.csv", *SMALL, "--url", "http://127.0.0.1:9"), "No answer from the server"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_sent(
    imported: Imported, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "usage.csv").write_text("time,n\n2026-11-01,1\n")
    said = imported(tmp_path / arguments[0], *arguments[1:], status=1)
    assert sentence in said
    assert "meterhouse: " in said


def test_an_import_that_is_stopped_says_where_to_go_on_and_then_counts_every_row_once(
    imported: Imported, tmp_path: Path
) -> None:
    path = tmp_path / "usage.csv"
    path.write_text("time,n\n" + "".join(f"2026-11-01,{row}\n" for row in range(12_000)))
    process = subprocess.Popen(
        [*COMMAND, "import", "-", "--format", "csv", *SMALL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment() | asking(imported.server, imported.key),
    )
    assert process.stdin is not None
    process.stdin.write(b"".join(path.read_bytes().splitlines(keepends=True)[:7_001]))
    process.stdin.flush()
    until(lambda: imported.stored() == 5_000, "the first batch is stored")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Stopped." in err
    line = re.search(rb"Everything up to line (\d+) is settled.* --after-line \1", err)
    after = int(line[1]) if line else 0  # 0 when it was stopped before it read the answer

    said = imported(path, *SMALL, "--after-line", str(after))
    assert ("5000 before them skipped" in said) == (after == 5_001)
    assert re.search(rf"usage.token\s*│ 7000\s*│ {0 if after else 5000}\s*│ 0", said)
    imported.settled()
    assert imported.total("usage.token") == 12_000


@pytest.mark.soak
def test_a_million_rows_are_counted_and_take_little_memory(imported: Imported, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    with path.open("w") as file:
        file.write("time,n\n")
        file.writelines(f"2026-11-01 00:00:{row % 60:02},{row // 2}\n" for row in range(1_000_000))
    command = ("import", str(path), *SMALL)
    process = subprocess.Popen(
        [*COMMAND, *command],
        stdout=subprocess.PIPE,
        env=clean_environment() | asking(imported.server, imported.key),
    )
    peak_kibibytes = 0
    while process.poll() is None:
        with suppress(FileNotFoundError, StopIteration):
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            peak_kibibytes = max(peak_kibibytes, int(peak.split()[1]))
        time.sleep(0.05)  # between two looks
    process.communicate()
    assert process.returncode == 0
    assert peak_kibibytes < 200 * 1024
    imported.settled()
    assert imported.total("usage.token") == 1_000_000
