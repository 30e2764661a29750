"""The documentation names everything that the SDK has. Its examples run in tests/docs/test_examples.py."""

import re
from pathlib import Path

import meterhouse_sdk
from meterhouse_sdk import Meterhouse, MeterhouseError
from meterhouse_sdk import _errors as errors

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs/from-the-guide.md"
SDK = ROOT / "docs/sdk.md"


def test_every_snippet_of_the_published_guide_has_its_python() -> None:
    blocks = re.findall(r"^```(ts|python)$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert blocks == ["ts", "python"] * 6


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    lines = [
        (len(found[1]) // 4, found[2], line)
        for line in (errors.__doc__ or "").splitlines()
        if (found := re.match(r"([│├└─ ]*)([A-Z]\w+)", line)) and (found[1] or found[2] == "MeterhouseError")
    ]
    above: list[str] = []
    named = set()
    for depth, name, line in lines:
        error = getattr(errors, name)
        above[depth:] = [name]
        named.add(error)
        if depth:
            assert issubclass(error, getattr(errors, above[depth - 1])), name
        if code := re.search(r"\b\d{3} ([a-z_]+)", line):
            assert error.code == code[1]
    assert named == {
        error
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, MeterhouseError)
    }


def test_everything_public_is_exported_and_documented() -> None:
    assert sorted(meterhouse_sdk.__all__) == meterhouse_sdk.__all__
    for name in meterhouse_sdk.__all__:
        assert getattr(meterhouse_sdk, name).__doc__ or name == "__version__"


def test_every_method_is_in_the_guide_to_the_sdk() -> None:
    text = SDK.read_text(encoding="utf-8")
    for name in dir(Meterhouse):
        if not name.startswith("_") and name not in {"carry_out", "without_retries"}:
            assert re.search(rf"\b{name}\b", text), name
