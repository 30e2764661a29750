"""A reader goes through pages on one server: each page's commands in a shell of its own, then its Python."""

import io
import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from meterhouse_sdk import Meterhouse
from tests.docs.answers import Example, examples, lasting
from tests.e2e.server import Server, clean_environment

ROOT: Final = Path(__file__).parents[2]
ADDRESS: Final = "http://127.0.0.1:8080"  # as pages have it
# Each answer is on a line of its own. A refusal is a failure unless the page shows it. Each command waits
# until everything that was sent before it is in the answers, which may take a second.
_SHELL: Final = """set -eo pipefail
trap 'echo "this failed: $BASH_COMMAND" >&2' ERR
curl() { command curl --silent --show-error --write-out '\\n' $strictly "$@"; }
is_seen() {
  command curl --silent "$METERHOUSE_URL/metrics" | awk '
    /^meterhouse_log_position / { sent = $2 }
    /^meterhouse_consumer_position.*"warehouse"/ { seen = $2 }
    END { exit sent != seen }'
}
"""
_KEY: Final = re.compile(r"\bsk_sandbox_\w+")
_PYTHON: Final = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\]\((docs/[^/)#]+\.md)")

Names = dict[str, Any]  # Any: the examples define what they like
Check = Callable[[Names, str], None]
"""Checks the names that a page's Python has defined, and the text that it has printed."""


class Page(NamedTuple):
    """A page by its path below the root. prepare: the names that its Python takes for granted."""

    path: str
    prepare: Callable[[], Names] = dict
    check: Check | None = None

    @property
    def text(self) -> str:
        return (ROOT / self.path).read_text(encoding="utf-8")

    @property
    def commands(self) -> list[Example]:
        return examples(self.text)

    @property
    def has_python(self) -> bool:
        return _PYTHON.search(self.text) is not None


def paths_in_order() -> list[str]:
    """Return the paths of the README, the pages in the order in which it links to them, and the SDK's own."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return list(dict.fromkeys(["README.md", *_LINK.findall(readme), "sdk/python/README.md"]))


def read(pages: Sequence[Page], directory: Path) -> dict[str, str]:
    """Go through pages, one after the other, on a new server. Return what is wrong with each, by path.

    directory: empty; for the server's data and the files of the pages.
    """
    faults: dict[str, str] = {}
    with Server(directory / "data") as server:
        (key,) = set(_KEY.findall(server.first_start()))
        said = {"METERHOUSE_API_KEY": key, "SOLVAPAY_SECRET_KEY": key, "METERHOUSE_URL": server.url}
        for number, page in enumerate(pages):
            place = directory / str(number)
            place.mkdir()
            try:
                _run_commands(page, clean_environment() | said, place)
                _run_python(page, said, place)
            except Exception as fault:  # noqa: BLE001 - examples may raise anything
                faults[page.path] = f"{type(fault).__name__}: {fault}"
    return faults


def culprit(
    page: Page, earlier: Sequence[Page], faults_of: Callable[[Sequence[Page]], Mapping[str, str]]
) -> str:
    """Return a sentence that says which of the `earlier` pages breaks `page`.

    faults_of: goes through pages on a new server, as `read` does.
    """
    if page.path in faults_of([page]):
        return f"{page.path} fails on a server of its own"
    for other in reversed(earlier):
        if page.path in faults_of([other, page]):
            return f"{other.path} breaks {page.path}"
    return f"several of the pages before it together break {page.path}"


def _run_commands(page: Page, environment: dict[str, str], place: Path) -> None:
    """Run a page's commands in one shell, as a reader pastes them into a new terminal.

    Raises AssertionError: a command fails, or prints another answer than the page shows.
    """
    given = page.commands
    if not given:
        return
    url = environment["METERHOUSE_URL"]
    files = [place / str(number) for number in range(len(given))]
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


def _run_python(page: Page, said: Mapping[str, str], place: Path) -> None:
    """Run a page's Python examples in one namespace, and check what they did.

    Raises AssertionError, or an exception of the examples.
    """
    if not page.has_python:
        return
    names = page.prepare()
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(clean_environment()):
            patch.delenv(name)
        for name, value in said.items():
            patch.setenv(name, value)
        patch.chdir(place)
        try:
            with redirect_stdout(printed):
                for found in _PYTHON.finditer(page.text):
                    line = page.text.count("\n", 0, found.start(1))
                    exec(compile("\n" * line + found[1], page.path, "exec"), names)  # noqa: S102 - our own pages
            if page.check is not None:
                page.check(names, printed.getvalue())
        finally:
            for value in names.values():
                if isinstance(value, Meterhouse):
                    value.close()
