"""Every Python example of the documentation runs, in order, against a real server."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

import meterhouse_sdk
from meterhouse_sdk import AsyncMeterhouse, Meterhouse, MeterhouseError
from meterhouse_sdk import _errors as errors
from tests.e2e.server import Server
from tests.e2e.wait import until

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs/from-the-guide.md"
SDK = ROOT / "docs/sdk.md"
PAYWALL = ROOT / "docs/paywall.md"
README = ROOT / "sdk/python/README.md"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server(tmp_path / "data") as server:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("METERHOUSE_URL", server.url)
        monkeypatch.delenv("METERHOUSE_API_KEY", raising=False)
        monkeypatch.setenv("SOLVAPAY_SECRET_KEY", server.key())
        yield server


def run(document: Path, names: dict[str, Any]) -> dict[str, Any]:  # Any: whatever the examples define
    """Run every example in one namespace, and close what it opened."""
    text = document.read_text(encoding="utf-8")
    for found in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        line = text.count("\n", 0, found.start(1))
        exec(compile("\n" * line + found[1], str(document), "exec"), names)  # noqa: S102 - our own documentation
    return names


def close(names: dict[str, Any]) -> None:  # Any: whatever the examples define
    for value in names.values():
        if isinstance(value, Meterhouse):
            value.close()


@pytest.mark.usefixtures("server")
def test_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    close(run(README, {}))
    assert capsys.readouterr().out.startswith("evt_")


@pytest.mark.usefixtures("server")
def test_the_guide_to_the_sdk_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names = run(SDK, {})
    printed = capsys.readouterr().out
    assert "not the float 0.30000000000000004" in printed
    assert "3 0 0" in printed
    client = names["meterhouse"]
    until(lambda: client.usage(type="usage.compute").total == names["Decimal"]("0.3"), "0.1 + 0.2 is 0.3")
    until(lambda: client.usage(type="usage.api_call").total == 2, "one sent, one buffered")
    close(names)


@pytest.mark.usefixtures("server")
def test_the_page_of_the_paywall_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names = run(PAYWALL, {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[:4] == ["old pond, a frog jumps in", "old pond", "a frog jumps in", "the sound of water"]
    assert printed[4:] == ["the sound of water", "9996", "401"]

    async def call(path: str, user: str) -> httpx.Response:
        transport = httpx.ASGITransport(names["app"])
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as api:
            return await api.get(path, headers={"Authorization": user})

    assert asyncio.run(call("/haiku", "auth0|6")).json().startswith("for cus_")
    assert asyncio.run(call("/stats", "auth0|6")).json() == {"frogs": 1}
    for _ in range(98):
        names["haiku"]("auth0|6", "pond")
    assert asyncio.run(call("/stats", "auth0|6")).status_code == 402
    close(names)


@pytest.mark.usefixtures("server")
def test_the_snippets_of_the_guide_run_in_python() -> None:
    async def generate_content(body: dict[str, str]) -> dict[str, str]:
        return {"text": body["topic"]}

    completion = SimpleNamespace(usage=SimpleNamespace(total_tokens=42))
    completions = SimpleNamespace(create=lambda **_: completion)
    names = run(
        GUIDE,
        {
            "generate_content": generate_content,
            "openai": SimpleNamespace(chat=SimpleNamespace(completions=completions)),
            "messages": [],
            "customer_ref": "cus_3C4D5E6F",
            "render_pdf": lambda data: str(data).encode(),
            "storage": SimpleNamespace(upload=lambda file: f"{len(file)} bytes"),
        },
    )

    async def call() -> int:
        client: AsyncMeterhouse = names["async_meterhouse"]
        transport = httpx.ASGITransport(names["app"])
        async with client, httpx.AsyncClient(transport=transport, base_url="http://api") as api:
            headers = {"X-Customer-Ref": "cus_3C4D5E6F"}
            return (await api.post("/api/generate", json={"topic": "tea"}, headers=headers)).status_code

    assert asyncio.run(call()) == 200
    assert names["generate_report"]("cus_3C4D5E6F", {}) == b"{}"
    assert names["upload_file"]("cus_3C4D5E6F", b"\0" * (1024 * 1024 + 1)) == "1048577 bytes"
    meterhouse: Meterhouse = names["meterhouse"]
    expected = {"usage.api_call": 3, "usage.token": 42, "usage.document_generated": 1, "usage.storage": 2}
    until(
        lambda: (
            {each.group["type"]: each.total for each in meterhouse.usage(group_by="type").series} == expected
        ),
        "all of the guide's events are in the answers",
    )
    close(names)


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
