"""Headers that every answer has, and cookies that travel over https alone."""

from pathlib import Path

import pytest

from meterhouse.model.key import digest
from meterhouse.model.operator import new_secret
from meterhouse.settings import Settings
from meterhouse.wiring import open_service
from tests.conftest import Client, speak_to
from tests.flow.answers import error, faults, ok
from tests.flow.test_error_shape import concrete
from tests.flow.test_openapi import operations


async def test_no_answer_is_cached_or_guessed_at(client: Client, nobody: Client) -> None:
    described = operations(ok(await nobody.get("/openapi.json")))
    for method, path, _ in described:
        for who in (client, nobody):
            for asked in (method, "OPTIONS", "TRACE"):
                answer = await who.request(asked, concrete(path), content=b"")
                assert answer.headers.get_list("cache-control") == ["no-store"], (asked, path)
                assert answer.headers.get_list("x-content-type-options") == ["nosniff"], (asked, path)
    for path in ("/v1/nothing", "/", "/checkout"):
        assert (await nobody.get(path)).headers.get_list("x-content-type-options") == ["nosniff"]


async def test_pages_tell_nobody_where_a_reader_came_from(nobody: Client) -> None:
    for path in ("/docs", "/", "/checkout", "/customer"):
        assert (await nobody.get(path)).headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(("url", "secure"), [("https://meter.example.com", 1), ("http://h", 0)])
async def test_cookies_are_secure_where_the_public_url_is_https(
    tmp_path: Path, url: str, secure: int
) -> None:
    async with open_service(Settings(data=str(tmp_path), public_url=url)) as service:
        client, token = speak_to(service, None), new_secret()
        await service.catalog.sessions.add_link("default", digest(token), "cli")
        opened = await client.post("/v1/session", json={"token": token})
        assert opened.headers["set-cookie"].count("; Secure") == secure


@pytest.mark.parametrize("name", ["environment", "%65nvironment", "environmen%74", "%65%6E%76ironment"])
async def test_an_escaped_environment_is_checked_too(name: str, client: Client) -> None:
    ok(await client.get(f"/v1/keys?{name}=sandbox"))
    error(await client.get(f"/v1/keys?a=b&{name}=live"), 403, "key_env_mismatch")
    error(await client.post(f"/v1/sdk/events?{name}=live", content=b"{}"), 403, "key_env_mismatch")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//h/x.png", "ftp://h/x", "x"])
async def test_an_image_is_on_the_web(url: str, client: Client) -> None:
    body = {"name": "Writer", "imageUrl": url}
    assert list(faults(await client.post("/v1/sdk/products", json=body))) == ["imageUrl"]
    made = ok(await client.post("/v1/sdk/products", json=body | {"imageUrl": "https://h/x.png"}), 201)
    changed = await client.put(f"/v1/sdk/products/{made['reference']}", json={"imageUrl": url})
    assert list(faults(changed)) == ["imageUrl"]
