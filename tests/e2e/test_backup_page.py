"""The commands of the backup chapter run as they stand there, and the schedule's script keeps its promise."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from meterhouse.stores.embedded.backup import manifest
from tests.e2e.server import Server, clean_environment
from tests.e2e.test_doctor import publish

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
CHAPTER = PAGE.partition("\n## Backup\n")[2].partition("\n## ")[0]
DAY_SECONDS = 24 * 3600


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader's place: a directory `data` that had a server, and `deploy`."""
    place = tmp_path_factory.mktemp("reader")
    with Server(place / "data") as server:
        publish(server, server.key(), "a")
        publish(server, server.key(), "b")
        assert server.stop() == 0
    shutil.copytree(ROOT / "deploy", place / "deploy")
    return place


def shell(commands: str, place: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run commands in bash, `meterhouse` being the one under test. path: directories searched before."""
    found = f"{path}{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euc", commands],
        cwd=place,
        env=clean_environment() | {"PATH": found},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_commands_of_the_chapter_run_in_order(served: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", CHAPTER, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    done = shell("".join(blocks), served)
    assert done.returncode == 0, done.stderr
    assert "200 events, to position 2 of 2" in done.stdout
    assert "100 events, to position 1 of 2" in done.stdout


def test_files_of_a_backup_are_those_the_chapter_lists(served: Path, tmp_path: Path) -> None:
    assert shell(f"meterhouse backup {tmp_path} --data data", served).returncode == 0
    kinds = {re.sub(r"\d+", "N", path.name) for path in tmp_path.iterdir() if path.name != "lock"}
    listed = re.findall(r"^\| `([\w.-]+)` \|", CHAPTER, re.MULTILINE)
    assert kinds == {re.sub(r"-[AB]\b", "-N", name) for name in listed}
    assert manifest.read(tmp_path) is not None


def test_schedule_deletes_old_days_only_after_a_backup(served: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    failing = tmp_path / "bin" / "meterhouse"
    failing.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    failing.chmod(0o755)
    old, recent, other = (tmp_path / "all" / name for name in ("2001-01-01", "2001-01-02", "mine"))
    for path, days in ((old, 32), (recent, 29), (other, 99)):
        path.mkdir(parents=True)
        then = time.time() - days * DAY_SECONDS
        os.utime(path, (then, then))
    command = f"deploy/backup.sh data {tmp_path}/all 30"
    assert shell(command, served, path=f"{tmp_path}/bin:").returncode == 1
    assert old.exists()
    done = shell(command, served)
    assert done.returncode == 0, done.stderr
    (made,) = {*(tmp_path / "all").iterdir()} - {recent, other}
    assert manifest.read(made) is not None


def test_no_page_advises_a_copy_by_sqlite() -> None:
    for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*")]:
        assert "sqlite3 data" not in path.read_text(encoding="utf-8"), path
