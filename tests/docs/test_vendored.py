"""What the dashboard ships of others is what their packages hold, and comes with their licences."""

import json
import re
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

STATIC = Path(str(files("meterhouse.dashboard") / "static"))
VENDOR = STATIC / "vendor"
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


def test_the_page_names_only_files_that_are_there() -> None:
    pages = [*STATIC.glob("*.js"), *STATIC.glob("*.html")]
    imported = [
        (page, path)
        for page in pages
        for path in re.findall(
            r'(?:from|import) "(\./[^"]+)"|(?:src|href)="dashboard/([^"]+)"', page.read_text()
        )
    ]
    assert len(imported) > 20
    for page, (module, asset) in imported:
        assert (STATIC / (module or asset)).is_file(), (page.name, module or asset)


def test_our_own_files_are_small_and_bring_no_markup_past_the_templates() -> None:
    for path in [*STATIC.glob("*.js"), *STATIC.glob("*.css")]:
        text = path.read_text()
        assert len(text.splitlines()) < 300, path.name
        assert not re.search(r"innerHTML|dangerouslySetInnerHTML|\beval\b|parseFloat", text), path.name
