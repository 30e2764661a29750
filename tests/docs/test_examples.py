"""The README's and the quickstart's commands, as they are printed, against a real server."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.server import Server, clean_environment

ROOT = Path(__file__).parents[2]
_SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CALLS = re.compile(r"(?:^|\$\()curl ", re.MULTILINE)
_STRICTLY = """set -eo pipefail
trap 'echo "this failed: $BASH_COMMAND" >&2' ERR
curl() { command curl --silent --show-error --fail-with-body "$@"; }
"""
_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with Server(tmp_path_factory.mktemp("docs") / "data") as server:
        yield clean_environment() | {"METERHOUSE_API_KEY": server.key(), "METERHOUSE_URL": server.url}


def calls(page: str) -> list[str]:
    """The examples of a page that call the server."""
    examples = _SHELL.findall((ROOT / page).read_text(encoding="utf-8"))
    return [example for example in examples if _CALLS.search(example)]


PAGES = (
    "README.md",
    "docs/quickstart.md",
    "docs/questions.md",
    "docs/metering.md",
    "docs/limits.md",
    "docs/holds.md",
    "docs/credits.md",
    "docs/checkout.md",
    "docs/plans.md",
    "docs/compatibility.md",
)


@pytest.mark.parametrize("page", PAGES)
def test_a_pages_examples_are_answered_with_success(environment: dict[str, str], page: str) -> None:
    """One after the other in one shell, as a reader pastes them: what one sets, the next may use."""
    examples = calls(page)
    assert examples
    script = "".join(examples).replace("http://127.0.0.1:8080", environment["METERHOUSE_URL"])
    done = subprocess.run(
        ["bash", "-c", _STRICTLY + script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_the_readmes_python_runs(environment: dict[str, str]) -> None:
    (example,) = _PYTHON.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    done = subprocess.run(
        [sys.executable, "-c", example],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("evt_")


def test_the_line_that_serve_prints_publishes_an_event(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        printed = "".join(server.printed_until("curl "))
        (line,) = [line.strip() for line in printed.splitlines() if line.strip().startswith("curl ")]
        done = subprocess.run(["bash", "-c", line], check=True, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["eventId"].startswith("evt_")


def test_the_command_that_serve_prints_is_found_where_serve_was(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("meterhouse")
    with Server(tmp_path / "data", program=[str(program)]) as server:
        (command,) = re.findall(r"`(.+ login .+)`", "".join(server.printed_until("curl ")))
        done = subprocess.run(
            ["bash", "-c", command],
            env=clean_environment(),
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.stdout.startswith(f"{server.url}/#sign-in=")
