"""The seller's own customer ids name customers wherever `customerRef` does (design §6)."""

from typing import Any, Final

import httpx
import pytest

from meterhouse.wiring import Service
from tests.conftest import Client
from tests.flow.answers import error, faults, ok
from tests.flow.shop import CUSTOMER, FREE, PRODUCT, activate, plan

LONG: Final = "samlp|corporate-connection|" + "a" * 228
EVENT: Final[dict[str, Any]] = {"type": "usage.call", "units": 1}
OF_PRODUCT: Final[dict[str, Any]] = {"productRef": PRODUCT}
SINGLE: Final[dict[str, dict[str, Any]]] = {
    "/v1/sdk/events": EVENT,
    "/v1/sdk/usages": OF_PRODUCT,
    "/v1/sdk/meter-events": OF_PRODUCT,
    "/v1/sdk/limits": OF_PRODUCT,
}
BULK: Final[dict[str, dict[str, Any]]] = {
    "/v1/sdk/events/bulk": EVENT,
    "/v1/sdk/usages/bulk": OF_PRODUCT,
    "/v1/sdk/meter-events/bulk": OF_PRODUCT,
}


async def customer(client: Client, external_ref: str) -> str:
    body = {"email": f"{len(external_ref)}@example.com", "externalRef": external_ref}
    return str(ok(await client.post("/v1/sdk/customers", json=body), 201)["reference"])


@pytest.mark.parametrize("external_ref", ["7", "user-17", "ada@example.com", "プリヤ 🙂", CUSTOMER, LONG])
@pytest.mark.parametrize("path", SINGLE)
async def test_an_external_ref_names_the_customer(
    service: Service, client: Client, path: str, external_ref: str
) -> None:
    ref = await customer(client, external_ref)
    named = await client.post(path, json=SINGLE[path] | {"externalRef": external_ref})
    both = await client.post(path, json=SINGLE[path] | {"externalRef": external_ref, "customerRef": ref})
    assert {named.status_code, both.status_code} <= {200, 201}, named.text
    await service.catch_up()
    if path != "/v1/sdk/limits":
        for filters in ({"externalRef": external_ref}, {"customerRef": ref}):
            found = ok(await client.get("/v1/events", params={"kind": "all"} | filters))["events"]
            assert [each["customerRef"] for each in found] == [ref, ref]


@pytest.mark.parametrize("path", BULK)
async def test_a_bulk_names_customers_either_way(service: Service, client: Client, path: str) -> None:
    refs = [await customer(client, "one"), await customer(client, "three")]
    names = [
        {"externalRef": "one"},
        {"customerRef": refs[1]},
        {"externalRef": "three", "customerRef": refs[1]},
    ]
    ok(await client.post(path, json={"events": [BULK[path] | name for name in names]}))
    await service.catch_up()
    answer = ok(
        await client.get("/v1/usage", params={"kind": "all", "aggregate": "count", "groupBy": "customerRef"})
    )
    assert {each["group"]["customerRef"]: each["total"] for each in answer["series"]} == {
        refs[0]: 1,
        refs[1]: 2,
    }


@pytest.mark.parametrize("path", SINGLE)
async def test_two_names_of_different_customers_are_refused_at_the_external_ref(
    client: Client, path: str
) -> None:
    await customer(client, "ada")
    for other in ("ada", "nobody"):
        refused = await client.post(path, json=SINGLE[path] | {"externalRef": other, "customerRef": CUSTOMER})
        assert list(faults(refused)) == ["externalRef"]


@pytest.mark.parametrize("path", SINGLE)
@pytest.mark.parametrize("bad", ["", "x" * 256])
async def test_an_external_ref_has_1_to_255_characters(client: Client, path: str, bad: str) -> None:
    assert faults(await client.post(path, json=SINGLE[path] | {"externalRef": bad})) == {
        "externalRef": "must have 1 to 255 characters"
    }


@pytest.mark.parametrize("path", ["/v1/sdk/events", "/v1/sdk/meter-events", "/v1/sdk/limits"])
@pytest.mark.parametrize("unknown", ["nobody", CUSTOMER, "cus_nobody"])
async def test_an_unknown_external_ref_is_an_unknown_customer(
    client: Client, path: str, unknown: str
) -> None:
    refused = error(
        await client.post(path, json=SINGLE[path] | {"externalRef": unknown}), 404, "customer_not_found"
    )
    assert refused["message"] == f"Customer with externalRef {unknown} not found"


async def test_an_unknown_external_ref_is_rejected_alone_in_a_bulk(client: Client) -> None:
    await customer(client, "ada")
    body = {"events": [EVENT | {"externalRef": name} for name in ("ada", "nobody", "ada")]}
    answer = ok(await client.post("/v1/sdk/events/bulk", json=body))
    assert (answer["stored"], answer["rejected"]) == (2, 1)
    assert answer["results"][1]["code"] == "customer_not_found"
    assert answer["results"][1]["errors"][0]["path"] == "externalRef"


@pytest.mark.parametrize("unknown", ["nobody", CUSTOMER])
async def test_a_usage_of_an_unknown_external_ref_is_stored_and_counts_for_nobody(
    service: Service, client: Client, unknown: str
) -> None:
    """Also where the text is the ref of a customer: an external ref never means a reference."""
    await activate(client, await plan(client, **FREE))
    answer = ok(await client.post("/v1/sdk/usages", json=OF_PRODUCT | {"externalRef": unknown}))
    assert answer["creditDebit"] == {"debited": False, "reason": "customer_not_found"}
    await service.catch_up()
    (stored,) = ok(await client.get("/v1/events", params={"kind": "meter", "externalRef": unknown}))["events"]
    assert stored["customerRef"] == f"external:{unknown}"
    of_customer = {"kind": "meter", "customerRef": CUSTOMER}
    assert ok(await client.get("/v1/events", params=of_customer))["events"] == []


async def test_an_external_ref_is_resolved_before_the_identity(client: Client) -> None:
    ref = await customer(client, "ada")
    first = EVENT | {"externalRef": "ada", "idempotencyKey": "k"}
    again = EVENT | {"customerRef": ref, "idempotencyKey": "k"}
    stored = ok(await client.post("/v1/sdk/events", json=first), 201)
    assert ok(await client.post("/v1/sdk/events", json=again)) == stored | {"duplicate": True}


async def test_an_external_ref_of_another_scope_names_nobody(client: Client, live: Client) -> None:
    await customer(client, "ada")
    refused = await live.post("/v1/sdk/events", json=EVENT | {"externalRef": "ada"})
    error(refused, 404, "customer_not_found")


async def test_an_external_ref_that_moves_names_its_new_customer_at_once(client: Client) -> None:
    ref = await customer(client, "ada")
    ok(await client.post("/v1/sdk/events", json=EVENT | {"externalRef": "ada"}), 201)
    ok(await client.patch(f"/v1/sdk/customers/{ref}", json={"externalRef": "ada-old"}))
    ok(await client.patch(f"/v1/sdk/customers/{CUSTOMER}", json={"externalRef": "ada"}))
    both = EVENT | {"externalRef": "ada", "customerRef": CUSTOMER}
    ok(await client.post("/v1/sdk/events", json=both), 201)
    ok(await client.delete(f"/v1/sdk/customers/{CUSTOMER}"))
    error(await client.post("/v1/sdk/events", json=EVENT | {"externalRef": "ada"}), 404, "customer_not_found")


async def test_filters_by_external_ref_add_to_those_by_reference(service: Service, client: Client) -> None:
    await customer(client, "ada")
    await customer(client, "bob17")
    for name in ({"externalRef": "ada"}, {"externalRef": "bob17"}, {"customerRef": CUSTOMER}):
        ok(await client.post("/v1/sdk/events", json=EVENT | name), 201)
    await service.catch_up()

    async def total(path: str, **filters: Any) -> Any:
        return ok(await client.get(path, params=filters))["total"]

    meter = {"name": "calls", "kind": "usage", "aggregation": "sum"}
    ref = ok(await client.post("/v1/meters", json=meter), 201)["reference"]
    for path in ("/v1/usage", f"/v1/meters/{ref}/usage"):
        assert await total(path, externalRef="ada") == 1
        assert await total(path, externalRef=["ada", "bob17"]) == 2
        assert await total(path, externalRef="ada", customerRef=CUSTOMER) == 2
        assert await total(path, externalRef="nobody") == 0
        for bad in ("", "x" * 256):
            assert list(faults(await client.get(path, params={"externalRef": bad}))) == ["externalRef"]


BODIES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "/v1/sdk/activate": ("POST", {"productRef": PRODUCT, "planRef": "pln_free"}),
    "/v1/sdk/user-info": ("POST", OF_PRODUCT),
    "/v1/sdk/customers/customer-sessions": ("POST", {}),
    "/v1/sdk/checkout-sessions": ("POST", OF_PRODUCT),
    "/v1/sdk/payment-intents": ("POST", {"purpose": "credit_topup", "amount": 500, "currency": "USD"}),
    "/v1/sdk/auto-recharge": (
        "PUT",
        {
            "enabled": True, "triggerType": "balance", "currency": "USD",
            "thresholdAmountMajor": 5, "topupAmountMajor": 10,
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("path", BODIES)
async def test_every_body_that_names_a_customer_takes_the_external_ref(client: Client, path: str) -> None:
    method, body = BODIES[path]
    if path == "/v1/sdk/activate":
        await plan(client, **FREE, reference="pln_free")
    ref = await customer(client, LONG)

    async def send(key: str, **names: str) -> httpx.Response:
        return await client.request(method, path, json=body | names, headers={"idempotency-key": key})

    by_ref, by_external = await send("a", customerRef=ref), await send("b", externalRef=LONG)
    assert by_external.status_code == by_ref.status_code < 300, by_external.text
    assert by_external.json().keys() == by_ref.json().keys()
    both = await send("c", externalRef=LONG, customerRef=CUSTOMER)
    assert list(faults(both)) == ["externalRef"]
    error(await send("d", externalRef="nobody"), 404, "customer_not_found")
    missing = faults(await send("e"))
    assert list(missing) == ["customerRef"]
    assert "externalRef" in missing["customerRef"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "payment-method"), ("GET", "auto-recharge"), ("DELETE", "auto-recharge")]
)
async def test_queries_about_one_customer_take_the_external_ref(
    client: Client, method: str, path: str
) -> None:
    await customer(client, "ada")
    url = f"/v1/sdk/{path}"
    assert (await client.request(method, url, params={"externalRef": "ada"})).status_code == 200
    error(await client.request(method, url, params={"externalRef": "nobody"}), 404, "customer_not_found")
    both = {"externalRef": "ada", "customerRef": CUSTOMER}
    assert list(faults(await client.request(method, url, params=both))) == ["externalRef"]


async def test_purchases_are_listed_by_external_ref(client: Client) -> None:
    ref = await customer(client, "ada")
    bought = await activate(client, await plan(client, **FREE), ref)
    for params, expected in (
        ({"externalRef": "ada"}, [bought["purchaseRef"]]),
        ({"externalRef": "nobody"}, []),
    ):
        found = ok(await client.get("/v1/sdk/purchases", params=params))["purchases"]
        assert [each["reference"] for each in found] == expected
