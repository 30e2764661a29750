"""The lock files agree with pyproject.toml and name public places alone; deploy/ names what there is."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LOCK = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
LOCKED = {each["name"]: each for each in LOCK["package"]}
REQUIREMENTS = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def project(path: str = "") -> dict[str, Any]:
    return tomllib.loads((ROOT / path / "pyproject.toml").read_text(encoding="utf-8"))


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[; ]", each, maxsplit=1)[0] for each in requirements}


def test_the_locks_name_the_public_index_and_no_other() -> None:
    for text in ((ROOT / "uv.lock").read_text(encoding="utf-8"), REQUIREMENTS):
        assert set(re.findall(r"\w+://[^/\s\"]+", text)) <= {
            "https://pypi.org",
            "https://files.pythonhosted.org",
        }


def test_the_locks_hold_every_dependency_with_hashes() -> None:
    server, sdk = project(), project("sdk/python")
    direct = names([*server["project"]["dependencies"], *sdk["project"]["dependencies"]])
    every = direct | names(server["dependency-groups"]["dev"])
    for extra in server["project"]["optional-dependencies"].values():
        every |= names(extra)
    assert every <= LOCKED.keys(), f"run `make lock`: {every - LOCKED.keys()}"
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)", REQUIREMENTS, re.MULTILINE))
    assert direct - {"meterhouse-sdk"} <= pinned.keys(), "run `make lock`"
    for name, version in pinned.items():
        assert LOCKED[name]["version"] == version, "run `make lock`"
        hashes = {each["hash"] for each in LOCKED[name]["wheels"]}
        assert hashes & set(re.findall(r"sha256:[0-9a-f]{64}", REQUIREMENTS)), name


def test_the_image_is_built_from_files_that_there_are() -> None:
    containerfile = (ROOT / "deploy/Containerfile").read_text(encoding="utf-8")
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1:-1] for line in containerfile.splitlines() if re.match(r"COPY (?!--from)", line)]
    for name in (name for names in copied for name in names):
        assert (ROOT / name).exists(), name
        assert f"!{name}" in allowed, name


def test_the_compose_file_builds_that_image_and_keeps_its_data() -> None:
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8"))
    service = compose["services"]["meterhouse"]
    context = ROOT / "deploy" / service["build"]["context"]
    assert (context / service["build"]["dockerfile"]).is_file()
    assert [port.startswith("127.0.0.1:") for port in service["ports"]] == [True]
    assert [volume.partition(":")[0] for volume in service["volumes"]] == list(compose["volumes"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize(
    "name", ["meterhouse.service", "meterhouse-backup.service", "meterhouse-backup.timer"]
)
def test_systemd_accepts_the_unit(tmp_path: Path, name: str) -> None:
    for unit in (ROOT / "deploy").glob("meterhouse*"):
        text = unit.read_text(encoding="utf-8")
        placed = re.sub(r"/opt/meterhouse/(bin/meterhouse|backup\.sh)", "/bin/true", text)
        (tmp_path / unit.name).write_text(placed, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / name], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
