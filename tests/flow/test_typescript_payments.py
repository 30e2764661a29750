"""What the TypeScript SDK sends about plans and payments, and the fields that it reads in the answers."""

from datetime import timedelta
from typing import Any

import pytest

from meterhouse.model.merchant import Merchant
from meterhouse.model.tenant import Caller, Environment
from meterhouse.settings import Settings
from meterhouse.wiring import Service, open_service
from tests.conftest import Client, speak_to
from tests.contract.catalogs import Clock
from tests.flow.answers import error, faults, ok
from tests.flow.payer import INTENTS, confirm, intent, process, topup
from tests.flow.shop import CUSTOMER, PLANS, PRODUCT, activate, balance, limits, made_plan, plan, track
from tests.flow.visitor import opened
from tests.flow.waiting import until_equal

PAYG = {"name": "Pay as you go", "type": "usage-based", "price": 0, "creditsPerUnit": 10}


async def sold_by(service: Service, **merchant: Any) -> None:
    scope = await service.catalog.providers.scope("default", Environment.SANDBOX)
    shown = Merchant(display_name="Acme", legal_name="Acme", **merchant)
    await service.catalog.providers.show_as(Caller(scope, "cli"), shown)


async def snapshot_of(client: Client, plan_ref: str) -> dict[str, Any]:
    bought = (await activate(client, plan_ref))["purchaseRef"]
    customer = ok(await client.get(f"/v1/sdk/customers/{CUSTOMER}"))
    (found,) = (each for each in customer["purchases"] if each["reference"] == bought)
    snapshot: dict[str, Any] = found["planSnapshot"]
    return snapshot


@pytest.mark.parametrize("unlimited", [{"name": "Unlimited", "limit": 0}, {"name": "Unlimited"}, PAYG])
async def test_an_unlimited_plans_snapshot_has_no_limit(client: Client, unlimited: dict[str, Any]) -> None:
    """The SDK subtracts the usage from the limit: 0 would read as used up."""
    assert "limit" not in await snapshot_of(client, await plan(client, **unlimited))


@pytest.mark.parametrize("limited", [{"limit": 7}, {"freeUnits": 7}, {"limit": 7, "freeUnits": 3}])
async def test_a_snapshots_limit_is_the_one_that_is_enforced(client: Client, limited: dict[str, int]) -> None:
    assert (await snapshot_of(client, await plan(client, **limited)))["limit"] == 7
    assert (await limits(client))["remaining"] == 7


async def test_the_customers_page_says_null_where_there_is_no_limit(client: Client, nobody: Client) -> None:
    await activate(client, await plan(client, name="Unlimited"))
    await track(client, units=3)
    own = ok(await client.post("/v1/sdk/customers/customer-sessions", json={"customerRef": CUSTOMER}), 201)
    page = ok(await nobody.get(f"/v1/customer-sessions/{own['sessionId']}"))
    assert page["purchases"][0]["usage"] == {
        "used": 3, "remaining": None, "total": None, "percentUsed": None,
    }  # fmt: skip


async def test_a_topup_raises_the_balance_when_it_is_processed(client: Client) -> None:
    """The SDK reads the balance, sends `process`, and reads the balance until it has risen."""
    body = {"customerRef": CUSTOMER, "purpose": "credit_topup", "amount": 1000, "currency": "USD"}
    made = ok(await client.post(INTENTS, json=body, headers={"idempotency-key": "topup-1-a"}), 201)
    await confirm(client, made)
    before = await balance(client)
    path = f"{INTENTS}/{made['processorPaymentId']}/process"
    done = ok(await client.post(path, json={"customerRef": CUSTOMER}))
    assert (done["status"], done["creditsAdded"]) == ("succeeded", 100_000)
    assert await balance(client) - before == 100_000


async def test_a_paid_topup_that_nobody_processes_is_given_a_second_later(
    timed: tuple[Clock, Client],
) -> None:
    clock, client = timed
    made = await topup(client, 1000)
    await confirm(client, made)
    assert await balance(client) == 0
    clock.advance(timedelta(seconds=1))
    await until_equal(lambda: balance(client), 100_000)
    assert ok(await process(client, made)) == {"status": "succeeded", "creditsAdded": 100_000}
    assert await balance(client) == 100_000


async def test_a_topup_is_paid_in_the_merchants_currency(
    service: Service, client: Client, nobody: Client
) -> None:
    await sold_by(service, default_currency="eur")
    merchant = ok(await client.get("/v1/sdk/merchant"))
    currency = merchant["defaultCurrency"].upper()
    body = {"customerRef": CUSTOMER, "purpose": "credit_topup", "amount": 1000, "currency": currency}
    made = ok(await client.post(INTENTS, json=body, headers={"idempotency-key": "topup-1-b"}), 201)
    assert (made["amount"], made["originalAmount"], made["currency"]) == (1000, 1000, "eur")
    await confirm(client, made)
    assert ok(await process(client, made))["creditsAdded"] == 100_000
    refused = await client.post(INTENTS, json=body | {"currency": "USD"}, headers={"idempotency-key": "c"})
    assert faults(refused) == {"currency": "must be EUR, in which credits are sold"}
    page = await opened(client, nobody, purpose="credit_topup")
    assert (await page.does("select-topup-amount", amount=500))["currency"] == "EUR"
    assert list(faults(await page.send("select-topup-amount", amount=500, currency="usd"))) == ["currency"]


async def test_each_currency_buys_the_credits_that_the_seller_has_set(
    service: Service, client: Client, nobody: Client
) -> None:
    await sold_by(
        service, default_currency="USD", supported_topup_currencies=("USD", "SEK"),
        credits_per_minor_unit={"SEK": 10},
    )  # fmt: skip
    page = await opened(client, nobody, purpose="credit_topup")
    chosen = await page.does("select-topup-amount", amount=5000, currency="sek")
    assert (chosen["amount"], chosen["currency"], chosen["credits"]) == (5000, "SEK", 50_000)
    await sold_by(service, default_currency="USD")  # what was chosen is no longer sold
    error(await page.send("pay", outcome="success"), 400, "validation_failed")
    await sold_by(service, supported_topup_currencies=("SEK",), credits_per_minor_unit={"SEK": 20})
    assert (await page.does("pay", outcome="success"))["creditBalance"] == 100_000


async def test_a_price_changed_after_the_intent_does_not_change_its_credits(
    service: Service, client: Client
) -> None:
    made = await topup(client, 1000)
    await sold_by(service, default_currency="USD", credits_per_minor_unit={"USD": 50})
    await confirm(client, made)
    assert ok(await process(client, made))["creditsAdded"] == 100_000


@pytest.mark.parametrize(("topup_first", "activation"), [(False, "activated"), (True, "topup_required")])
async def test_an_intent_for_a_free_usage_based_plan_says_what_activate_says(
    tmp_path: Any, *, topup_first: bool, activation: str
) -> None:
    settings = Settings(data=str(tmp_path / "own"), activation_topup_first=topup_first)
    async with open_service(settings) as service:
        assert service.first_start is not None
        client = speak_to(service, service.first_start.secret)
        payg = await plan(client, **PAYG)
        body = {"customerRef": CUSTOMER, "productRef": PRODUCT, "planRef": payg}
        refused = await client.post(INTENTS, json=body, headers={"idempotency-key": "payment-1"})
        sentence = faults(refused)["planRef"]
        assert "activate it" in sentence
        assert "credit_topup" in sentence
        assert (await activate(client, payg))["status"] == activation
        made = await intent(client, "payment-2", planRef=payg, amount=1000)
        assert made["amount"] == 1000
        await confirm(client, made)
        done = ok(await process(client, made, planRef=payg, productRef=PRODUCT))
        assert (done["creditsAdded"], done["purchase"]["planRef"]) == (100_000, payg)
        assert done["purchase"]["status"] == "active"
        assert await balance(client) == 100_000
        assert (await activate(client, payg))["status"] == "already_active"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({}, "Recurring plan"),
        ({"type": "usage-based"}, "Usage-based plan"),
        ({"type": "one-time", "price": 100}, "One-time plan"),
        ({"type": "hybrid", "basePrice": 100}, "Hybrid plan"),
        ({"type": "unheard-of"}, "Recurring plan"),
        ({"name": None}, "Recurring plan"),
        ({"name": "A"}, "A"),
    ],
)
async def test_a_plan_without_a_name_is_named_by_its_type(
    client: Client, said: dict[str, Any], name: str
) -> None:
    made = ok(await client.post(PLANS, json=said | {"productRef": PRODUCT}), 201)
    assert made["name"] == name
    assert ok(await client.get(f"{PLANS}/{made['reference']}"))["name"] == name


async def test_features_may_be_a_list_of_texts(client: Client, nobody: Client) -> None:
    features = ["10 requests", "Priority support", "C# client"]
    made = await made_plan(
        client, name="SDK Test Plan", productRef=PRODUCT, isFreeTier=True, freeUnits=5, features=features
    )
    assert (made["features"], made["isFreeTier"]) == (features, True)
    assert (await snapshot_of(client, made["reference"]))["features"] == features
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT}
    info = ok(await client.post("/v1/sdk/user-info", json=body))
    assert info["purchase"]["plan"]["features"] == features
    page = await opened(client, nobody)
    (offer,) = ok(await nobody.get(f"{page.path}/plans"))["plans"]
    assert offer["features"] == features
    changed = await client.put(f"{PLANS}/{made['reference']}", json=made | {"features": {"seats": 3}})
    assert (ok(changed)["features"], ok(changed)["isFreeTier"]) == ({"seats": 3}, True)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/v1/sdk/checkout-sessions", "checkoutUrl"),
        ("/v1/sdk/customers/customer-sessions", "customerUrl"),
    ],
)
async def test_a_key_whose_link_has_expired_opens_a_new_one(
    timed: tuple[Clock, Client], path: str, url: str
) -> None:
    clock, client = timed
    body, key = {"customerRef": CUSTOMER, "productRef": PRODUCT}, {"idempotency-key": "order-7"}
    seen = []
    for _ in range(3):
        first, again = [ok(await client.post(path, json=body, headers=key), 201) for _ in range(2)]
        assert first == again
        public = f"{path.replace('/sdk', '').replace('/customers', '')}/{first['sessionId']}"
        assert ok(await client.get(public))["status"] == "active"
        seen.append((first["sessionId"], first[url]))
        clock.advance(timedelta(minutes=15))
        assert ok(await client.get(public))["status"] == "expired"
    assert len(set(seen)) == 3
    other = await client.post(path, json=body | {"productRef": "prd_ai_assistant"}, headers=key)
    error(other, 409, "idempotency_conflict")


async def test_a_used_up_plan_is_still_named_as_the_customers_plan(client: Client) -> None:
    used_up = await plan(client, name="Small", limit=1)
    bought = await activate(client, used_up)
    await track(client, units=1)
    found = await limits(client, includeCheckoutSession=True)
    assert (found["withinLimits"], found["remaining"], found["plan"]) == (False, 0, used_up)
    assert "activationRequired" not in found
    refused = await limits(client, reserve={"units": 1})
    assert (refused["withinLimits"], refused["plan"]) == (False, used_up)
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT}
    info = ok(await client.post("/v1/sdk/user-info", json=body))
    assert info["status"] == "Active subscription: Content API (100% usage consumed)"
    assert info["purchase"]["reference"] == bought["purchaseRef"]


@pytest.mark.parametrize(
    "name",
    [
        "O\u2019Reilly",
        "Yahoo!",
        "C# Corp",
        "प्रिया शर्मा",
        "Zoe\u0308 Mu\u0308ller",
        "👩\u200d👩\u200d👧 Family",
        "<b>&\"'",
    ],
)
async def test_names_are_answered_as_they_were_given(client: Client, name: str) -> None:
    customer = {"email": "name@example.com", "name": name, "description": f"{name}\n{name}"}
    made = ok(await client.post("/v1/sdk/customers", json=customer), 201)
    assert (made["name"], made["description"]) == (name, f"{name}\n{name}")
    found = ok(await client.get("/v1/customers", params={"search": name}))["customers"]
    assert [each["name"] for each in found] == [name]
    product = ok(await client.post("/v1/sdk/products", json={"name": name}), 201)
    assert product["name"] == name
    assert (await made_plan(client, name=name, description=name))["name"] == name


async def test_an_external_ref_has_1_to_255_characters(client: Client) -> None:
    for i, ref in enumerate(("x", "f" * 64, "samlp|corporate|" + "ü" * 239)):
        made = {"email": f"{i}@example.com", "externalRef": ref}
        reference = ok(await client.post("/v1/sdk/customers", json=made), 201)["reference"]
        found = ok(await client.get("/v1/sdk/customers", params={"externalRef": ref}))
        assert (found["reference"], found["externalRef"]) == (reference, ref)
    longer = {"email": "long@example.com", "externalRef": "x" * 256}
    assert faults(await client.post("/v1/sdk/customers", json=longer)) == {
        "externalRef": "must have at most 255 characters"
    }
