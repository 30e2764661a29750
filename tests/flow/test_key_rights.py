"""Keys that may only publish, or only read, and keys that expire."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from meterhouse.cli import command_line
from meterhouse.wiring import Service
from tests.conftest import Client, speak_to
from tests.contract.catalogs import Clock
from tests.e2e.wait import LONGEST_SECONDS
from tests.flow.answers import error, faults, ok
from tests.flow.shop import CUSTOMER, PRODUCT
from tests.flow.test_error_shape import Routes, concrete
from tests.flow.test_openapi import operations

URL = "/v1/keys"
EVENT = {"type": "usage.a", "customerRef": CUSTOMER, "units": 1}
USAGE = {"customerRef": CUSTOMER, "productRef": PRODUCT}
PUBLISHING = {
    f"/v1/sdk/{path}"
    for path in ("events", "events/bulk", "usages", "usages/bulk", "meter-events", "meter-events/bulk")
}


@pytest.fixture
async def routes(nobody: Client) -> Routes:
    """Every operation that a key may carry out."""
    described = operations(ok(await nobody.get("/openapi.json")))
    return [
        (method, concrete(path), each)
        for method, path, each in described
        if {"bearer": []} in each["security"]
    ]


async def with_rights(service: Service, client: Client, rights: str) -> Client:
    made = ok(await client.post(URL, json={"name": rights, "rights": rights}), 201)
    assert made["rights"] == rights
    return speak_to(service, made["secret"])


@pytest.mark.parametrize("rights", ["read", "events:write"])
async def test_a_key_does_what_its_rights_say_and_nothing_else(
    service: Service, client: Client, routes: Routes, rights: str
) -> None:
    key = await with_rights(service, client, rights)
    for method, path, _ in routes:
        may = method.upper() == "GET" if rights == "read" else path in PUBLISHING
        for body in (b"", b"{"):
            answer = await key.request(method, path, content=body)
            if may:
                assert answer.status_code not in {401, 403}, (method, path)
            else:
                message = error(answer, 403, "right_missing")["message"]
                assert f"rights {rights};" in message
                assert "full rights" in message


async def test_a_publishing_key_publishes(service: Service, client: Client) -> None:
    key = await with_rights(service, client, "events:write")
    ok(await key.post("/v1/sdk/events", json=EVENT), 201)
    ok(await key.post("/v1/sdk/usages", json=USAGE))
    assert (await key.head(URL)).status_code == 403
    assert (await (await with_rights(service, client, "read")).head(URL)).status_code == 200


async def test_rights_are_one_of_three_and_an_expiry_is_in_the_future(client: Client) -> None:
    assert list(faults(await client.post(URL, json={"rights": "write"}))) == ["rights"]
    for time in ("2001-01-01T00:00:00Z", "2001-01-01T00:00:00", "tomorrow"):
        assert list(faults(await client.post(URL, json={"expiresAt": time}))) == ["expiresAt"]


async def test_the_same_request_makes_one_key_and_other_rights_are_a_conflict(client: Client) -> None:
    headers = {"idempotency-key": "k"}
    made = ok(await client.post(URL, json={"name": "a", "rights": "read"}, headers=headers), 201)
    again = ok(await client.post(URL, json={"name": "a", "rights": "read"}, headers=headers), 201)
    assert again == made | {"secret": None}
    other = await client.post(URL, json={"name": "a"}, headers=headers)
    error(other, 409, "idempotency_conflict")


async def test_an_expired_key_opens_nothing(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    expires = clock() + timedelta(days=1)
    made = ok(await client.post(URL, json={"expiresAt": expires.isoformat()}), 201)
    assert datetime.fromisoformat(made["expiresAt"]) == expires
    assert made["expiresAt"] in {key["expiresAt"] for key in ok(await client.get(URL))["keys"]}
    own = client.headers["authorization"]
    client.headers["authorization"] = f"Bearer {made['secret']}"
    ok(await client.get(URL))
    clock.advance(timedelta(days=1))
    async with asyncio.timeout(LONGEST_SECONDS):  # it is remembered for half a second
        while (await client.get(URL)).status_code != 401:  # noqa: ASYNC110 - by time alone
            await asyncio.sleep(0)
    error(await client.get(URL), 401, "invalid_api_key")
    error(await client.post("/v1/sdk/events", json=EVENT), 401, "invalid_api_key")
    client.headers["authorization"] = own
    ok(await client.get(URL))


def run(data: Path, *arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(command_line(), ["key", *arguments, "--data", str(data)])


def test_the_command_gives_rights_and_an_expiry(tmp_path: Path) -> None:
    time = (datetime.now(UTC) + timedelta(days=400)).isoformat(timespec="seconds")
    assert run(tmp_path, "create", "--init", "--rights", "events:write", "--expires", "90d").exit_code == 0
    assert run(tmp_path, "create", "--rights", "read", "--expires", time).exit_code == 0
    listed = run(tmp_path, "list").stdout
    for shown in (
        "events:write",
        "read",
        time[:10],
        (datetime.now(UTC) + timedelta(days=90)).date().isoformat(),
    ):
        assert shown in listed
    for wrong in ("0d", "2001-01-01T00:00:00Z", "2101-01-01T00:00:00", "soon", "999999d" * 2):
        refused = run(tmp_path, "create", "--expires", wrong)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "--expires must be" in refused.stderr
