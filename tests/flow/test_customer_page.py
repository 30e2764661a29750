"""The customer's own page (contract §3.3): what it has, and ending or keeping it, with the link alone."""

from datetime import timedelta
from typing import Any

from tests.conftest import Client
from tests.contract.catalogs import Clock
from tests.flow.answers import error, ok
from tests.flow.shop import CUSTOMER, PRODUCT, activate, plan, track, with_credits

MONTHLY = {"name": "Pro", "billingCycle": "monthly", "limit": 100}


async def link(client: Client, **fields: Any) -> str:
    body = {"customerRef": CUSTOMER} | fields
    session = ok(await client.post("/v1/sdk/customers/customer-sessions", json=body), 201)
    return f"/v1/customer-sessions/{session['sessionId']}"


async def test_a_customer_sees_what_it_has_and_uses(client: Client, nobody: Client) -> None:
    await activate(client, await plan(client, **MONTHLY))
    await track(client, units=40)
    seen = ok(await nobody.get(await link(client)))
    assert (seen["status"], seen["environment"], seen["creditBalance"]) == ("active", "sandbox", 0)
    assert seen["customer"] == {"name": "First Customer", "email": "first.customer@meterhouse.local"}
    (own,) = seen["purchases"]
    assert (own["planName"], own["productName"], own["renews"]) == ("Pro", "Content API", True)
    usage = own["usage"]
    assert (usage["used"], usage["total"], usage["remaining"], usage["percentUsed"]) == (40, 100, 60, 40)


async def test_credits_are_shown(client: Client, nobody: Client) -> None:
    await with_credits(client, 5_000)
    await track(client, units=3)
    seen = ok(await nobody.get(await link(client)))
    assert seen["creditBalance"] == 4_700
    assert seen["purchases"][0]["usage"]["remaining"] == 47


async def test_renewal_is_cancelled_and_taken_up_again(client: Client, nobody: Client) -> None:
    bought = (await activate(client, await plan(client, **MONTHLY)))["purchaseRef"]
    page = f"{await link(client)}/purchases/{bought}"
    (own,) = ok(await nobody.post(f"{page}/cancel-renewal"))["purchases"]
    assert (own["renews"], own["canReactivate"], own["endDate"]) == (False, True, own["periodEnd"])
    error(await nobody.post(f"{page}/cancel-renewal"), 400, "purchase_not_cancellable")
    (own,) = ok(await nobody.post(f"{page}/reactivate"))["purchases"]
    assert (own["renews"], own["canReactivate"]) == (True, False)
    error(await nobody.post(f"{page}/reactivate"), 400, "purchase_not_reactivable")
    audit = ok(await client.get("/v1/audit"))["entries"]
    assert [(each["action"], each["actor"]) for each in audit[:2]] == [
        ("purchase.reactivated", f"customer:{CUSTOMER}"), ("purchase.cancelled", f"customer:{CUSTOMER}"),
    ]  # fmt: skip


async def test_what_does_not_renew_cannot_be_cancelled(client: Client, nobody: Client) -> None:
    bought = (await activate(client, await plan(client, type="one-time")))["purchaseRef"]
    refused = await nobody.post(f"{await link(client)}/purchases/{bought}/cancel-renewal")
    error(refused, 400, "purchase_not_cancellable")


async def test_a_link_reaches_nobody_elses_purchases(client: Client, nobody: Client) -> None:
    other = ok(await client.post("/v1/sdk/customers", json={"email": "b@example.com"}), 201)["reference"]
    theirs = (await activate(client, await plan(client, **MONTHLY), customer=other))["purchaseRef"]
    page = await link(client)
    assert ok(await nobody.get(page))["purchases"] == []
    for ref in (theirs, "pur_none"):
        for action in ("cancel-renewal", "reactivate"):
            refused = await nobody.post(f"{page}/purchases/{ref}/{action}")
            error(refused, 404, "purchase_not_found")


async def test_a_link_for_one_product_shows_that_one(client: Client, nobody: Client) -> None:
    bought = (await activate(client, await plan(client, **MONTHLY)))["purchaseRef"]
    assert len(ok(await nobody.get(await link(client, productRef=PRODUCT)))["purchases"]) == 1
    elsewhere = await link(client, productRef="prd_ai_assistant")
    assert ok(await nobody.get(elsewhere))["purchases"] == []
    error(await nobody.post(f"{elsewhere}/purchases/{bought}/cancel-renewal"), 404, "purchase_not_found")


async def test_a_link_that_has_expired_tells_and_changes_nothing(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    bought = (await activate(client, await plan(client, **MONTHLY)))["purchaseRef"]
    page = await link(client)
    clock.advance(timedelta(minutes=15))
    seen = ok(await client.get(page))
    assert seen["status"] == "expired"
    assert not {"customer", "purchases", "creditBalance"} & seen.keys()
    error(await client.post(f"{page}/purchases/{bought}/cancel-renewal"), 409, "session_ended")
    error(await client.get("/v1/customer-sessions/" + "0" * 32), 404, "session_not_found")
