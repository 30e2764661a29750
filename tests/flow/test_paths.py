"""A trailing slash, doubled slashes and HEAD work on every route of the table."""

from typing import Any

import pytest

from meterhouse.http.edge import ASGIScope, Edge, Message, Receive, Send
from tests.conftest import Client
from tests.flow.answers import ok
from tests.flow.shop import CUSTOMER, PRODUCT
from tests.flow.test_error_shape import concrete
from tests.flow.test_openapi import HOT, operations

EVENT = {"type": "usage.call", "customerRef": CUSTOMER, "units": 1}
USAGE = {"customerRef": CUSTOMER, "productRef": PRODUCT}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/sdk/events": EVENT,
    "/v1/sdk/events/bulk": {"events": [EVENT]},
    "/v1/sdk/usages": USAGE,
    "/v1/sdk/usages/bulk": {"events": [USAGE]},
    "/v1/sdk/meter-events": USAGE,
    "/v1/sdk/meter-events/bulk": {"events": [USAGE]},
    "/v1/sdk/limits": USAGE,
}


@pytest.fixture
async def routes(nobody: Client) -> list[tuple[str, str]]:
    """Method and path of every operation."""
    described = operations(ok(await nobody.get("/openapi.json")))
    return [(method.upper(), concrete(path)) for method, path, _ in described]


def spellings(path: str) -> tuple[str, ...]:
    return f"{path}/", f"{path}//", f"/{path}".replace("/v1/", "//v1//")


async def test_a_path_with_more_slashes_answers_as_the_path(
    client: Client, routes: list[tuple[str, str]]
) -> None:
    for method, path in routes:
        if method == "DELETE":
            await client.request(method, path)  # a customer can be deleted once
        expected = (await client.request(method, path, content=b"{")).status_code
        for spelling in spellings(path):
            answer = await client.request(method, spelling, content=b"{")
            assert answer.status_code == expected, (method, spelling, answer.text)


async def test_hot_routes_store_and_answer_under_every_spelling(client: Client) -> None:
    assert BODIES.keys() == set(HOT)
    for path, body in BODIES.items():
        for spelling in spellings(path):
            answer = await client.post(spelling, json=body)
            assert answer.status_code in (200, 201), (spelling, answer.text)


async def test_a_percent_encoded_slash_is_a_slash_too(client: Client) -> None:
    assert (await client.post("/v1/sdk%2Fevents%2F", json=EVENT)).status_code == 201


async def test_head_answers_as_get_without_the_body(client: Client, routes: list[tuple[str, str]]) -> None:
    pages = [("GET", path) for path in ("/", "/checkout", "/customer", "/dashboard/main.js")]
    for method, path in [*routes, *pages]:
        if method != "GET":
            continue
        for spelling in (path, f"{path}/" if path != "/" else path):
            got, head = await client.get(spelling), await client.head(spelling)
            assert (head.status_code, head.content) == (got.status_code, b""), spelling
            assert head.headers.get("content-type") == got.headers.get("content-type"), spelling


async def test_a_head_sends_no_byte_of_a_body() -> None:
    """httpx leaves out the body of a HEAD itself, so the messages are looked at."""
    sent: list[Message] = []

    async def page(scope: ASGIScope, receive: Receive, send: Send) -> None:
        assert scope["method"] == "GET"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    async def note(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "HEAD", "path": "/", "headers": [], "query_string": b""}
    await Edge({}, lambda _: "GET, HEAD", page)(scope, nothing, note)
    assert [message.get("body") for message in sent] == [None, b""]


async def test_head_needs_a_credential_where_get_does(nobody: Client) -> None:
    assert (await nobody.head("/v1/usage")).status_code == 401
    assert (await nobody.head("/health")).status_code == 200
