"""What a provider's clients may know of it, and the audit."""

from meterhouse.model.merchant import Merchant
from meterhouse.model.tenant import Caller, Environment
from meterhouse.query.cursors import write_cursor
from meterhouse.wiring import Service
from tests.conftest import Client
from tests.flow.answers import faults, ok


async def test_a_merchant_is_shown_by_the_providers_name_until_it_says_more(
    service: Service, client: Client, live: Client, stranger: Client
) -> None:
    assert ok(await client.get("/v1/sdk/merchant")) == {"displayName": "default", "legalName": "default"}
    scope = await service.catalog.providers.scope("default", Environment.SANDBOX)
    merchant = Merchant(display_name="Acme", legal_name="Acme Inc.", default_currency="usd", country="SE")
    await service.catalog.providers.show_as(Caller(scope, "cli"), merchant)
    expected = {"displayName": "Acme", "legalName": "Acme Inc.", "defaultCurrency": "usd", "country": "SE"}
    assert ok(await client.get("/v1/sdk/merchant")) == expected
    assert ok(await live.get("/v1/sdk/merchant")) == expected
    assert ok(await stranger.get("/v1/sdk/merchant")) == {"displayName": "rival", "legalName": "rival"}


async def test_platform_values_name_the_provider_and_environment_of_the_key(
    service: Service, client: Client, live: Client, stranger: Client
) -> None:
    for caller, name, environment in (
        (client, "default", "sandbox"), (live, "default", "live"), (stranger, "rival", "sandbox"),
    ):  # fmt: skip
        scope = await service.catalog.providers.scope(name, Environment(environment))
        assert ok(await caller.get("/v1/sdk/platform-config")) == {
            "providerRef": scope.provider_ref, "environment": environment,
        }  # fmt: skip


async def test_every_write_is_in_the_audit_with_who_did_it(client: Client, stranger: Client) -> None:
    key = ok(await client.get("/v1/keys"))["keys"][0]["reference"]
    made = ok(await client.post("/v1/sdk/customers", json={"email": "ada@example.com"}), 201)
    url = f"/v1/sdk/customers/{made['reference']}"
    ok(await client.patch(url, json={"name": "Ada"}))
    ok(await client.patch(url, json={"name": "Ada"}))  # changes nothing
    ok(await client.delete(url))
    entries = ok(await client.get("/v1/audit", params={"limit": "3"}))["entries"]
    assert [(each["action"], each["actor"], each["reference"]) for each in entries] == [
        ("customer.deleted", f"key:{key}", made["reference"]),
        ("customer.updated", f"key:{key}", made["reference"]),
        ("customer.created", f"key:{key}", made["reference"]),
    ]
    assert entries[1]["changes"] == {"name": ["", "Ada"]}
    assert "ada@example.com" not in (await stranger.get("/v1/audit")).text


async def test_the_audit_is_paged(client: Client) -> None:
    whole = ok(await client.get("/v1/audit", params={"limit": "1000"}))
    assert whole["nextCursor"] is None
    found, cursor = [], ""
    while cursor is not None:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = ok(await client.get("/v1/audit", params=params))
        found += page["entries"]
        cursor = page["nextCursor"]
    assert found == whole["entries"]
    for forged in ("gA", write_cursor((2**64 - 1,), "audit"), write_cursor(7, "audit")):
        assert list(faults(await client.get("/v1/audit", params={"cursor": forged}))) == ["cursor"]
