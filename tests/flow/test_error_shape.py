"""Every route of /openapi.json refuses alike: no key, a wrong key, bad JSON, wrong type, too much."""

from pathlib import Path
from typing import Any

import pytest

from meterhouse.settings import Settings
from meterhouse.wiring import open_service
from tests.conftest import Client, speak_to
from tests.flow.answers import error, faults, ok
from tests.flow.test_openapi import HOT, operations

JSON = {"content-type": "application/json"}
Routes = list[tuple[str, str, dict[str, Any]]]


def concrete(path: str) -> str:
    """Put something that can be a ref of any kind into a template."""
    event, plan = ("{event_id}", "evt_0000000000000000"), ("{plan_reference}", "pln_3C4D5E6F")
    return (
        path.replace(*event)
        .replace(*plan)
        .replace("{reference}", "cus_3C4D5E6F")
        .replace("{session_id}", "0" * 32)
    )


def methods_of(path: str, routes: Routes) -> set[str]:
    found = {method.upper() for method, each, _ in routes if each == path}
    return found | {"HEAD"} if "GET" in found else found


@pytest.fixture
async def routes(nobody: Client) -> Routes:
    """Every operation that needs a key, by method and a path that can be asked for."""
    described = operations(ok(await nobody.get("/openapi.json")))
    found = [
        (method, concrete(path), each)
        for method, path, each in described
        if {"bearer": []} in each["security"]
    ]
    assert {path for _, path, _ in found} >= set(HOT)
    assert not [path for _, path, _ in found if "{" in path]
    return found


async def test_no_route_answers_without_a_key(nobody: Client, routes: Routes) -> None:
    for method, path, _ in routes:
        for headers in ({}, {"authorization": "Bearer sk_live_nobody"}, {"authorization": "Basic eDp5"}):
            for body in (b"", b"{", b"x" * 300_000):  # who asks is looked at before what is asked
                refused = await nobody.request(method, path, headers=headers, content=body)
                error(refused, 401, "invalid_api_key")
                assert refused.headers["www-authenticate"] == "Bearer"


async def test_every_route_refuses_a_key_of_the_other_environment(client: Client, routes: Routes) -> None:
    for method, path, _ in routes:
        refused = await client.request(method, path, params={"environment": "live"}, content=b"{")
        body = error(refused, 403, "key_env_mismatch")
        assert (body["keyEnvironment"], body["providerEnvironment"]) == ("sandbox", "live")


async def test_every_body_that_is_not_what_it_should_be_is_refused(client: Client, routes: Routes) -> None:
    for method, path, operation in routes:
        if "requestBody" not in operation:
            continue
        for body in (b"{", b"[]", b"7", b'"x"', b"\xff", b"[" * 100_000):
            refused = await client.request(method, path, content=body, headers=JSON)
            assert list(faults(refused)) == [""], (path, body[:9])
        error(await client.request(method, path, content=b"{}", headers={"content-type": "text/xml"}), 415,
              "unsupported_media_type")  # fmt: skip
        packed = JSON | {"content-encoding": "br"}
        error(
            await client.request(method, path, content=b"{}", headers=packed), 415, "unsupported_media_type"
        )
        damaged = JSON | {"content-encoding": "gzip"}
        assert list(faults(await client.request(method, path, content=b"{}", headers=damaged))) == [""]
        too_much = b"x" * (10 * 1024 * 1024 + 1 if path.endswith("bulk") else 256 * 1024 + 1)
        error(await client.request(method, path, content=too_much, headers=JSON), 413, "payload_too_large")


async def test_every_route_takes_a_body_it_does_not_want(client: Client, routes: Routes) -> None:
    for method, path, operation in routes:
        if method == "get":
            assert "requestBody" not in operation
            answer = await client.request(method, path, content=b"", headers=JSON)
            assert answer.status_code in {200, 400, 404}, answer.text


async def test_every_answer_has_a_request_id_and_takes_the_callers(client: Client, routes: Routes) -> None:
    ids = set()
    for method, path, _ in routes:
        answer = await client.request(method, path, content=b"{")
        ids.add(answer.headers["x-request-id"])
        named = await client.request(method, path, content=b"{", headers={"x-request-id": "trace-1.a_b"})
        assert named.headers["x-request-id"] == "trace-1.a_b"
        hostile = await client.request(method, path, content=b"{", headers={"x-request-id": "a b<script>"})
        assert "script" not in hostile.headers["x-request-id"]
    assert len(ids) == len(routes)


async def test_a_method_that_a_path_does_not_take_is_405_with_those_it_takes(
    client: Client, routes: Routes
) -> None:
    for path in {path for _, path, _ in routes}:
        taken = methods_of(path, routes)
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - taken:
            refused = await client.request(method, path)
            error(refused, 405, "method_not_allowed")
            assert set(refused.headers["allow"].split(", ")) == taken
        if "GET" not in taken:
            assert (await client.head(path)).status_code == 405


async def test_options_tells_the_methods_of_a_path(client: Client, routes: Routes) -> None:
    for path in {path for _, path, _ in routes}:
        answer = await client.request("OPTIONS", path)
        assert (answer.status_code, answer.content) == (204, b"")
        assert set(answer.headers["allow"].split(", ")) == methods_of(path, routes)


@pytest.mark.parametrize("path", ["/nope", "/v1", "/v1/sdk", "/v1/sdk/customers/a/b/c", "/v1/%00", "/é"])
async def test_a_path_that_is_none_is_404(client: Client, path: str) -> None:
    assert "not found" in error(await client.get(path), 404, "not_found")["message"]


async def test_a_ref_that_never_was_is_404_whatever_it_looks_like(client: Client) -> None:
    for ref in ("x", "cus_", "cus_%00", "%F0%9F%98%80", "..", "'", "cus_" + "x" * 1000, "%ED%A0%80"):
        for kind in ("customers", "products"):
            answer = await client.get(f"/v1/sdk/{kind}/{ref}")
            assert answer.status_code == 404, (ref, answer.text)
            assert "not found" in answer.json()["message"]


async def test_a_failure_inside_keeps_the_shape_and_tells_nothing_of_itself(tmp_path: Path) -> None:
    async with open_service(Settings(data=str(tmp_path))) as opened:
        assert opened.first_start is not None
        client = speak_to(opened, opened.first_start.secret)
    for method, path in (("GET", "/v1/keys"), ("GET", "/v1/sdk/customers/cus_1"), ("POST", "/v1/sdk/events")):
        failed = error(await client.request(method, path, content=b"{}"), 500, "internal_error")
        assert "request id" in failed["message"]
        assert "atabase" not in failed["message"]
