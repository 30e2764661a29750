"""Other names that clients have for the fields of metering, and refs that are too long (contract §3)."""

from typing import Any, Final

import pytest

from tests.conftest import Client
from tests.flow.answers import faults, ok
from tests.flow.shop import CUSTOMER, FREE, PRODUCT, activate, limits, plan, usage_of

USAGES, METER_EVENTS, LIMITS = "/v1/sdk/usages", "/v1/sdk/meter-events", "/v1/sdk/limits"
LONG: Final = "x" * 21
BODY: Final = {"customerRef": CUSTOMER, "productRef": PRODUCT}
REFS: Final = [
    (USAGES, "customerRef", "customerRef"),
    (USAGES, "customerId", "customerRef"),
    (USAGES, "productRef", "productRef"),
    (USAGES, "productReference", "productRef"),
    (USAGES, "purchaseRef", "purchaseRef"),
    (USAGES, "purchaseReference", "purchaseRef"),
    (METER_EVENTS, "customerRef", "customerRef"),
    (METER_EVENTS, "customerId", "customerRef"),
    (METER_EVENTS, "productRef", "productRef"),
    (METER_EVENTS, "productReference", "productRef"),
    (METER_EVENTS, "purchaseRef", "purchaseRef"),
    (LIMITS, "customerRef", "customerRef"),
    (LIMITS, "customerId", "customerRef"),
    (LIMITS, "productRef", "productRef"),
    ("/v1/sdk/activate", "customerRef", "customerRef"),
    ("/v1/sdk/activate", "productRef", "productRef"),
    ("/v1/sdk/activate", "planRef", "planRef"),
    ("/v1/sdk/user-info", "customerRef", "customerRef"),
    ("/v1/sdk/user-info", "productRef", "productRef"),
    ("/v1/sdk/customers/customer-sessions", "customerRef", "customerRef"),
    ("/v1/sdk/customers/customer-sessions", "productRef", "productRef"),
    ("/v1/sdk/checkout-sessions", "customerRef", "customerRef"),
    ("/v1/sdk/checkout-sessions", "productRef", "productRef"),
    ("/v1/sdk/checkout-sessions", "planRef", "planRef"),
]
"""route, what is sent, what its fault is called"""


def renamed(alias: str, name: str) -> dict[str, str]:
    """Return a good body with one field under another name."""
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT}
    return body | {alias: body.pop(name)}


@pytest.fixture
async def purchase(client: Client) -> str:
    return str((await activate(client, await plan(client, **FREE)))["purchaseRef"])


@pytest.mark.parametrize("route", [USAGES, METER_EVENTS])
@pytest.mark.parametrize(
    ("alias", "name"), [("customerId", "customerRef"), ("productReference", "productRef")]
)
async def test_a_meter_event_counts_under_either_name_of_its_refs(
    client: Client, purchase: str, route: str, alias: str, name: str
) -> None:
    body = renamed(alias, name)
    ok(await client.post(route, json=body))
    ok(await client.post(f"{route}/bulk", json={"events": [body, body]}))
    assert (await usage_of(client, purchase))["used"] == 3


@pytest.mark.parametrize("name", ["purchaseRef", "purchaseReference"])
async def test_a_usage_pins_its_purchase_under_either_name(client: Client, purchase: str, name: str) -> None:
    body = {"customerRef": CUSTOMER, name: purchase}
    ok(await client.post(USAGES, json=body))
    ok(await client.post(f"{USAGES}/bulk", json={"events": [body]}))
    assert (await usage_of(client, purchase))["used"] == 2


async def test_records_are_the_events_of_a_bulk_of_meter_events(client: Client, purchase: str) -> None:
    assert ok(await client.post(f"{METER_EVENTS}/bulk", json={"records": [BODY] * 2}))["inserted"] == 2
    assert (await usage_of(client, purchase))["used"] == 2


@pytest.mark.usefixtures("purchase")
async def test_a_limit_check_takes_the_customers_other_name_and_ignores_what_clients_add(
    client: Client,
) -> None:
    found = await limits(client)
    assert ok(await client.post(LIMITS, json=renamed("customerId", "customerRef"))) == found
    added = {"planRef": "pln_none", "usageType": "tokens", "meterName": "nobody", "customerId": CUSTOMER}
    assert await limits(client, **added) == found


@pytest.mark.parametrize(
    ("route", "name", "alias"),
    [
        (USAGES, "customerRef", "customerId"),
        (USAGES, "productRef", "productReference"),
        (USAGES, "purchaseRef", "purchaseReference"),
        (METER_EVENTS, "customerRef", "customerId"),
        (METER_EVENTS, "productRef", "productReference"),
        (LIMITS, "customerRef", "customerId"),
    ],
)
async def test_two_names_with_different_values_are_refused(
    client: Client, route: str, name: str, alias: str
) -> None:
    refused = await client.post(route, json=BODY | {name: "one", alias: "other"})
    assert faults(refused) == {alias: f"differs from {name}; send one of them"}


@pytest.mark.parametrize(("route", "sent", "field"), REFS)
async def test_a_ref_that_is_too_long_is_named(client: Client, route: str, sent: str, field: str) -> None:
    body: dict[str, Any] = {each: ref for each, ref in (BODY | {"planRef": "pln_a"}).items() if each != field}
    if route == METER_EVENTS:
        body["meterName"] = "tokens"
    assert set(faults(await client.post(route, json=body | {sent: LONG}))) == {field}
    if route in (USAGES, METER_EVENTS):
        bulk = await client.post(f"{route}/bulk", json={"events": [BODY, body | {sent: LONG}]})
        assert set(faults(bulk)) == {f"events.1.{field}"}


@pytest.mark.parametrize("name", ["customerRef", "productRef"])
async def test_a_list_of_purchases_is_not_asked_for_what_is_no_ref(client: Client, name: str) -> None:
    assert set(faults(await client.get("/v1/sdk/purchases", params={name: LONG}))) == {name}
