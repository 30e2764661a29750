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
