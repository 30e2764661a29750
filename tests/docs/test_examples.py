"""The examples of the pages, as they stand there, against a real server: it answers what they show."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.docs.python_pages import PYTHON
from tests.docs.reading import ROOT, Page, culprit, paths_in_order, read
from tests.e2e.server import Server, clean_environment

PAGES = [PYTHON.get(path, Page(path)) for path in paths_in_order()]
EXAMPLES = [page for page in PAGES if page.commands or page.has_python]
_ANSWER = re.compile(r"^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
NOT_PRINTED = {"docs/paywall.md"}  # its JSON is an answer of the reader's own server


@pytest.mark.parametrize("order", [EXAMPLES, EXAMPLES[::-1]], ids=["readme_order", "reverse_order"])
def test_pages_answer_what_they_show_on_one_server(tmp_path: Path, order: list[Page]) -> None:
    def faults_of(pages: Sequence[Page]) -> Mapping[str, str]:
        directory = tmp_path / str(len(list(tmp_path.iterdir())))
        directory.mkdir()
        return read(pages, directory)

    faults = faults_of(order)
    told = [
        f"{culprit(page, order[:number], faults_of)}:\n{faults[page.path]}"
        for number, page in enumerate(order)
        if page.path in faults
    ]
    assert not told, "\n\n".join(told)


def test_the_readme_links_to_every_page() -> None:
    pages = {str(page.relative_to(ROOT)) for page in ROOT.glob("docs/*.md")}
    assert pages <= set(paths_in_order())


def test_every_page_with_python_is_checked() -> None:
    assert {page.path for page in PAGES if page.has_python} == PYTHON.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_every_answer_that_a_page_shows_is_compared(page: Page) -> None:
    if page.path not in NOT_PRINTED:
        compared = [example.answer for example in page.commands if example.answer is not None]
        assert _ANSWER.findall(page.text) == compared


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ([["c"]], "c fails on a server of its own"),
        ([["a", "c"]], "a breaks c"),
        ([["b", "c"], ["a", "c"]], "b breaks c"),
        ([["a", "b", "c"]], "several of the pages before it together break c"),
    ],
)
def test_a_failure_names_the_page_that_caused_it(broken: list[list[str]], told: str) -> None:
    def faults_of(pages: Sequence[Page]) -> dict[str, str]:
        return {"c": "fails"} if [page.path for page in pages] in broken else {}

    assert culprit(Page("c"), [Page("a"), Page("b")], faults_of) == told


def test_the_commands_of_the_first_start_publish_and_sign_in(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("meterhouse")
    with Server(tmp_path / "data", program=[str(program)]) as server:
        said = server.first_start()
        (line,) = [line.strip() for line in said.splitlines() if line.strip().startswith("curl ")]
        assert json.loads(_run(line))["eventId"].startswith("evt_")
        (login,) = re.findall(r"`(.+ login .+)`", said)
        assert _run(login).startswith(f"{server.url}/#sign-in=")


def _run(command: str) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        env=clean_environment(),
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout
