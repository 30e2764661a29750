"""API keys over HTTP: made, shown once, used, revoked."""

import asyncio

from meterhouse.model.key import digest
from meterhouse.wiring import Service
from tests.conftest import Client, speak_to
from tests.e2e.wait import LONGEST_SECONDS
from tests.flow.answers import error, faults, ok, without_request_id

URL = "/v1/keys"


async def test_a_new_key_opens_its_own_environment(service: Service, client: Client, live: Client) -> None:
    for each, prefix in ((client, "sk_sandbox_"), (live, "sk_live_")):
        made = ok(await each.post(URL, json={"name": "server"}), 201)
        assert made["secret"].startswith(prefix)
        assert made["secret"].endswith(made["hint"])
        assert len(made["secret"]) - len(prefix) >= 43  # of 62 characters: 256 bits
        with_it = speak_to(service, made["secret"])
        listed = ok(await with_it.get(URL))["keys"]
        assert listed[0]["name"] == "server"
        assert {key["environment"] for key in listed} == {prefix.split("_")[1]}
        assert listed[0]["lastUsedAt"] is None or listed[0]["lastUsedAt"].endswith("Z")


async def test_a_secret_is_shown_once_and_never_kept(service: Service, client: Client) -> None:
    headers = {"idempotency-key": "k1"}
    made = ok(await client.post(URL, json={"name": "a"}, headers=headers), 201)
    again = ok(await client.post(URL, json={"name": "a"}, headers=headers), 201)
    assert again == made | {"secret": None}
    for path in (URL, "/v1/audit"):
        assert made["secret"] not in (await client.get(path)).text


async def test_a_revoked_key_opens_nothing_soon_after(service: Service, client: Client) -> None:
    made = ok(await client.post(URL), 201)
    with_it = speak_to(service, made["secret"])
    ok(await with_it.get(URL))
    revoked = ok(await client.delete(f"{URL}/{made['reference']}"))
    assert revoked["revokedAt"] is not None
    async with asyncio.timeout(LONGEST_SECONDS):
        while (await with_it.get(URL)).status_code != 401:  # noqa: ASYNC110 - by time alone
            await asyncio.sleep(0)
    error(await with_it.get(URL), 401, "invalid_api_key")
    event = {"type": "usage.a", "customerRef": "cus_3C4D5E6F", "units": 1}
    error(await with_it.post("/v1/sdk/events", json=event), 401, "invalid_api_key")
    assert ok(await client.delete(f"{URL}/{made['reference']}")) == revoked


async def test_any_prefix_opens_if_the_whole_key_is_known(service: Service, client: Client) -> None:
    for wrong in ("sk_test_x", "sp_sandbox_x", "x", "", "ü"):
        assert await service.catalog.identities.key_caller(digest(wrong)) is None
    assert service.first_start is not None
    secret = service.first_start.secret or ""
    for header in (f"bearer {secret}", f"BEARER {secret}", f"Bearer  {secret} "):
        ok(await client.get(URL, headers={"authorization": header}))
    for header in (
        secret,
        f"Basic {secret}",
        "Bearer",
        "Bearer ",
        f"Bearer {secret}x",
        f"Bearer {secret[:-1]}",
    ):
        refused = await client.get(URL, headers={"authorization": header})
        error(refused, 401, "invalid_api_key")
        assert refused.headers["www-authenticate"] == "Bearer"


async def test_a_key_manages_the_keys_of_its_own_scope(
    client: Client, live: Client, stranger: Client
) -> None:
    made = ok(await client.post(URL, json={"name": "mine"}), 201)
    for other in (live, stranger):
        theirs = await other.delete(f"{URL}/{made['reference']}")
        unknown = await other.delete(f"{URL}/key_NOTHING")
        assert theirs.status_code == 404
        assert without_request_id(theirs) == without_request_id(unknown)
        assert made["reference"] not in (await other.get(URL)).text
    ok(await client.get(URL))


async def test_a_key_names_no_environment_but_its_own(client: Client) -> None:
    assert ok(await client.post(URL, json={"environment": "sandbox"}), 201)["environment"] == "sandbox"
    refused = error(await client.post(URL, json={"environment": "live"}), 403, "key_env_mismatch")
    assert (refused["keyEnvironment"], refused["providerEnvironment"]) == ("sandbox", "live")
    ok(await client.get(URL, params={"environment": "sandbox"}))
    error(await client.get(URL, params={"environment": "live"}), 403, "key_env_mismatch")
    assert list(faults(await client.post(URL, json={"environment": "moon"}))) == ["environment"]
    assert list(faults(await client.post(URL, json={"name": "x" * 101}))) == ["name"]
