"""What ends and what goes on when something that was sold is deleted: a product, a plan."""

from datetime import timedelta

from meterhouse.wiring import Service
from tests.conftest import Client
from tests.contract.catalogs import Clock
from tests.flow.answers import error, ok
from tests.flow.shop import (
    CUSTOMER,
    FREE,
    PAY_AS_YOU_GO,
    PRODUCT,
    activate,
    balance,
    grant,
    limits,
    plan,
    reserve,
    settle,
    track,
    usage_of,
    with_credits,
)
from tests.flow.visitor import opened, purchases

URL = f"/v1/sdk/products/{PRODUCT}"
NEW = {"name": "Content API", "reference": PRODUCT}


async def create_again(client: Client) -> None:
    ok(await client.delete(URL))
    ok(await client.post("/v1/sdk/products", json=NEW), 201)


async def test_who_gets_a_deleted_products_reference_inherits_no_purchase(client: Client) -> None:
    old = await with_credits(client, 1_000)
    await track(client, units=2)
    await create_again(client)
    found = await limits(client)
    assert (found["withinLimits"], found["remaining"], "plan" in found) == (False, 0, False)
    assert (await track(client))["creditDebit"] == {"debited": False, "reason": "no_active_purchase"}
    ((ref, status),) = [(each["reference"], each["status"]) for each in await purchases(client)]
    assert (ref, status) == (old, "expired")
    new = (await activate(client, await plan(client, **PAY_AS_YOU_GO, reference="pln_new")))["purchaseRef"]
    assert new != old
    assert ((await usage_of(client, new))["used"], (await limits(client))["remaining"]) == (0, 8)


async def test_what_is_paid_for_once_the_product_is_forgotten_is_not_of_the_next_one(
    client: Client, nobody: Client
) -> None:
    refs = {"customerRef": CUSTOMER, "productRef": PRODUCT, "planRef": await plan(client, price=500)}
    headers = {"idempotency-key": "k"}
    asked = ok(await client.post("/v1/sdk/payment-intents", json=refs, headers=headers), 201)
    ok(await client.delete(URL))
    paid = {"clientSecret": asked["clientSecret"], "outcome": "success"}
    ok(await nobody.post(f"/v1/payment-intents/{asked['processorPaymentId']}/confirm", json=paid))
    ok(await client.post(f"/v1/sdk/payment-intents/{asked['processorPaymentId']}/process", json=refs))
    ok(await client.post("/v1/sdk/products", json=NEW), 201)
    assert "plan" not in await limits(client)


async def test_a_deleted_product_is_not_known_to_any_route_and_its_usage_counts_for_nothing(
    service: Service, client: Client
) -> None:
    old = await with_credits(client, 1_000)
    ok(await client.delete(URL))
    refs = {"customerRef": CUSTOMER, "productRef": PRODUCT}
    for body in (refs, refs | {"reserve": {"units": 1}}):
        error(await client.post("/v1/sdk/limits", json=body), 404, "product_not_found")
    assert await activate(client, "pln_any") == {"status": "invalid", "message": "Product not found"}
    for said in ({}, {"purchaseRef": old}):
        assert (await track(client, **said))["creditDebit"]["reason"] == "no_active_purchase"
    assert ((await usage_of(client, old))["used"], await balance(client)) == (0, 1_000)
    await service.catch_up()
    events = ok(await client.get("/v1/events", params={"kind": "meter", "productRef": PRODUCT}))["events"]
    assert len(events) == 2  # stored all the same


async def test_an_open_hold_of_a_deleted_product_is_settled_in_full(client: Client) -> None:
    old = await with_credits(client, 1_000)
    hold, other = await reserve(client, 4), await reserve(client, 2)
    await create_again(client)
    done = await settle(client, hold, 3)
    assert (done["units"], done["overLimitUnits"]) == (3, 0)
    assert done["creditDebit"] == {"debited": True, "amount": 300, "unitsRemaining": 5}
    assert ((await usage_of(client, old))["used"], await balance(client)) == (3, 700)
    ok(await client.post(f"/v1/sdk/holds/{other['holdRef']}/release"))
    new = (await activate(client, await plan(client, **PAY_AS_YOU_GO, reference="pln_new")))["purchaseRef"]
    assert (await usage_of(client, new))["used"] == 0
    assert (await limits(client))["creditBalance"] == 700


async def test_in_live_a_product_that_was_sold_stays_and_is_sold_no_more(live: Client) -> None:
    for path, new in (("customers", {"reference": CUSTOMER, "email": "l@example.com"}), ("products", NEW)):
        ok(await live.post(f"/v1/sdk/{path}", json=new), 201)
    free, other = await plan(live, **FREE), await plan(live, name="Other", status="archived")
    bought = (await activate(live, free))["purchaseRef"]
    hold = await reserve(live, 3)
    assert ok(await live.delete(URL)) == {"success": True, "action": "deactivated"}
    product = ok(await live.get(URL))
    assert (product["status"], [each["status"] for each in product["plans"]]) == (
        "inactive", ["inactive", "archived"],
    )  # fmt: skip
    assert other == product["plans"][1]["reference"]
    await track(live, units=2)
    await settle(live, hold, 3)
    found = await limits(live)
    assert (found["withinLimits"], found["remaining"], found["plan"]) == (True, 5, free)
    assert (await usage_of(live, bought))["used"] == 5
    newcomer = ok(await live.post("/v1/sdk/customers", json={"email": "n@example.com"}), 201)["reference"]
    assert (await activate(live, free, newcomer))["message"] == "Product is not active"
    await plan(live, name="Latest", default=True, limit=10)
    found = await limits(live, customerRef=newcomer)  # nor is it enrolled
    assert (found["withinLimits"], "plan" in found) == (False, False)
    error(await live.post("/v1/sdk/products", json=NEW | {"name": "Another"}), 409, "reference_exists")


async def test_what_was_bought_of_a_deleted_plan_goes_on(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    ref = await plan(client, limit=10, reference="pln_gone", name="Gone")
    bought = (await activate(client, ref))["purchaseRef"]
    await track(client, units=4)
    ok(await client.delete(f"{URL}/plans/{ref}"))
    await plan(client, limit=2, reference="pln_gone", name="Another")  # of the same ref, in sandbox
    found = await limits(client)
    assert (found["withinLimits"], found["remaining"], found["plan"]) == (True, 6, ref)
    assert (await track(client))["creditDebit"]["reason"] == "plan_not_credit_based"
    (shown,) = await purchases(client)
    assert (shown["status"], shown["planSnapshot"]["name"]) == ("active", "Gone")
    clock.advance(timedelta(days=30))  # it renews, on the terms it was bought on
    assert (await limits(client))["remaining"] == 10
    url = f"/v1/sdk/purchases/{bought}"
    for action in ("cancel", "reactivate"):
        assert ok(await client.post(f"{url}/{action}"))["purchase"]["planRef"] == ref
    clock.advance(timedelta(days=30))
    assert (await limits(client))["withinLimits"] is True


async def test_a_deleted_plan_cannot_be_bought_and_enrols_nobody(client: Client, nobody: Client) -> None:
    ref = await plan(client, **FREE)
    page = await opened(client, nobody, planRef=ref)
    ok(await client.delete(f"{URL}/plans/{ref}"))
    assert await activate(client, ref) == {"status": "invalid", "message": "Plan not found"}
    assert "plan" not in await limits(client)
    error(await page.send("select-plan", planRef=ref), 404, "plan_not_found")
    assert await purchases(client) == []


async def test_a_debit_after_a_deleted_plan_is_at_the_price_that_was_bought(client: Client) -> None:
    await grant(client, 1_000)
    ref = await plan(client, **PAY_AS_YOU_GO)
    await activate(client, ref)
    ok(await client.put(f"{URL}/plans/{ref}", json={"creditsPerUnit": 7}))
    ok(await client.delete(f"{URL}/plans/{ref}"))
    assert (await track(client))["creditDebit"] == {"debited": True, "amount": 100, "unitsRemaining": 9}
