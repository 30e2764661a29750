"""/openapi.json describes every route, and what it describes is so."""

import re
from typing import Any

import msgspec
import pytest

from meterhouse.ingest.body import EventBody
from tests.conftest import Client
from tests.flow.answers import ok

CUSTOMERS = ("/v1/checkout-sessions/", "/v1/customer-sessions/", "/v1/payment-intents/")
HOT = (
    "/v1/sdk/events",
    "/v1/sdk/events/bulk",
    "/v1/sdk/usages",
    "/v1/sdk/usages/bulk",
    "/v1/sdk/meter-events",
    "/v1/sdk/meter-events/bulk",
    "/v1/sdk/limits",
)


@pytest.fixture
async def document(nobody: Client) -> dict[str, Any]:
    found: dict[str, Any] = ok(await nobody.get("/openapi.json"))
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for method, path, operation in operations(document):
        assert re.fullmatch(r"[a-z]+[A-Z][A-Za-z]+", operation["operationId"]), (method, path)
        assert operation["summary"], (method, path)


def test_every_operation_that_needs_a_key_says_so_and_lists_its_errors(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        if not path.startswith("/v1/"):
            assert operation["security"] == []
            continue
        if path == "/v1/session" or path.startswith(CUSTOMERS):  # see test_session, and below
            continue
        assert operation["security"] == [{"bearer": []}, {"session": []}]
        errors = {int(status) for status in operation["responses"] if status >= "400"}
        assert errors >= {400, 401, 403, 503}, (method, path)
        assert ("{" not in path) or 404 in errors, (method, path)
        assert ("requestBody" not in operation) or errors >= {413, 415}, (method, path)
        assert (method == "get") or 409 in errors, (method, path)
        for status in errors:
            (content,) = operation["responses"][str(status)]["content"].values()
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_what_customers_ask_needs_no_key_and_lists_its_errors(document: dict[str, Any]) -> None:
    found = [(path, each) for _, path, each in operations(document) if path.startswith(CUSTOMERS)]
    assert len(found) == 10
    for path, operation in found:
        assert operation["security"] == [], path
        assert {400, 403, 404, 503} <= {int(status) for status in operation["responses"] if status >= "400"}


def test_every_reference_leads_somewhere_and_no_schema_is_empty(document: dict[str, Any]) -> None:
    text = msgspec.json.encode(document).decode()
    for name in re.findall(r'"\$ref":"#/components/schemas/([^"]+)"', text):
        assert name in document["components"]["schemas"]
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            assert described, f"{name}.{field}"
    assert "number" in document["components"]["schemas"]["EventAnswer"]["properties"]["units"]["type"]


def test_hot_routes_are_described_from_the_structs_that_decode_them(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    event = schemas["EventBody"]
    assert list(event["properties"]) == list(EventBody.__struct_encode_fields__)
    assert event["required"] == []
    assert event["allOf"] == [
        {"anyOf": [{"required": [name]} for name in names]}
        for names in (
            ("type", "actionType"), ("customerRef", "customerId", "externalRef"), ("units", "actionType"),
        )
    ]  # fmt: skip
    units = event["properties"]["units"]
    assert (units["type"], units["minimum"], units["maximum"]) == ("number", 0, 10**15)
    assert schemas["BulkBody"]["properties"]["events"]["items"]["$ref"].endswith("/EventBody")
    bulk = document["paths"]["/v1/sdk/events/bulk"]["post"]
    assert set(bulk["requestBody"]["content"]) == {"application/json", "application/x-ndjson"}
    assert {"200", "201"} <= document["paths"]["/v1/sdk/events"]["post"]["responses"].keys()


def test_what_a_new_thing_cannot_do_without_is_required(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["NewCustomer"]["required"] == ["email"]
    assert schemas["NewProduct"]["required"] == ["name"]
    assert "required" not in schemas["CustomerDetails"] or schemas["CustomerDetails"]["required"] == []


async def test_the_page_that_shows_it_loads_nothing_from_anywhere_else(nobody: Client) -> None:
    page = await nobody.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http:" not in page.text
    assert "https:" not in page.text
    assert not re.search(r"<script[^>]", page.text.replace("<script>", ""))


async def test_the_server_says_that_it_is_up_and_how_it_does(nobody: Client) -> None:
    assert ok(await nobody.get("/health")) == {"status": "ok"}
    assert ok(await nobody.get("/ready")) == {"status": "ready"}
    await nobody.get("/v1/sdk/customers/cus_secret")
    metrics = await nobody.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=")
    assert 'route="/v1/sdk/customers/{reference}",status="401"' in metrics.text
    assert "cus_secret" not in metrics.text


def test_either_name_of_a_customer_is_enough(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert not [
        name
        for name, schema in schemas.items()
        if "externalRef" in schema.get("properties", {}) and "customerRef" in schema.get("required", [])
    ]
    for name in ("EventBody", "UsageBody", "MeterEventBody", "LimitBody", "PaymentBody"):
        names = [
            [field for each in either["anyOf"] for field in each["required"]]
            for either in schemas[name]["allOf"]
        ]
        (customer,) = (each for each in names if "customerRef" in each)
        assert {"customerRef", "externalRef"} <= set(customer)
        assert {schemas[name]["properties"][each]["type"] for each in customer} == {"string"}
