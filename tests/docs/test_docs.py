"""The documentation is true: what there is is described, what is described is there, and examples run."""

import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterhouse import telemetry
from meterhouse.model import errors
from meterhouse.settings import describe

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("sdk/python/*.md"),
        *ROOT.glob("examples/*.md"),
    ]
)
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
_SECTION = re.compile(r"\]\(([^)#:\s]*)#([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_JSON = re.compile(r"^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def all_errors(
    kind: type[errors.MeterhouseError] = errors.MeterhouseError,
) -> Iterator[type[errors.MeterhouseError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from all_errors(each)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_sections_lead_to_a_heading(page: Path) -> None:
    for target, section in _SECTION.findall(page.read_text(encoding="utf-8")):
        there = (page.parent / target) if target else page
        headings = _HEADING.findall(there.read_text(encoding="utf-8"))
        assert section in {_anchor(heading) for heading in headings}, f"{target}#{section}"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_example_says_what_it_is_and_ends(page: Path) -> None:
    """What is in no language is run, and compared, by nobody."""
    fences = re.findall(r"^```(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert all(fences[::2])
    assert not any(fences[1::2])
    assert len(fences) % 2 == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_json_examples_are_json(page: Path) -> None:
    for example in _JSON.findall(page.read_text(encoding="utf-8")):
        json.loads(example)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_shell_examples_can_be_parsed(page: Path) -> None:
    for example in _SHELL.findall(page.read_text(encoding="utf-8")):
        shlex.split(example, comments=True)
        subprocess.run(["bash", "-n", "-c", example], check=True)


def test_every_promise_names_its_tests() -> None:
    promises = re.findall(r"^\| \*\*.*", text("README.md"), re.MULTILINE)
    assert len(promises) == 8
    for promise in promises:
        tests = [target for target in _LINK.findall(promise) if target.startswith("tests/")]
        assert tests, promise
        assert all(re.search(r"^(async )?def test_", text(test), re.MULTILINE) for test in tests), promise


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_is_ours_is_installed_from_the_checkout(page: Path) -> None:
    """Until it is in the package index, where its names are anybody's."""
    for command in re.findall(r"\bpip install ([^`\n]+)", page.read_text(encoding="utf-8")):
        for word in shlex.split(command, comments=True):
            assert not word.startswith("meterhouse"), command
            if word.startswith("."):
                path, _, extra = word.rstrip("]").partition("[")
                project = tomllib.loads((ROOT / path / "pyproject.toml").read_text(encoding="utf-8"))[
                    "project"
                ]
                assert not extra or extra in project["optional-dependencies"], command


def test_every_setting_is_described_as_it_is() -> None:
    page = text("docs/settings.md")
    for setting in describe():
        name = f"`METERHOUSE_{setting.name.upper()}`"
        line = f"| {name} | `{setting.default}` | {setting.unit} | {setting.meaning} |"
        assert line in page, line
    described = set(re.findall(r"`METERHOUSE_([A-Z_]+)` \|", page))
    assert described == {setting.name.upper() for setting in describe()}


def test_every_error_code_is_described_with_its_status() -> None:
    page = text("docs/errors.md")
    abstract = {errors.Refused, errors.Unavailable}
    for error in all_errors():
        if error not in abstract:
            assert f"| {error.status} | `{error.code}` |" in page, error
    described = set(re.findall(r"^\| \d+ \| `(\w+)`", page, re.MULTILINE))
    assert described == {error.code for error in all_errors() if error not in abstract}


def test_the_error_tree_shows_every_error() -> None:
    tree = errors.__doc__ or ""
    for error in all_errors():
        assert error.__name__ in tree


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [page.name[:4] for page in (ROOT / "docs/decisions").glob("*.md")]
    assert len(numbers) == len(set(numbers))
    assert all(number.isdigit() for number in numbers)


def test_the_project_names_no_ones_machine() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    private = re.compile(r"/(?:home|root|Users)/[a-z]|/work/")
    for name in tracked.split():
        path = ROOT / name
        if (
            path.suffix in {".py", ".md", ".toml", ".sql", ".js", ".html", ".css", ".json", ""}
            and path.is_file()
        ):
            found = private.search(path.read_text(encoding="utf-8", errors="replace"))
            assert found is None or name == "tests/docs/test_docs.py", f"{name}: {found}"


def test_every_metric_is_described() -> None:
    page = text("docs/operating.md")
    names = {metric.name for metric in telemetry.registry.collect() if metric.name.startswith("meterhouse_")}
    assert len(names) >= 6
    for name in names:
        assert f"`{name}`" in page or f"`{name}_total`" in page, name
