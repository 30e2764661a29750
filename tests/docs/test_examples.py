"""The commands of the pages, as they stand there, against a real server: it answers what they show."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.answers import Example, examples, lasting
from tests.e2e.server import Server, clean_environment

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:8080"  # as pages have it
# Each answer is on a line of its own; a refusal is a failure unless the page shows it; and a command waits
# until all that was sent before is seen, which may take a second.
_SHELL = """set -eo pipefail
trap 'echo "this failed: $BASH_COMMAND" >&2' ERR
curl() { command curl --silent --show-error --write-out '\\n' $strictly "$@"; }
is_seen() {
  command curl --silent "$METERHOUSE_URL/metrics" | awk '
    /^meterhouse_log_position / { sent = $2 }
    /^meterhouse_consumer_position.*"warehouse"/ { seen = $2 }
    END { exit sent != seen }'
}
"""
_KEY = re.compile(r"\bsk_sandbox_\w+")
_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ANSWER = re.compile(r"^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


ALL = ["README.md", *sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("docs/*.md"))]
PAGES = [page for page in ALL if examples(text(page))]
NOT_PRINTED = {"docs/paywall.md"}  # its JSON is an answer of the reader's own server


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A server of one's own, and the key of its first start."""
    with Server(tmp_path / "data") as server:
        (key,) = set(_KEY.findall(server.first_start()))
        yield clean_environment() | {"METERHOUSE_API_KEY": key, "METERHOUSE_URL": server.url}


@pytest.mark.parametrize("page", PAGES)
def test_a_pages_commands_answer_what_it_shows(
    environment: dict[str, str], tmp_path: Path, page: str
) -> None:
    """In one shell, as a reader of this page alone pastes them: what one sets, the next may use."""
    url = environment["METERHOUSE_URL"]
    given = examples(text(page))
    files = [tmp_path / str(number) for number in range(len(given))]
    script = _SHELL + "".join(
        f"until is_seen; do sleep 0.02; done\n"
        f"exec >{file}\nstrictly={_strictness(example)}\n{example.command.replace(ADDRESS, url)}"
        for file, example in zip(files, given, strict=True)
    )
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    printed = [file.read_text(encoding="utf-8").replace(url, ADDRESS) for file in files if file.exists()]
    assert done.returncode == 0, f"{done.stderr}{printed}"
    typed = "".join(example.command for example in given)
    for example, answers in zip(given, printed, strict=True):
        if example.answer is not None:
            *_, answer = answers.splitlines() or [""]
            assert lasting(answer, typed) == lasting(example.answer, typed), (
                f"{example.command}printed {answer}"
            )


def _strictness(example: Example) -> str:
    return "" if '"statusCode"' in (example.answer or "") else "--fail-with-body"


@pytest.mark.parametrize("page", ALL)
def test_every_answer_that_a_page_shows_is_compared(page: str) -> None:
    if page not in NOT_PRINTED:
        compared = [example.answer for example in examples(text(page)) if example.answer is not None]
        assert _ANSWER.findall(text(page)) == compared


def test_the_readmes_python_runs(environment: dict[str, str]) -> None:
    (example,) = _PYTHON.findall(text("README.md"))
    done = subprocess.run(
        [sys.executable, "-c", example],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("evt_")


def test_the_line_of_the_first_start_publishes_an_event(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        said = server.first_start().splitlines()
        (line,) = [line.strip() for line in said if line.strip().startswith("curl ")]
        done = subprocess.run(["bash", "-c", line], check=True, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["eventId"].startswith("evt_")


def test_the_command_that_serve_prints_is_found_where_serve_was(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("meterhouse")
    with Server(tmp_path / "data", program=[str(program)]) as server:
        (command,) = re.findall(r"`(.+ login .+)`", server.first_start())
        done = subprocess.run(
            ["bash", "-c", command],
            env=clean_environment(),
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.stdout.startswith(f"{server.url}/#sign-in=")
