"""docs/compatibility.md says which routes of the contract are not built: what it lists is not there."""

import re
from pathlib import Path

from tests.conftest import Client
from tests.flow.answers import error

_PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


def listed() -> list[tuple[str, str]]:
    """Return method and path of each route in the table of what is not built."""
    section = _PAGE.read_text(encoding="utf-8").split("## What is not built")[1].split("\n## ")[0]
    routes = []
    for row in re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE):
        methods: list[str] = []
        for named in re.findall(r"`([^`]+)`", row):
            method, _, path = named.partition(" ")
            methods.append(method)
            if path:  # of every method since the path before
                routes += [(each, path) for each in methods]
                methods = []
    return routes


async def test_a_route_that_is_said_not_to_be_built_is_not_there(client: Client) -> None:
    routes = listed()
    assert len(routes) == 8
    for method, path in routes:
        answer = await client.request(method, re.sub(r"\{\w+\}", "prd_content_api", path), json={})
        error(answer, 404, "not_found")
