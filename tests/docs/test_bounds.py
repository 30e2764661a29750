"""Every table names its bound, and every claim about security names its tests."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from meterhouse.stores.embedded.migrations import migrate

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (.+) \| (.+) \|$", re.MULTILINE)


def section(page: str, heading: str) -> str:
    text = (ROOT / page).read_text(encoding="utf-8")
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_guide_names_the_bound_of_every_table() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        tables = {
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            if not name.startswith("sqlite_")
        }
    first_column = " ".join(
        row.split("|")[1]
        for row in section("docs/operating.md", "What grows").splitlines()
        if row.startswith("| `")
    )
    assert set(re.findall(r"`(\w+)`", first_column)) == tables


def test_every_claim_about_security_names_tests_that_exist() -> None:
    rows = _ROW.findall(section("SECURITY.md", "What you can rely on"))
    claims = [(claim, tests) for claim, tests in rows if claim not in {"claim", "---"}]
    assert len(claims) > 10
    for claim, tests in claims:
        files = re.findall(r"\]\(([^)]+)\)", tests)
        assert files, claim
        for file in files:
            text = (ROOT / file).read_text(encoding="utf-8")
            assert re.search(r"^(async )?def test_", text, re.MULTILINE), file
