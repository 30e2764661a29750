"""What the dashboard ships of others is what their packages hold, and comes with their licences."""

import json
import re
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

STATIC = Path(str(files("meterhouse.dashboard") / "static"))
VENDOR = STATIC / "vendor"
OWN = [path for path in STATIC.rglob("*.*") if VENDOR not in path.parents]
PACKAGES = json.loads((VENDOR / "manifest.json").read_text())["packages"]


def test_every_file_is_in_the_manifest_and_unchanged() -> None:
    listed = {path: file["sha256"] for each in PACKAGES for path, file in each["files"].items()}
    found = {
        str(path.relative_to(VENDOR)): sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert found == listed


def test_every_package_has_its_version_source_and_licence() -> None:
    for each in PACKAGES:
        directory = f"{each['name']}@{each['version']}"
        assert each["source"].endswith(f"{each['name']}-{each['version']}.tgz")
        assert each["integrity"].startswith("sha512-")
        assert all(path.startswith(f"{directory}/") for path in each["files"])
        licence = (VENDOR / directory / "LICENSE.txt").read_text()
        assert {"MIT": "MIT License", "Apache-2.0": "Apache License"}[each["license"]] in licence


def test_the_pages_name_only_files_that_are_there() -> None:
    imported = [
        (page, module, asset)
        for page in OWN
        if page.suffix in {".js", ".html"}
        for module, asset in re.findall(
            r'(?:from|import) "(\.\.?/[^"]+)"|(?:src|href)="dashboard/([^"]+)"', page.read_text()
        )
    ]
    assert len(imported) > 40
    for page, module, asset in imported:
        assert ((page.parent / module) if module else (STATIC / asset)).is_file(), (page.name, module, asset)


def test_our_own_files_are_small_and_bring_no_markup_past_the_templates() -> None:
    for path in OWN:
        if path.suffix not in {".js", ".css"}:
            continue
        text = path.read_text()
        assert len(text.splitlines()) < 300, path.name
        assert not re.search(r"innerHTML|dangerouslySetInnerHTML|\beval\b|parseFloat", text), path.name
