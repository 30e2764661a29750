"""`POST /v1/sdk/user-info`: who a customer is, and what it has of a product (contract §3.3)."""

from typing import Any

import pytest

from tests.conftest import Client
from tests.flow.answers import error, faults, ok
from tests.flow.shop import CUSTOMER, FREE, PAY_AS_YOU_GO, PRODUCT, activate, grant, plan, track

URL = "/v1/sdk/user-info"
BODY = {"customerRef": CUSTOMER, "productRef": PRODUCT}


async def info(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = ok(await client.post(URL, json=BODY))
    return found


async def test_user_info_says_who_has_what_and_how_much_of_it_is_used(client: Client) -> None:
    found = await info(client)
    assert (found["status"], "purchase" in found) == ("No active purchase: Content API", False)
    await activate(client, await plan(client, **FREE))
    await track(client, units=4)
    found = await info(client)
    assert found["status"] == "Active subscription: Content API (40% usage consumed)"
    assert found["purchase"]["usage"] == {
        "used": 4, "remaining": 6, "total": 10, "meterRef": "mtr_requests", "percentUsed": 40,
    }  # fmt: skip
    assert found["user"]["reference"] == CUSTOMER
    assert found["verifyUrl"].startswith("http://meterhouse.test/customer?id=")
    assert set(faults(await client.post(URL, json={}))) == set(BODY)
    error(
        await client.post(URL, json=BODY | {"customerRef": "cus_NONE"}),
        404,
        "customer_not_found",
    )


async def test_user_info_has_a_total_where_there_is_no_limit(client: Client) -> None:
    await activate(client, await plan(client, name="Open"))
    used = (await info(client))["purchase"]["usage"]
    assert (used["total"], used["remaining"], used["percentUsed"]) == (10**15, 10**15, None)


async def test_nothing_used_is_nothing_consumed_also_where_there_is_no_credit(client: Client) -> None:
    await activate(client, await plan(client, **PAY_AS_YOU_GO))
    found = await info(client)
    assert found["status"] == "Active subscription: Content API (0% usage consumed)"
    used = found["purchase"]["usage"]
    assert (used["used"], used["remaining"], used["total"], used["percentUsed"]) == (0, 0, 0, 0)
    await grant(client, 100)
    await track(client)
    assert (await info(client))["purchase"]["usage"]["percentUsed"] == 100


@pytest.mark.parametrize(
    ("features", "told"),
    [
        (
            {"seats": 3, "export": True, "sso": False, "api": None, "ai": {"model": "big"}},
            ["ai", "export", "seats"],
        ),
        ({"sso": False}, None),
        ({}, None),
        (None, None),
    ],
)
async def test_features_are_told_by_name_and_are_whole_in_the_snapshot(
    client: Client, features: dict[str, Any] | None, told: list[str] | None
) -> None:
    bought = await activate(client, await plan(client, features=features))
    assert (await info(client))["purchase"]["plan"]["features"] == told
    snapshot = ok(await client.get(f"/v1/sdk/purchases/{bought['purchaseRef']}"))["planSnapshot"]
    assert snapshot["features"] == (features or {})


async def test_an_answer_has_the_fields_of_the_contract(client: Client) -> None:
    await activate(client, await plan(client, **FREE))
    found = await info(client)
    assert set(found) == {"status", "verifyUrl", "user", "purchase"}
    assert set(found["user"]) == {"reference", "name", "email", "externalRef"}
    assert set(found["purchase"]) == {
        "reference", "status", "productName", "planType", "startDate", "endDate", "usage", "plan",
    }  # fmt: skip
    assert set(found["purchase"]["plan"]) == {
        "reference", "name", "price", "currency", "type", "billingCycle", "features", "limits",
    }  # fmt: skip
