"""Activations and links to a customer's page can be repeated, by nature or by a key (contract §3.2, §3.3)."""

import asyncio
from typing import Any

from tests.conftest import Client
from tests.flow.answers import error, faults, ok
from tests.flow.shop import CUSTOMER, FREE, PAY_AS_YOU_GO, PRODUCT, activate, plan
from tests.flow.visitor import purchases

ACTIVATE = "/v1/sdk/activate"
SESSIONS = "/v1/sdk/customers/customer-sessions"
KEY = {"idempotency-key": "one"}


def wanted(ref: str) -> dict[str, str]:
    return {"customerRef": CUSTOMER, "productRef": PRODUCT, "planRef": ref}


async def keyed(client: Client, ref: str) -> dict[str, Any]:
    done: dict[str, Any] = ok(await client.post(ACTIVATE, json=wanted(ref), headers=KEY))
    return done


async def plans(client: Client) -> list[tuple[str, str]]:
    return [(each["planRef"], each["status"]) for each in await purchases(client)]


async def test_activating_again_answers_the_purchase_there_is(client: Client) -> None:
    ref = await plan(client, **FREE)
    first = await activate(client, ref)
    assert await activate(client, ref) == first | {"status": "already_active"}
    assert await plans(client) == [(ref, "active")]


async def test_many_activations_at_once_make_one_purchase(client: Client) -> None:
    ref = await plan(client, **FREE)
    done = await asyncio.gather(*(activate(client, ref) for _ in range(8)))
    assert len({each["purchaseRef"] for each in done}) == 1
    assert {each["status"] for each in done} <= {"activated", "already_active"}
    assert await plans(client) == [(ref, "active")]


async def test_a_late_repeat_with_its_key_does_not_take_the_customer_back(client: Client) -> None:
    ref = await plan(client, **PAY_AS_YOU_GO)
    first = await keyed(client, ref)
    assert await keyed(client, ref) == first
    other = await plan(client, name="Other")
    await activate(client, other)
    assert await keyed(client, ref) == first
    assert await plans(client) == [(other, "active"), (ref, "expired")]
    ok(await client.delete(f"/v1/sdk/products/{PRODUCT}/plans/{ref}"))
    assert await keyed(client, ref) == first


async def test_a_key_activates_one_plan(client: Client, live: Client) -> None:
    ref, other = await plan(client, **FREE), await plan(client, name="Other")
    await keyed(client, ref)
    error(await client.post(ACTIVATE, json=wanted(other), headers=KEY), 409, "idempotency_conflict")
    assert await plans(client) == [(ref, "active")]
    assert (await keyed(live, other))["status"] == "invalid"  # another environment's keys are its own
    too_long = await client.post(ACTIVATE, json=wanted(other), headers={"idempotency-key": "k" * 257})
    assert set(faults(too_long)) == {"idempotencyKey"}


async def test_what_activated_nothing_uses_up_no_key(client: Client) -> None:
    ref = await plan(client, status="inactive")
    assert (await keyed(client, ref))["status"] == "invalid"
    priced = await plan(client, price=500)
    assert (await keyed(client, priced))["status"] == "payment_required"
    ok(await client.put(f"/v1/sdk/products/{PRODUCT}/plans/{ref}", json={"status": "active"}))
    assert (await keyed(client, ref))["status"] == "activated"


async def test_the_same_key_makes_the_same_link_to_the_customers_page(client: Client) -> None:
    body = {"customerRef": CUSTOMER}
    first = ok(await client.post(SESSIONS, json=body, headers=KEY), 201)
    assert ok(await client.post(SESSIONS, json=body, headers=KEY), 201) == first
    error(
        await client.post(SESSIONS, json=body | {"productRef": PRODUCT}, headers=KEY),
        409, "idempotency_conflict",
    )  # fmt: skip
    assert ok(await client.post(SESSIONS, json=body), 201)["sessionId"] != first["sessionId"]
    checkout = {"customerRef": CUSTOMER, "productRef": PRODUCT}  # a key is its operation's own
    opened = ok(await client.post("/v1/sdk/checkout-sessions", json=checkout, headers=KEY), 201)
    assert opened["sessionId"] != first["sessionId"]
    assert ok(await client.get(f"{SESSIONS}/{first['sessionId']}"))["status"] == "active"


async def test_a_customer_session_is_what_the_contract_says(client: Client) -> None:
    bought = (await activate(client, await plan(client, **FREE)))["purchaseRef"]
    made = ok(await client.post(SESSIONS, json={"customerRef": CUSTOMER, "productRef": PRODUCT}), 201)
    assert set(made) == {"sessionId", "customerUrl"}
    assert (len(made["sessionId"]), made["customerUrl"]) == (
        32, f"http://meterhouse.test/customer?id={made['sessionId']}",
    )  # fmt: skip
    found = ok(await client.get(f"{SESSIONS}/{made['sessionId']}"))
    assert set(found) == {
        "sessionId", "status", "customerUrl", "expiresAt", "customer", "createdAt", "updatedAt",
    }  # fmt: skip
    (purchase,) = found["customer"]["purchases"]
    assert (purchase["reference"], purchase["usage"]["used"]) == (bought, 0)
    never = "0" * 32
    gone = error(await client.get(f"{SESSIONS}/{never}"), 404, "session_not_found")
    assert gone["message"] == f"Customer session not found: {never}"
    for body, status, code in (
        ({"customerRef": "cus_NONE"}, 404, "customer_not_found"),
        ({"customerRef": CUSTOMER, "productRef": "prd_NONE"}, 404, "product_not_found"),
    ):
        error(await client.post(SESSIONS, json=body), status, code)
    for wrong in ({}, {"customerRef": ""}, {"customerRef": "c" * 21}):
        assert set(faults(await client.post(SESSIONS, json=wrong))) == {"customerRef"}


async def test_a_key_of_a_deleted_customers_activation_says_nothing_of_the_next_one(client: Client) -> None:
    ref = await plan(client, **FREE)
    await keyed(client, ref)
    ok(await client.delete(f"/v1/sdk/customers/{CUSTOMER}"))
    assert await keyed(client, ref) == {"status": "invalid", "message": "Customer not found"}
    ok(await client.post("/v1/sdk/customers", json={"reference": CUSTOMER, "email": "next@example.com"}), 201)
    error(await client.post(ACTIVATE, json=wanted(ref), headers=KEY), 409, "idempotency_conflict")
    assert (await activate(client, ref))["status"] == "activated"
