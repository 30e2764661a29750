"""Customers and products, through a transport that is a plain function."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.model.text import email_fault
from meterhouse_sdk import (
    ExternalRefTaken,
)
from meterhouse_sdk._customers import _placeholder_email
from sdk.python.tests.stand_in import blocking, problem

CUSTOMER = {"reference": "cus_1", "name": "", "email": "a@b.se", "purchases": []}


PRODUCT = {"reference": "prd_1", "name": "API", "status": "active", "balance": 0, "plans": [], "type": "api"}


def test_finding_nobody_is_none_and_another_404_is_not() -> None:
    client, _ = blocking(lambda _: problem(404, "customer_not_found"))
    assert client.find_customer(external_ref="u1") is None
    client, _ = blocking(lambda _: httpx.Response(404, text="no such page"))
    with pytest.raises(Exception, match="Not Found: no such page"):
        client.find_customer(email="a@b.se")
    with pytest.raises(TypeError, match="exactly one"):
        client.find_customer()


class Customers:
    """Customers by external ref; `taken_by` is created by somebody else between look and leap."""

    def __init__(self, taken_by: str | None = None) -> None:
        self.by_external_ref: dict[str, dict[str, Any]] = {}  # Any: JSON
        self.requests: list[str] = []
        self.keys: list[str] = []
        self._taken_by = taken_by

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request.method)
        if request.method == "GET":
            found = self.by_external_ref.get(request.url.params["externalRef"])
            return httpx.Response(200, json=found) if found else problem(404, "customer_not_found")
        self.keys.append(request.headers["idempotency-key"])
        body = json.loads(request.content)
        reference = self._taken_by or "cus_new"
        self.by_external_ref[body["externalRef"]] = CUSTOMER | body | {"reference": reference}
        if self._taken_by is not None:
            return problem(409, "external_ref_exists")
        return httpx.Response(201, json=self.by_external_ref[body["externalRef"]])


def test_ensuring_a_customer_creates_it_once() -> None:
    customers = Customers()
    client, _ = blocking(customers)
    made = client.ensure_customer("auth0|user 5@x")
    assert made.reference == "cus_new"
    assert made.email == "auth0|user%205%40x@auto-created.local"
    assert client.ensure_customer("auth0|user 5@x") == made
    assert customers.requests == ["GET", "POST", "GET"]
    assert all(customers.keys)


@given(st.text(min_size=1, max_size=255).filter(lambda text: text.isprintable() or text.isspace()))
def test_every_external_ref_gets_an_email_that_the_server_takes(external_ref: str) -> None:
    assert email_fault(_placeholder_email(external_ref)) is None


def test_long_external_refs_get_different_emails() -> None:
    spaces = " " * 254
    assert _placeholder_email(f"{spaces}a") != _placeholder_email(f"{spaces}b")


def test_ensuring_a_customer_that_somebody_else_just_created_returns_that_one() -> None:
    client, _ = blocking(Customers(taken_by="cus_other"))
    assert client.ensure_customer("u1", email="a@b.se").reference == "cus_other"


def test_a_conflict_that_leads_nowhere_is_raised() -> None:
    def server(request: httpx.Request) -> httpx.Response:
        return (
            problem(404, "customer_not_found")
            if request.method == "GET"
            else problem(409, "external_ref_exists")
        )

    with pytest.raises(ExternalRefTaken):
        blocking(server)[0].ensure_customer("u1")


def test_every_write_of_the_catalog_carries_one_key_through_its_retries() -> None:
    keys: list[str] = []

    def server(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        if len(keys) % 2:
            return httpx.Response(503)
        if request.method == "DELETE":
            return httpx.Response(200, json={"success": True, "action": "deleted"})
        return httpx.Response(200, json=PRODUCT if "products" in request.url.path else CUSTOMER)

    client, _ = blocking(server)
    client.create_customer(email="a@b.se")
    client.update_customer("cus_1", name="A")
    assert client.delete_customer("cus_1").action == "deleted"
    client.create_product(name="API", reference="prd_1")
    client.update_product("prd_1", description="x")
    client.clone_product("prd_1")
    client.delete_product("prd_1")
    assert keys[::2] == keys[1::2]
    assert len(set(keys)) == 7


def test_an_update_says_only_what_was_given() -> None:
    bodies: list[object] = []

    def server(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json=CUSTOMER)

    client, _ = blocking(server)
    client.update_customer("cus_1", external_ref="u1")
    client.update_customer("cus_1", telephone="", metadata={"a": 1})
    assert bodies == [{"externalRef": "u1"}, {"telephone": "", "metadata": {"a": 1}}]


def test_the_rest_of_the_catalog_is_read() -> None:
    answers = {
        "/v1/sdk/products": {"products": [PRODUCT], "total": 1, "limit": 50, "offset": 0},
        "/v1/sdk/products/prd_1": PRODUCT,
        "/v1/sdk/merchant": {"displayName": "Acme", "legalName": "Acme Inc."},
        "/v1/sdk/platform-config": {},
    }
    client, _ = blocking(lambda request: httpx.Response(200, json=answers[request.url.path]))
    assert [product.reference for product in client.list_products(search="A").products] == ["prd_1"]
    assert client.get_product("prd_1").name == "API"
    assert client.merchant().legal_name == "Acme Inc."
    assert client.platform_config().stripe_publishable_key is None
