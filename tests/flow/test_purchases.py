"""Purchases, activation, cancelling; user info and sessions (contract §3.2, §3.3, §3.6)."""

from datetime import timedelta
from typing import Any

import pytest

from meterhouse.settings import Settings
from meterhouse.wiring import open_service
from tests.conftest import Client, speak_to
from tests.contract.catalogs import Clock
from tests.flow.answers import error, faults, ok
from tests.flow.shop import CUSTOMER, FREE, PAY_AS_YOU_GO, PRODUCT, activate, grant, limits, plan, track


async def purchase(client: Client, ref: str) -> dict[str, Any]:
    found: dict[str, Any] = ok(await client.get(f"/v1/sdk/purchases/{ref}"))
    return found


async def test_a_purchase_keeps_the_plan_as_it_was_bought(timed: tuple[Clock, Client]) -> None:
    _, client = timed
    ref = await plan(client, **FREE, features={"seats": 3})
    bought = (await activate(client, ref))["purchaseRef"]
    ok(await client.put(f"/v1/sdk/products/{PRODUCT}/plans/{ref}", json={"name": "Changed", "limit": 1}))
    found = await purchase(client, bought)
    assert found["planSnapshot"] == {
        "reference": ref, "name": "Free", "planType": "recurring", "price": 0, "currency": "USD",
        "billingCycle": "monthly", "features": {"seats": 3}, "limits": {}, "meterRef": "mtr_requests",
        "limit": 10, "freeUnits": 10,
    }  # fmt: skip
    assert (found["status"], found["amount"], found["exchangeRate"]) == ("active", 0, 1)
    assert (found["startDate"], found["endDate"]) == ("2026-11-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z")
    assert found["nextBillingDate"] == found["usage"]["periodEnd"] == found["endDate"]
    assert (found["isRecurring"], found["autoRenew"]) == (True, True)
    assert (found["customerEmail"], found["productName"]) == (
        "first.customer@meterhouse.local", "Content API",
    )  # fmt: skip


async def test_a_customer_shows_its_active_purchases_and_their_usage(client: Client) -> None:
    bought = (await activate(client, await plan(client, **FREE)))["purchaseRef"]
    await track(client, units=4)
    customer = ok(await client.get(f"/v1/sdk/customers/{CUSTOMER}"))
    (found,) = customer["purchases"]
    assert (found["reference"], found["usage"]["used"]) == (bought, 4)
    await activate(client, await plan(client, name="Other"))
    customer = ok(await client.get("/v1/sdk/customers", params={"reference": CUSTOMER}))
    assert [each["planSnapshot"]["name"] for each in customer["purchases"]] == ["Other"]


async def test_activating_another_plan_takes_the_place_of_the_first(client: Client) -> None:
    first = await activate(client, await plan(client, **FREE))
    other = await plan(client, name="Other")
    second = await activate(client, other)
    assert (first["status"], second["status"]) == ("activated", "activated")
    assert (await activate(client, other))["status"] == "already_active"
    listed = ok(await client.get(f"/v1/sdk/purchases/customer/{CUSTOMER}"))["purchases"]
    assert [(each["reference"], each["status"]) for each in listed] == [
        (second["purchaseRef"], "active"),
        (first["purchaseRef"], "expired"),
    ]
    active = ok(await client.get("/v1/sdk/purchases", params={"status": "active"}))["purchases"]
    assert [each["reference"] for each in active] == [second["purchaseRef"]]


async def test_a_usage_based_plan_is_activated_without_credits(client: Client) -> None:
    done = await activate(client, await plan(client, **PAY_AS_YOU_GO))
    assert (
        done | {"status": "activated", "creditBalance": 0, "creditsPerUnit": 100, "currency": "USD"} == done
    )


async def test_a_setting_wants_credits_first(tmp_path: Any) -> None:
    async with open_service(Settings(data=str(tmp_path / "d"), activation_topup_first=True)) as service:
        assert service.first_start is not None
        client = speak_to(service, service.first_start.secret)
        ref = await plan(client, **PAY_AS_YOU_GO)
        done = await activate(client, ref)
        assert done == {
            "status": "topup_required", "creditBalance": 0, "creditsPerUnit": 100, "currency": "USD",
        }  # fmt: skip
        await grant(client, 5)
        assert (await activate(client, ref))["status"] == "activated"


@pytest.mark.parametrize("kind", ["recurring", "hybrid", "one-time"])
async def test_what_costs_money_has_to_be_paid_first(client: Client, kind: str) -> None:
    done = await activate(client, await plan(client, type=kind, price=2999, basePrice=2999))
    assert done["status"] == "payment_required"
    assert done["checkoutUrl"].endswith(done["checkoutSessionId"])
    assert ok(await client.get("/v1/sdk/purchases"))["purchases"] == []


async def test_what_cannot_be_activated_says_so_with_200(client: Client) -> None:
    good = {"customerRef": CUSTOMER, "productRef": PRODUCT, "planRef": await plan(client)}
    archived = await plan(client, name="Old", status="archived")
    for wrong, message in (
        ({"customerRef": "cus_NONE"}, "Customer not found"),
        ({"productRef": "prd_NONE"}, "Product not found"),
        ({"planRef": "pln_NONE"}, "Plan not found"),
        ({"productRef": "prd_ai_assistant"}, "Plan not found"),
        ({"planRef": archived}, "Plan is not active"),
    ):
        done = ok(await client.post("/v1/sdk/activate", json=good | wrong))
        assert done == {"status": "invalid", "message": message}
    for field in good:
        assert set(faults(await client.post("/v1/sdk/activate", json=good | {field: ""}))) == {field}


async def test_a_cancelled_purchase_lasts_until_its_period_ends(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    bought = (await activate(client, await plan(client, limit=10)))["purchaseRef"]
    url = f"/v1/sdk/purchases/{bought}"
    done = ok(await client.post(f"{url}/cancel", json={"reason": "Too expensive"}))
    assert done["success"] is True
    found = done["purchase"]
    assert (found["status"], found["autoRenew"], found["cancellationReason"]) == (
        "active",
        False,
        "Too expensive",
    )
    assert (found["cancelledAt"], found["endDate"]) == (
        "2026-11-01T00:00:00.000Z",
        "2026-12-01T00:00:00.000Z",
    )
    assert (await limits(client))["withinLimits"] is True
    error(await client.post(f"{url}/cancel"), 400, "purchase_not_cancellable")
    clock.advance(timedelta(days=30))
    assert (await purchase(client, bought))["status"] == "cancelled"
    assert (await limits(client))["withinLimits"] is False
    error(await client.post(f"{url}/reactivate"), 400, "purchase_not_reactivable")


async def test_a_cancellation_can_be_undone_in_time(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    bought = (await activate(client, await plan(client, limit=10)))["purchaseRef"]
    url = f"/v1/sdk/purchases/{bought}"
    error(await client.post(f"{url}/reactivate"), 400, "purchase_not_reactivable")
    headers = {"content-type": "application/json"}
    ok(await client.post(f"{url}/cancel", content=b"", headers=headers))  # as one client sends it
    found = ok(await client.post(f"{url}/reactivate", headers=headers))["purchase"]
    assert ("cancelledAt" in found, found["autoRenew"]) == (False, True)
    clock.advance(timedelta(days=31))
    assert (await purchase(client, bought))["status"] == "active"


async def test_without_periods_cancelling_ends_at_once(client: Client) -> None:
    bought = (await activate(client, await plan(client, **PAY_AS_YOU_GO)))["purchaseRef"]
    assert ok(await client.post(f"/v1/sdk/purchases/{bought}/cancel"))["purchase"]["status"] == "cancelled"


async def test_purchases_of_nobody_and_nothing_are_404(client: Client, live: Client) -> None:
    bought = (await activate(client, await plan(client)))["purchaseRef"]
    error(await client.get("/v1/sdk/purchases/pur_NONE"), 404, "purchase_not_found")
    error(await live.get(f"/v1/sdk/purchases/{bought}"), 404, "purchase_not_found")
    error(await live.post(f"/v1/sdk/purchases/{bought}/cancel"), 404, "purchase_not_found")
    error(await client.get("/v1/sdk/purchases/customer/cus_NONE"), 404, "customer_not_found")
    error(await client.get("/v1/sdk/purchases/product/prd_NONE"), 404, "product_not_found")


async def test_free_purchases_can_be_left_out(client: Client) -> None:
    await activate(client, await plan(client, **FREE))
    assert len(ok(await client.get("/v1/sdk/purchases"))["purchases"]) == 1
    assert ok(await client.get("/v1/sdk/purchases", params={"includeFree": "false"}))["purchases"] == []


async def test_a_long_list_is_whole(client: Client) -> None:
    free = await plan(client, **FREE)
    refs = [f"cus_{number}" for number in range(230)]
    for ref in refs:
        ok(
            await client.post("/v1/sdk/customers", json={"reference": ref, "email": f"{ref}@example.com"}),
            201,
        )
        bought = (await activate(client, free, ref))["purchaseRef"]
        if int(ref[4:]) % 100 < 3:
            ok(await client.post(f"/v1/sdk/purchases/{bought}/cancel"))
    listed = ok(await client.get("/v1/sdk/purchases"))["purchases"]
    assert [each["customerRef"] for each in listed] == refs[::-1]
    assert listed == ok(await client.get(f"/v1/sdk/purchases/product/{PRODUCT}"))["purchases"]
    cancelled = [each["customerRef"] for each in listed if each.get("cancelledAt")]
    assert cancelled == [ref for ref in refs[::-1] if int(ref[4:]) % 100 < 3]
    for status, wanted in (("active", refs[::-1]), ("suspended", [])):
        listed = ok(await client.get("/v1/sdk/purchases", params={"status": status}))["purchases"]
        assert [each["customerRef"] for each in listed] == wanted


async def test_a_hybrid_purchase_says_what_its_overage_costs(client: Client) -> None:
    terms = {"type": "hybrid", "limit": 5, "overagePolicy": {"allowOverage": True, "overageRate": 150}}
    bought = (await activate(client, await plan(client, **terms)))["purchaseRef"]
    await track(client, units=8)
    used = (await purchase(client, bought))["usage"]
    assert (used["used"], used["overageUnits"], used["overageCost"]) == (8, 3, 4.5)


async def test_a_customer_session_lasts_fifteen_minutes(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    made = ok(await client.post("/v1/sdk/customers/customer-sessions", json={"customerRef": CUSTOMER}), 201)
    url = f"/v1/sdk/customers/customer-sessions/{made['sessionId']}"
    found = ok(await client.get(url))
    assert (found["status"], found["customer"]["reference"]) == ("active", CUSTOMER)
    assert found["customerUrl"] == made["customerUrl"]
    assert found["expiresAt"] == "2026-11-01T00:15:00.000Z"
    clock.advance(timedelta(minutes=15))
    assert ok(await client.get(url))["status"] == "expired"
    error(await client.get(f"{url[:-1]}x"), 404, "session_not_found")


async def test_a_session_of_another_scope_is_as_one_that_never_was(client: Client, live: Client) -> None:
    made = ok(await client.post("/v1/sdk/customers/customer-sessions", json={"customerRef": CUSTOMER}), 201)
    error(
        await live.get(f"/v1/sdk/customers/customer-sessions/{made['sessionId']}"), 404, "session_not_found"
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"productRef": PRODUCT}, "customerRef"),
        ({"customerRef": CUSTOMER}, "productRef"),
        ({"customerRef": CUSTOMER, "productRef": PRODUCT, "returnUrl": "javascript:alert(1)"}, "returnUrl"),
        ({"customerRef": CUSTOMER, "productRef": PRODUCT, "planRef": "p" * 21}, "planRef"),
        ({"customerRef": CUSTOMER, "purpose": "fun"}, "purpose"),
    ],
)
async def test_a_bad_checkout_is_refused_by_its_field(
    client: Client, body: dict[str, Any], field: str
) -> None:
    assert set(faults(await client.post("/v1/sdk/checkout-sessions", json=body))) == {field}


async def test_a_topup_needs_no_product(client: Client) -> None:
    body = {"customerRef": CUSTOMER, "purpose": "credit_topup"}
    assert len(ok(await client.post("/v1/sdk/checkout-sessions", json=body), 201)["sessionId"]) == 32


async def test_a_product_that_was_sold_is_deactivated_in_live_and_its_purchases_stay(live: Client) -> None:
    product = ok(await live.post("/v1/sdk/products", json={"name": "Sold"}), 201)["reference"]
    customer = ok(await live.post("/v1/sdk/customers", json={"email": "l@example.com"}), 201)["reference"]
    made = ok(await live.post(f"/v1/sdk/products/{product}/plans", json={"name": "Plan"}), 201)
    body = {"customerRef": customer, "productRef": product, "planRef": made["reference"]}
    bought = ok(await live.post("/v1/sdk/activate", json=body))["purchaseRef"]
    assert ok(await live.delete(f"/v1/sdk/products/{product}"))["action"] == "deactivated"
    assert (await purchase(live, bought))["status"] == "active"


async def test_each_period_is_told_with_its_use_and_what_it_had_room_for(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    rolling = await plan(client, limit=10, rolloverUnusedUnits=True, billingCycle="weekly")
    bought = (await activate(client, rolling))["purchaseRef"]
    await track(client, units=4)
    clock.advance(timedelta(days=14))
    await track(client, units=1)
    url = f"/v1/purchases/{bought}/periods"
    found = ok(await client.get(url))
    assert found["purchaseRef"] == bought
    assert [(each["periodStart"][:10], each["used"], each["limitUnits"]) for each in found["periods"]] == [
        ("2026-11-15", 1, 20), ("2026-11-08", 0, 16), ("2026-11-01", 4, 10),
    ]  # fmt: skip
    assert ok(await client.get(url, params={"limit": 1}))["periods"] == found["periods"][:1]
    assert (await purchase(client, bought))["usage"]["limitUnits"] == 20
    await activate(client, await plan(client, name="Other"))
    clock.advance(timedelta(days=70))
    assert ok(await client.get(url)) == found  # it has ended: no period follows


async def test_a_purchase_without_periods_or_limit_has_one_that_never_ends(client: Client) -> None:
    bought = (await activate(client, await plan(client, **PAY_AS_YOU_GO)))["purchaseRef"]
    (period,) = ok(await client.get(f"/v1/purchases/{bought}/periods"))["periods"]
    assert (set(period), period["used"]) == ({"periodStart", "used"}, 0)
    assert "limitUnits" not in (await purchase(client, bought))["usage"]


async def test_periods_of_no_purchase_are_not_found(client: Client) -> None:
    error(await client.get("/v1/purchases/pur_none/periods"), 404, "purchase_not_found")
    assert list(faults(await client.get("/v1/purchases/pur_none/periods", params={"limit": 0}))) == ["limit"]


async def test_an_ended_purchase_shows_its_last_period(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    bought = (await activate(client, await plan(client, limit=10, billingCycle="weekly")))["purchaseRef"]
    clock.advance(timedelta(days=8))
    await track(client, units=4)
    ok(await client.post(f"/v1/sdk/purchases/{bought}/cancel"))
    clock.advance(timedelta(days=6))
    shown = await purchase(client, bought)
    assert (shown["status"], shown["endDate"][:10], shown["usage"]["used"]) == ("cancelled", "2026-11-15", 4)
    assert (shown["usage"]["periodStart"][:10], shown["usage"]["periodEnd"][:10]) == (
        "2026-11-08",
        "2026-11-15",
    )
    clock.advance(timedelta(days=60))
    assert await purchase(client, bought) == shown
