"""Signing in over HTTP, and what a session opens: everything a key does, and never more (design §7)."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from meterhouse.model import password as passwords
from meterhouse.model.key import digest
from meterhouse.model.operator import FREE_FAILURES, new_secret
from meterhouse.model.tenant import Environment
from meterhouse.settings import Settings
from meterhouse.wiring import Service, open_service
from tests.conftest import Client, ClientOf, speak_to
from tests.contract.catalogs import Clock
from tests.e2e.wait import LONGEST_SECONDS
from tests.flow.answers import error, faults, ok, without_request_id
from tests.flow.test_openapi import operations

URL = "/v1/session"
SANDBOX = {"environment": "sandbox"}
LIVE = {"environment": "live"}
EVENT = {"type": "usage.api_call", "customerRef": "cus_3C4D5E6F", "units": 1}
PASSWORD = "correct horse battery"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def service(tmp_path: Path, clock: Clock) -> AsyncIterator[Service]:
    async with open_service(Settings(data=str(tmp_path)), now=clock) as opened:
        yield opened


async def link(service: Service, provider: str = "default") -> dict[str, str]:
    """Make a link and return what its page posts."""
    token = new_secret()
    await service.catalog.sessions.add_link(provider, digest(token), "cli")
    return {"token": token}


async def browser(service: Service, provider: str = "default") -> Client:
    """A browser that is signed in and sends the CSRF token, as the dashboard does."""
    client = speak_to(service, None)
    answer = ok(await client.post(URL, json=await link(service, provider)), 201)
    client.headers["x-csrf-token"] = answer["csrfToken"]
    return client


@pytest.fixture
async def signed_in(service: Service) -> Client:
    return await browser(service)


async def operator(service: Service, email: str = "ada@example.com") -> dict[str, str]:
    await service.catalog.operators.create("default", email, passwords.hashed(PASSWORD), "cli")
    return {"email": email, "password": PASSWORD}


def from_address(service: Service, address: str) -> Client:
    transport = httpx.ASGITransport(cast("Any", service.app), client=(address, 50_000))  # Any: as `speak_to`
    return Client(transport=transport, base_url="http://meterhouse.test")


async def sessions_of(service: Service) -> list[tuple[str, str]]:
    """Who opened and ended sessions, the oldest first."""
    scope = await service.catalog.providers.scope("default", Environment.SANDBOX)
    page = await service.catalog.audit.page(scope.id, 1000)
    return [(e.action, e.actor) for e in reversed(page.entries) if e.action.startswith("session.")]


# Signing in


async def test_a_link_signs_in_once(service: Service, nobody: Client) -> None:
    body = await link(service)
    answer = ok(await nobody.post(URL, json=body), 201)
    assert answer["provider"]["name"] == "default"
    assert sorted(answer["environments"]) == ["live", "sandbox"]
    assert answer["email"] is None
    assert ok(await nobody.get(URL)) == answer
    again = await speak_to(service, None).post(URL, json=body)
    assert error(again, 401, "not_signed_in")["message"].count("meterhouse login") == 1
    assert "set-cookie" not in again.headers
    assert await sessions_of(service) == [("session.opened", "operator:link")]


async def test_a_link_is_good_for_15_minutes(service: Service, nobody: Client, clock: Clock) -> None:
    body = await link(service)
    clock.advance(timedelta(minutes=15))
    error(await nobody.post(URL, json=body), 401, "not_signed_in")


async def test_a_password_signs_in(service: Service, nobody: Client) -> None:
    body = await operator(service)
    answer = ok(await nobody.post(URL, json=body | {"email": " Ada@Example.COM"}), 201)
    assert answer["email"] == "ada@example.com"
    assert await sessions_of(service) == [("session.opened", "operator:ada@example.com")]


async def test_a_wrong_password_says_nothing_of_the_email(service: Service, nobody: Client) -> None:
    body = await operator(service)
    for _ in range(FREE_FAILURES + 2):
        known = await nobody.post(URL, json=body | {"password": "wrong"})
        unknown = await nobody.post(URL, json=body | {"email": "bob@example.com"})
        error(known, 401, "not_signed_in")
        assert without_request_id(known) == without_request_id(unknown)
        assert known.headers.keys() == unknown.headers.keys()


async def test_after_five_wrong_passwords_the_right_one_has_to_wait(
    service: Service, nobody: Client, clock: Clock
) -> None:
    body = await operator(service)
    for _ in range(FREE_FAILURES):
        error(await nobody.post(URL, json=body | {"password": "wrong"}), 401, "not_signed_in")
    barred = error(await nobody.post(URL, json=body), 401, "not_signed_in")
    assert "try again in a minute" in barred["message"]
    ok(await nobody.post(URL, json=await link(service)), 201)  # a link is not barred
    clock.advance(timedelta(seconds=59))
    error(await nobody.post(URL, json=body), 401, "not_signed_in")
    clock.advance(timedelta(seconds=1))
    ok(await nobody.post(URL, json=body), 201)


async def test_guesses_at_once_are_counted_as_one_after_the_other(service: Service, nobody: Client) -> None:
    body = await operator(service) | {"password": "wrong"}
    answers = await asyncio.gather(*(nobody.post(URL, json=body) for _ in range(40)))
    for answer in answers:
        error(answer, 401, "not_signed_in")
    barred = [answer for answer in answers if "Too many wrong passwords" in answer.text]
    assert len(barred) == 40 - FREE_FAILURES


@pytest.mark.parametrize("guessed", ["nobody-{}@example.com", "ada@example.com", "operator-{}@example.com"])
async def test_guessers_keep_no_operator_out(service: Service, guessed: str) -> None:
    operators = [await operator(service, f"operator-{i}@example.com") for i in range(10)]
    await operator(service)
    crowd, home = from_address(service, "198.51.100.7"), from_address(service, "192.0.2.1")
    guesses = [
        asyncio.create_task(crowd.post(URL, json={"email": guessed.format(i), "password": "wrong"}))
        for i in range(25)
    ]
    answers = await asyncio.gather(*(home.post(URL, json=body) for body in operators))
    assert [answer.status_code for answer in answers] == [201] * 10
    for answer in await asyncio.gather(*guesses):
        error(answer, 401, "not_signed_in")


async def test_operators_behind_the_proxy_of_a_guesser_sign_in(service: Service, nobody: Client) -> None:
    bodies = [await operator(service, f"operator-{i}@example.com") for i in range(3)]
    guesses = [nobody.post(URL, json=bodies[0] | {"password": "wrong"}) for _ in range(25)]
    answers = await asyncio.gather(*guesses, *(nobody.post(URL, json=body) for body in bodies[1:]))
    assert [answer.status_code for answer in answers] == [401] * 25 + [201] * 2


async def test_addresses_of_one_ipv6_household_are_one(service: Service) -> None:
    body = await operator(service)
    for i in range(FREE_FAILURES):
        await from_address(service, f"2001:db8:1:2::{i}").post(URL, json=body | {"password": "wrong"})
    error(await from_address(service, "2001:db8:1:2:3::").post(URL, json=body), 401, "not_signed_in")
    ok(await from_address(service, "2001:db8:1:3::").post(URL, json=body), 201)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": "t", "email": "a@b.se", "password": "x"},
        {"email": "a@b.se"},
        {"password": "x"},
        {"email": "a" * 400 + "@b.se", "password": "x"},
    ],
)
async def test_it_takes_a_token_or_both_email_and_password(nobody: Client, body: dict[str, str]) -> None:
    assert list(faults(await nobody.post(URL, json=body))) == [""]


async def test_a_body_that_is_not_what_it_should_be_is_refused_as_everywhere(nobody: Client) -> None:
    for body in (b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000):
        assert list(faults(await nobody.post(URL, content=body))) == [""]
    assert list(faults(await nobody.post(URL, json={"token": 7}))) == ["token"]
    form = {"content-type": "application/x-www-form-urlencoded"}
    error(await nobody.post(URL, content=b"token=t", headers=form), 415, "unsupported_media_type")
    error(await nobody.post(URL, content=b"x" * 300_000), 413, "payload_too_large")
    error(await nobody.put(URL), 405, "method_not_allowed")


async def test_a_page_of_another_site_signs_nobody_in(service: Service, nobody: Client) -> None:
    body = await link(service)
    for site in ("cross-site", "same-site"):
        error(await nobody.post(URL, json=body, headers={"sec-fetch-site": site}), 403, "forbidden")
    ok(await nobody.post(URL, json=body, headers={"sec-fetch-site": "same-origin"}), 201)


# The cookie


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_cookie_is_for_this_server_and_for_no_script(service: Service, scheme: str) -> None:
    client = speak_to(service, None)
    answer = await client.post(f"{scheme}://meterhouse.test{URL}", json=await link(service))
    name, _, rest = answer.headers["set-cookie"].partition("=")
    secret, *flags = rest.split("; ")
    assert name == "meterhouse_session"
    assert len(secret) >= 43  # of 64 characters: 256 bits
    expected = ["Path=/", "Max-Age=604800", "HttpOnly", "SameSite=Strict"]
    assert flags == (expected if scheme == "http" else [*expected, "Secure"])
    assert answer.headers["cache-control"] == "no-store"
    assert secret not in answer.text


async def test_no_secret_is_kept(service: Service, nobody: Client, tmp_path: Path) -> None:
    unused, used = await link(service), await link(service)
    await nobody.post(URL, json=used)
    secrets = [unused["token"], used["token"], nobody.cookies["meterhouse_session"], PASSWORD]
    await nobody.post(URL, json=await operator(service))
    secrets.append(nobody.cookies["meterhouse_session"])
    kept = everything_in(tmp_path)
    for secret in secrets:
        assert secret.encode() not in kept


def everything_in(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.glob("meterhouse.db*"))


async def test_a_cookie_that_is_none_of_ours_is_401(service: Service, signed_in: Client) -> None:
    for cookie in (b"meterhouse_session=x", b"meterhouse_session=\xff", b"a=b; meterhouse_session=x; c"):
        stranger = speak_to(service, None)
        for path in (URL, "/v1/keys?environment=sandbox"):
            error(await stranger.get(path, headers={b"cookie": cookie}), 401, "not_signed_in")
    for empty in ("", "meterhouse_session=", "other=1", ";;="):
        none = await speak_to(service, None).get("/v1/keys", headers={"cookie": empty})
        error(none, 401, "invalid_api_key")
    mixed = {"cookie": f"a=b;meterhouse_session={signed_in.cookies['meterhouse_session']}; c=d"}
    ok(await speak_to(service, None).get(URL, headers=mixed))


# What a session opens


async def test_a_session_does_what_a_key_does(service: Service, signed_in: Client, client: Client) -> None:
    ok(await signed_in.post("/v1/sdk/events", params=SANDBOX, json=EVENT), 201)
    bulk = {"events": [EVENT, EVENT]}
    assert ok(await signed_in.post("/v1/sdk/events/bulk", params=SANDBOX, json=bulk))["stored"] == 2
    await service.catch_up()
    for path in ("/v1/usage", "/v1/events", "/v1/ingest", "/v1/customers", "/v1/keys",
                 "/v1/sdk/customers/cus_3C4D5E6F", "/v1/sdk/products", "/v1/sdk/merchant"):  # fmt: skip
        assert ok(await signed_in.get(path, params=SANDBOX)) == ok(await client.get(path)), path
    made = ok(await signed_in.post("/v1/keys", params=LIVE, json={"name": "server"}), 201)
    assert made["secret"].startswith("sk_live_")
    newest = ok(await signed_in.get("/v1/audit", params=LIVE))["entries"][0]
    assert (newest["action"], newest["actor"]) == ("key.created", "operator:link")


async def test_every_call_names_its_environment(signed_in: Client, nobody: Client) -> None:
    described = operations(ok(await nobody.get("/openapi.json")))
    routes = [(m, path) for m, path, each in described if {"bearer": []} in each["security"]]
    assert len(routes) > 15
    for method, path in routes:
        path = path.replace("{event_id}", "evt_0").replace("{reference}", "cus_0")  # noqa: PLW2901
        for query in ("", "?environment=", "?environment=moon", "?environment=live&environment=sandbox"):
            assert list(faults(await signed_in.request(method, path + query))) == ["environment"], path
    ok(await signed_in.get(URL))


async def test_a_session_sees_one_environment_at_a_time(service: Service, signed_in: Client) -> None:
    ok(await signed_in.post("/v1/sdk/events", params=SANDBOX, json=EVENT), 201)
    await service.catch_up()
    assert ok(await signed_in.get("/v1/usage", params=SANDBOX))["total"] == 1
    assert ok(await signed_in.get("/v1/usage", params=LIVE))["total"] == 0
    refused = await signed_in.post("/v1/keys", params=SANDBOX, json={"environment": "live"})
    error(refused, 403, "key_env_mismatch")


async def test_a_session_belongs_to_one_provider(
    service: Service, signed_in: Client, client_of: ClientOf
) -> None:
    theirs = await client_of("rival", Environment.SANDBOX)
    new = {"email": "a@b.se", "reference": "cus_theirs"}
    ok(await theirs.post("/v1/sdk/customers", json=new), 201)
    answers = [
        await signed_in.get(f"/v1/sdk/customers/{ref}", params=SANDBOX) for ref in ("cus_theirs", "cus_none")
    ]
    for answer, ref in zip(answers, ("cus_theirs", "cus_none"), strict=True):
        assert ref in error(answer, 404, "customer_not_found")["message"]
    rival = await browser(service, "rival")
    assert ok(await rival.get(URL))["provider"]["name"] == "rival"
    assert ok(await rival.get("/v1/customers", params=SANDBOX))["customers"][0]["reference"] == "cus_theirs"
    ok(await signed_in.get("/v1/sdk/customers/cus_3C4D5E6F", params=SANDBOX))
    error(await rival.get("/v1/sdk/customers/cus_3C4D5E6F", params=SANDBOX), 404, "customer_not_found")


async def test_a_write_needs_the_csrf_token(service: Service, signed_in: Client) -> None:
    right = signed_in.headers.pop("x-csrf-token")
    other = (await browser(service)).headers["x-csrf-token"]
    for path, body in (
        ("/v1/sdk/events", EVENT),
        ("/v1/sdk/events/bulk", {"events": [EVENT]}),
        ("/v1/keys", {}),
        ("/v1/sdk/customers", {"email": "a@b.se"}),
    ):
        for token in (None, b"", other.encode(), right[:-1].encode() + b"\xff"):
            headers = {} if token is None else {b"x-csrf-token": token}
            refused = await signed_in.post(path, params=SANDBOX, json=body, headers=headers)
            assert "X-CSRF-Token" in error(refused, 403, "forbidden")["message"]
    error(await signed_in.delete(URL), 403, "forbidden")
    ok(await signed_in.get("/v1/ingest", params=SANDBOX))
    ok(await signed_in.post("/v1/keys", params=SANDBOX, headers={"x-csrf-token": right}), 201)


async def test_a_key_counts_before_a_cookie(service: Service, signed_in: Client) -> None:
    assert service.first_start is not None
    headers = {"authorization": f"Bearer {service.first_start.secret}", "x-csrf-token": "wrong"}
    ok(await signed_in.post("/v1/sdk/events", json=EVENT, headers=headers), 201)
    bad = {"authorization": "Bearer sk_sandbox_x"}
    error(await signed_in.get("/v1/keys", params=SANDBOX, headers=bad), 401, "invalid_api_key")


async def test_a_key_is_no_session(client: Client) -> None:
    error(await client.get(URL), 401, "not_signed_in")
    error(await client.delete(URL), 401, "not_signed_in")


# The end of a session


async def test_signing_out_ends_the_session_at_once(service: Service, signed_in: Client) -> None:
    kept = signed_in.cookies["meterhouse_session"]
    ok(await signed_in.get("/v1/keys", params=SANDBOX))
    gone = await signed_in.delete(URL)
    assert (gone.status_code, gone.content) == (204, b"")
    assert "meterhouse_session=;" in gone.headers["set-cookie"]
    assert "Max-Age=0" in gone.headers["set-cookie"]
    thief = {"cookie": f"meterhouse_session={kept}"}
    for path in (URL, "/v1/keys?environment=sandbox"):
        error(await speak_to(service, None).get(path, headers=thief), 401, "not_signed_in")
    assert [action for action, _ in await sessions_of(service)] == ["session.opened", "session.ended"]


async def until_signed_out(client: Client) -> None:
    """Return when the session opens nothing any more, though it is asked for all the time."""
    async with asyncio.timeout(LONGEST_SECONDS):
        while (await client.get(URL)).status_code != 401:  # noqa: ASYNC110 - by time alone
            await asyncio.sleep(0)
    error(await client.get("/v1/keys", params=SANDBOX), 401, "not_signed_in")


async def test_a_session_ends_after_12_idle_hours(signed_in: Client, clock: Clock) -> None:
    ok(await signed_in.get(URL))
    clock.advance(timedelta(hours=12))
    await until_signed_out(signed_in)


async def test_an_operator_who_is_removed_is_out(service: Service, nobody: Client) -> None:
    ok(await nobody.post(URL, json=await operator(service)), 201)
    await service.catalog.operators.remove("ada@example.com", "cli")
    await until_signed_out(nobody)


# The page


async def test_the_pages_files_are_strict_about_what_they_may_do(nobody: Client) -> None:
    page = await nobody.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    found: list[Any] = re.findall(r'(?:src|href)="(dashboard/[^"]+)"', page.text)
    assert {path.rpartition(".")[2] for path in found} == {"js", "css", "svg"}
    for path in ("", *found):
        file = await nobody.get(f"/{path}")
        assert file.status_code == 200
        policy = file.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert file.headers["x-content-type-options"] == "nosniff"
        assert file.headers["referrer-policy"] == "no-referrer"
        assert (await nobody.head(f"/{path}")).headers["etag"] == file.headers["etag"]
        again = await nobody.get(f"/{path}", headers={"if-none-match": file.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert not re.search(r"<script(?![^>]*src=)|<style|style=|\son[a-z]+=|https?://", page.text)


async def test_a_file_that_is_none_is_404(nobody: Client) -> None:
    for path in ("/dashboard/nope.js", "/dashboard/../app.py", "/dashboard/%2e%2e/app.py", "/dashboard"):
        error(await nobody.get(path), 404, "not_found")
