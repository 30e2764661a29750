"""What `meterhouse import` says before it asks any server."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from meterhouse.cli import command_line

SMALL = ("--type", "usage.token", "--units", "n", "--customer", "=cus_1")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nothing.csv", *SMALL), "nothing.csv cannot be read: No such file"),
        ((".", *SMALL), "cannot be read: Is a directory"),
        (("usage.csv", *SMALL, "--units", "x"), "--units: There is no column 'x'; there are: time, n."),
        (("usage.csv", "--type", "a.b"), "--customer COLUMN"),
        (("usage.csv", "--customer", "=cus_1"), "--type TYPE"),
        (("usage.csv", *SMALL, "--timezone", "Mars/Olympus"), "IANA"),
        (("usage.csv", *SMALL), "No API key"),
        (("usage.csv", *SMALL, "--source", "x" * 65), "--source takes at most 64 bytes"),
        (("usage.csv", *SMALL, "--rejects", "no/such/directory"), "--rejects: "),
    ],
)
def test_what_cannot_work_is_a_sentence(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    (tmp_path / "usage.csv").write_text("time,n\n2026-11-01,1\n")
    done = CliRunner(env={"METERHOUSE_API_KEY": "", "SOLVAPAY_SECRET_KEY": ""}).invoke(
        command_line("import"), ["import", str(tmp_path / arguments[0]), *arguments[1:]]
    )
    assert done.exit_code == 1
    assert sentence in done.stderr
    assert "meterhouse: " in done.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "A row is known by its text; --key Request_ID knows it by that column"),
        (("--key", "x"), "--key: there is no column 'x'"),
        (("--key", ""), "--key: there is no column ''"),
        (("--type-from", "n"), "Give --type TYPE or --type-from COLUMN, not both"),
        (("--time-format", "compact", "--timestamp", "x"), "--timestamp: there is no column 'x'"),
    ],
)
def test_keys_and_types_are_settled_before_a_server_is_asked(
    tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    path = tmp_path / "usage.csv"
    path.write_text("time,n,Request_ID\n2026-11-01,1,a\n")
    done = CliRunner(env={"METERHOUSE_API_KEY": "", "SOLVAPAY_SECRET_KEY": ""}).invoke(
        command_line("import"), ["import", str(path), *SMALL, *options]
    )
    assert done.exit_code == 1
    assert sentence in done.stderr


def test_units_round_to_9_places_at_most(tmp_path: Path) -> None:
    done = CliRunner().invoke(command_line("import"), ["import", str(tmp_path), *SMALL, "--round", "10"])
    assert done.exit_code == 2
    assert "--round" in done.stderr


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd\x04", b"\xff\xfea"])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(content)
    done = CliRunner().invoke(command_line("import"), ["import", str(path), *SMALL])
    assert done.exit_code == 1
    assert "cannot be read" in done.stderr
