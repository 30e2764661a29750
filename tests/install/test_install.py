"""Each documented way to install gives a working server, outside the checkout and without its tools."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.server import Server, clean_environment
from tests.e2e.wait import until

pytestmark = pytest.mark.install
ROOT = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))
PUBLISH = """
import sys
from meterhouse_sdk import Meterhouse
client = Meterhouse(sys.argv[1], sys.argv[2])
client.create_event(type="usage.token", customer_ref="cus_3C4D5E6F", units=2)
"""
EVENT = {"type": "usage.api_call", "customerRef": "cus_3C4D5E6F", "units": 1}


def done(*command: str | Path) -> str:
    finished = subprocess.run(
        [str(each) for each in command],
        cwd=ROOT,
        env=clean_environment(),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
    )
    return finished.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Both wheels: of the server and of the SDK."""
    built = tmp_path_factory.mktemp("wheels")
    done(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        built,
        ".",
        "./sdk/python",
    )
    return sorted(built.iterdir())


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The Python of a fresh environment, which has pip alone."""
    done(sys.executable, "-m", "venv", tmp_path / "environment")
    return tmp_path / "environment/bin/python"


def test_the_wheels_hold_every_file_of_the_packages_and_nothing_else(wheels: list[Path]) -> None:
    sources = {"meterhouse": "src/", "meterhouse_sdk": "sdk/python/src/"}
    assert [wheel.name.partition("-")[0] for wheel in wheels] == list(sources)
    for wheel, source in zip(wheels, sources.values(), strict=True):
        tracked = done("git", "ls-files", source).split()
        held = zipfile.ZipFile(wheel).namelist()
        packaged = {name for name in held if ".dist-info/" not in name}
        assert packaged == {name.removeprefix(source) for name in tracked}
        assert any(name.endswith("/py.typed") for name in packaged)
        assert any(name.endswith("licenses/LICENSE") for name in held)
    server = zipfile.ZipFile(wheels[0]).namelist()
    for name in ("http/docs.html", "dashboard/static/index.html", "stores/embedded/schema/0001_init.sql"):
        assert f"meterhouse/{name}" in server


def test_the_wheels_work_beside_the_locked_versions(wheels: list[Path], python: Path, tmp_path: Path) -> None:
    done(python, "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", "requirements.lock")
    done(python, "-m", "pip", "install", "--quiet", "--no-deps", *wheels)
    done(python, "-m", "pip", "check")
    works(python, [str(python.with_name("meterhouse"))], tmp_path)


def test_pip_installs_the_checkout(python: Path, tmp_path: Path) -> None:
    (line,) = set(re.findall(r"pip install (\. \S+)$", operating(), re.MULTILINE))
    done(python, "-m", "pip", "install", "--quiet", *line.split())
    works(python, [str(python.with_name("meterhouse"))], tmp_path)


def test_uvx_runs_the_checkout(tmp_path: Path) -> None:
    (line,) = set(re.findall(r"^uvx --from \. meterhouse serve.*$", operating(), re.MULTILINE))
    assert line.endswith("--data data")
    program = [UV, "tool", "run", "--from", str(ROOT), "meterhouse"]
    assert done(*program, "--version").startswith("meterhouse ")
    with Server(tmp_path / "data", program=program) as server:
        serves(server)
        assert server.stop() == 0


def operating() -> str:
    return (ROOT / "docs/operating.md").read_text(encoding="utf-8")


def works(python: Path, program: list[str], tmp_path: Path) -> None:
    """Hold an installed server to a day's work, and its SDK to an event."""
    assert re.fullmatch(r"meterhouse \d+\.\d+\.\d+\n", done(*program, "--version"))
    installed = done(python, "-m", "pip", "list", "--format", "freeze")
    assert "pytest" not in installed
    assert "Editable" not in installed
    with Server(tmp_path / "data", program=program) as server:
        key = serves(server)
        done(python, "-c", PUBLISH, key, server.url)
        with server.client(key) as client:
            until(lambda: total(client) == 3, "the SDK's event is in the answer")
        assert server.stop() == 0
    assert "problem" not in done(*program, "doctor", "--data", tmp_path / "data")


def serves(server: Server) -> str:
    """Publish with the first key, see it, load every page; return the key."""
    key: str = re.findall(r"\bsk_sandbox_\w+", server.first_start())[0]
    with server.client(key) as client:
        client.post("/v1/sdk/events", json=EVENT).raise_for_status()
        until(lambda: total(client) == 1, "the event is in the answer")
    with httpx.Client(base_url=server.url) as browser:
        assert browser.get("/openapi.json").raise_for_status().json()["openapi"].startswith("3.")
        for page in ("/", "/docs"):
            body = browser.get(page).raise_for_status().text
            for asset in assets(body):
                browser.get(asset).raise_for_status()
    return key


def assets(body: str) -> Iterator[str]:
    for found in re.findall(r'(?:src|href)="(/?dashboard/[^"]+)"', body):
        yield "/" + found.removeprefix("/")


def total(client: httpx.Client) -> object:
    return client.get("/v1/usage").json().get("total")
