"""The pages with Python examples: the names that these take for granted, and what must hold after them."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Final

import httpx

from meterhouse_sdk import Meterhouse
from tests.docs.reading import Names, Page
from tests.e2e.wait import until


def _begun() -> Names:
    """Questions of a check begin here: other pages have published events of the same types before."""
    return {"begun": datetime.now(UTC)}


def _published_one(_: Names, printed: str) -> None:
    assert printed.startswith("evt_")


def _sdk(names: Names, printed: str) -> None:
    assert "not the float 0.30000000000000004" in printed
    assert "3 0 0" in printed

    def total(type_: str) -> Decimal | None:
        return _client(names).usage(type=type_, from_=names["begun"]).total

    until(lambda: total("usage.compute") == Decimal("0.3"), "0.1 + 0.2 is 0.3")
    until(lambda: total("usage.api_call") == 2, "one sent, one buffered")


def _client(names: Names) -> Meterhouse:
    client = names["meterhouse"]
    assert isinstance(client, Meterhouse)
    return client


def _paywall(names: Names, printed: str) -> None:
    lines = printed.splitlines()
    assert lines[:4] == ["old pond, a frog jumps in", "old pond", "a frog jumps in", "the sound of water"]
    assert lines[4:] == ["the sound of water", "9996", "401"]

    async def call(path: str, user: str) -> httpx.Response:
        async with _serving(names) as api:
            return await api.get(path, headers={"Authorization": user})

    assert asyncio.run(call("/haiku", "auth0|6")).json().startswith("for cus_")
    assert asyncio.run(call("/stats", "auth0|6")).json() == {"frogs": 1}
    for _ in range(98):
        names["haiku"]("auth0|6", "pond")
    assert asyncio.run(call("/stats", "auth0|6")).status_code == 402


def _serving(names: Names) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(names["app"]), base_url="http://api")


def _application() -> Names:
    """Return the program around the guide's snippets."""

    async def generate_content(body: dict[str, str]) -> dict[str, str]:
        return {"text": body["topic"]}

    completion = SimpleNamespace(usage=SimpleNamespace(total_tokens=42))
    completions = SimpleNamespace(create=lambda **_: completion)
    return _begun() | {
        "generate_content": generate_content,
        "openai": SimpleNamespace(chat=SimpleNamespace(completions=completions)),
        "messages": [],
        "customer_ref": "cus_3C4D5E6F",
        "render_pdf": lambda data: str(data).encode(),
        "storage": SimpleNamespace(upload=lambda file: f"{len(file)} bytes"),
    }


def _guide(names: Names, _: str) -> None:
    async def call() -> int:
        async with names["async_meterhouse"], _serving(names) as api:
            headers = {"X-Customer-Ref": "cus_3C4D5E6F"}
            return (await api.post("/api/generate", json={"topic": "tea"}, headers=headers)).status_code

    assert asyncio.run(call()) == 200
    assert names["generate_report"]("cus_3C4D5E6F", {}) == b"{}"
    assert names["upload_file"]("cus_3C4D5E6F", b"\0" * (1024 * 1024 + 1)) == "1048577 bytes"
    expected = {"usage.api_call": 3, "usage.token": 42, "usage.document_generated": 1, "usage.storage": 2}

    def totals() -> dict[object, object]:
        series = _client(names).usage(from_=names["begun"], group_by="type").series
        return {each.group["type"]: each.total for each in series}

    until(lambda: totals() == expected, "all of the guide's events are in the answers")


PYTHON: Final = {
    page.path: page
    for page in (
        Page("README.md", check=_published_one),
        Page("docs/paywall.md", check=_paywall),
        Page("docs/sdk.md", _begun, _sdk),
        Page("docs/from-the-guide.md", _application, _guide),
        Page("sdk/python/README.md", check=_published_one),
    )
}
