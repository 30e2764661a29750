"""Payment intents and cards over HTTP (contract §3.7), on the sandbox's processor."""

from pathlib import Path
from typing import Any

import pytest

from meterhouse.metering.payment_sweep import PaymentSweep
from meterhouse.settings import Settings
from meterhouse.wiring import open_service
from tests.conftest import Client, speak_to
from tests.flow.answers import error, faults, ok
from tests.flow.payer import INTENTS, confirm, intent, process, topup
from tests.flow.shop import CUSTOMER, PRODUCT, balance, plan


async def test_an_intent_asks_for_the_plans_price(client: Client) -> None:
    pro = await plan(client, price=1900, setupFee=100)
    made = await intent(client, planRef=pro)
    assert made["processorPaymentId"].startswith("pi_")
    assert made["clientSecret"].startswith(made["processorPaymentId"] + "_secret_")
    assert made["publishableKey"] == "pk_test_sandbox"
    assert (made["amount"], made["originalAmount"], made["currency"], made["exchangeRate"]) == (
        2000, 2000, "usd", 1,
    )  # fmt: skip
    assert (made["status"], made["planRef"], made["customerRef"]) == (
        "requires_payment_method", pro, CUSTOMER,
    )  # fmt: skip
    assert ok(await client.get(f"{INTENTS}/{made['processorPaymentId']}")) == made
    listed = ok(await client.get(INTENTS))
    assert listed["total"] == 1
    assert listed["paymentIntents"][0]["processorPaymentId"] == made["processorPaymentId"]
    assert ok(await client.get(INTENTS, params={"offset": 1})) == {"paymentIntents": [], "total": 0}


async def test_the_currency_is_one_the_plan_is_sold_in(client: Client) -> None:
    options = [{"currency": "USD", "price": 1900, "default": True}, {"currency": "EUR", "price": 1800}]
    pro = await plan(client, pricingOptions=options)
    euros = await intent(client, planRef=pro, currency="eur")
    assert (euros["amount"], euros["currency"]) == (1800, "eur")
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT, "planRef": pro, "currency": "SEK"}
    refused = await client.post(INTENTS, json=body, headers={"idempotency-key": "other"})
    assert faults(refused) == {"currency": "currency not supported; the plan is sold in USD, EUR"}
    await confirm(client, euros)
    bought = ok(await process(client, euros))["purchase"]
    assert (bought["amount"], bought["currency"], bought["planSnapshot"]["price"]) == (1800, "EUR", 1800)


async def test_without_a_key_nothing_is_asked_for(client: Client) -> None:
    refused = await client.post(INTENTS, json={"customerRef": CUSTOMER})
    assert faults(refused) == {"idempotencyKey": "idempotency-key header is required"}


async def test_the_same_key_asks_once(client: Client) -> None:
    first = await topup(client)
    assert await topup(client) == first
    await confirm(client, first)
    assert (await topup(client))["status"] == "succeeded"
    body = {"customerRef": CUSTOMER, "purpose": "credit_topup", "amount": 9900, "currency": "usd"}
    error(
        await client.post(INTENTS, json=body, headers={"idempotency-key": "key"}), 409, "idempotency_conflict"
    )
    assert ok(await client.get(INTENTS))["total"] == 1


async def test_a_plan_is_given_once_it_is_paid_and_only_once(client: Client) -> None:
    pro = await plan(client, price=1900)
    made = await intent(client, planRef=pro)
    refused = error(await process(client, made), 400, "payment_not_succeeded")
    assert refused["message"] == "Payment not succeeded. Status: requires_payment_method"
    assert (await confirm(client, made))["status"] == "succeeded"
    done = ok(await process(client, made, planRef=pro, productRef=PRODUCT))
    assert (done["status"], done["type"], done["purchase"]["planRef"]) == ("succeeded", "recurring", pro)
    assert done["purchase"]["paidAt"]
    assert ok(await process(client, made)) == done
    assert len(ok(await client.get("/v1/sdk/purchases"))["purchases"]) == 1


async def test_a_payment_gives_nothing_again_after_its_purchase_has_ended(client: Client) -> None:
    made = await intent(client, planRef=await plan(client, price=1900))
    await confirm(client, made)
    bought = ok(await process(client, made))["purchase"]["reference"]
    ok(await client.post(f"/v1/sdk/purchases/{bought}/cancel"))
    assert ok(await process(client, made))["purchase"]["reference"] == bought
    assert len(ok(await client.get("/v1/sdk/purchases"))["purchases"]) == 1


@pytest.fixture
def resting_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the sweep that gives what succeeded payments pay for a second after they succeed."""

    async def rest(_: PaymentSweep) -> None:
        pass

    monkeypatch.setattr(PaymentSweep, "run", rest)


@pytest.mark.usefixtures("resting_sweep")
async def test_a_customer_that_was_deleted_is_given_nothing(client: Client) -> None:
    pro = await plan(client, price=1900)
    unpaid, paid = await intent(client, planRef=pro), await intent(client, "other", planRef=pro)
    await confirm(client, paid)
    ok(await client.delete(f"/v1/sdk/customers/{CUSTOMER}"))
    path = f"/v1/payment-intents/{unpaid['processorPaymentId']}/confirm"
    error(await client.post(path, json={"clientSecret": unpaid["clientSecret"]}), 404, "customer_not_found")
    error(await process(client, unpaid), 400, "payment_not_succeeded")
    error(await process(client, paid), 404, "customer_not_found")
    assert ok(await client.get("/v1/sdk/purchases"))["purchases"] == []


async def test_a_grant_with_a_payments_id_for_a_key_takes_no_credits_from_it(client: Client) -> None:
    made = await topup(client)
    bonus = {"credits": 5, "idempotencyKey": made["processorPaymentId"]}
    ok(await client.post(f"/v1/sdk/customers/{CUSTOMER}/credits", json=bonus))
    await confirm(client, made)
    for _ in range(2):
        assert ok(await process(client, made))["creditsAdded"] == 250_000
        assert await balance(client) == 250_005


async def test_the_next_owner_of_a_ref_is_given_nothing_of_the_last_one(client: Client) -> None:
    made, paid = await topup(client, key="late"), await topup(client, key="paid")
    await confirm(client, paid)
    ok(await client.delete(f"/v1/sdk/customers/{CUSTOMER}"))
    error(await process(client, paid), 404, "customer_not_found")
    new = {"email": "next@b.example", "reference": CUSTOMER}
    ok(await client.post("/v1/sdk/customers", json=new), 201)
    error(await process(client, paid), 404, "customer_not_found")
    await confirm(client, made)
    error(await process(client, made), 404, "customer_not_found")
    assert await balance(client) == 0
    card = await client.get("/v1/sdk/payment-method", params={"customerRef": CUSTOMER})
    assert ok(card) == {"kind": "none"}
    own = await topup(client, key="own")
    await confirm(client, own)
    ok(await process(client, own))
    assert await balance(client) == 250_000


async def test_a_one_time_purchase_says_so(client: Client) -> None:
    made = await intent(client, planRef=await plan(client, type="one-time", price=9900))
    await confirm(client, made)
    done = ok(await process(client, made))
    assert (done["status"], done["type"]) == ("succeeded", "one-time")
    bought = done["oneTimePurchase"]
    assert (bought["amount"], bought["currency"], bought["productRef"]) == (9900, "USD", PRODUCT)
    assert bought["completedAt"]


async def test_what_was_declined_may_be_tried_again(client: Client) -> None:
    made = await topup(client)
    declined = await confirm(client, made, "decline")
    assert (declined["status"], declined["failure"]) == (
        "requires_payment_method", "The card was declined. Nothing was paid.",
    )  # fmt: skip
    error(await process(client, made), 400, "payment_not_succeeded")
    assert await balance(client) == 0
    await confirm(client, made)
    assert (await confirm(client, made, "decline"))["status"] == "succeeded"  # it stays paid
    assert ok(await process(client, made)) == {"status": "succeeded", "creditsAdded": 250_000}


async def test_a_top_up_gives_credits_exactly_once(client: Client) -> None:
    made = await topup(client)
    await confirm(client, made)
    await confirm(client, made)
    for _ in range(2):
        assert ok(await process(client, made)) == {"status": "succeeded", "creditsAdded": 250_000}
    assert await balance(client) == 250_000
    (move,) = ok(await client.get(f"/v1/customers/{CUSTOMER}/credits"))["items"]
    assert (move["type"], move["amount"], move["idempotencyKey"]) == (
        "TOPUP", 250_000, made["processorPaymentId"],
    )  # fmt: skip


async def test_a_bill_for_usage_is_paid_and_moves_nothing(client: Client) -> None:
    made = await intent(client, purpose="usage_billing", amount=700, currency="eur")
    await confirm(client, made)
    assert ok(await process(client, made)) == {"status": "succeeded"}
    assert await balance(client) == 0


async def test_the_card_is_known_once_it_has_paid(client: Client) -> None:
    path = "/v1/sdk/payment-method"
    assert ok(await client.get(path, params={"customerRef": CUSTOMER})) == {"kind": "none"}
    await confirm(client, await topup(client))
    assert ok(await client.get(path, params={"customerRef": CUSTOMER})) == {
        "kind": "card", "brand": "visa", "last4": "4242", "expMonth": 12, "expYear": 2034,
    }  # fmt: skip
    error(await client.get(path, params={"customerRef": "cus_nobody"}), 404, "customer_not_found")
    assert list(faults(await client.get(path))) == ["customerRef"]


async def test_no_tax_is_collected(client: Client) -> None:
    path = f"{INTENTS}/{(await topup(client))['processorPaymentId']}/business-details"
    body = {"isBusiness": True, "country": "SE", "taxId": "SE556012579001"}
    assert ok(await client.post(path, json=body))["taxBreakdown"] == {
        "subtotal": 2500, "taxAmount": 0, "taxRate": 0, "treatment": "not_collecting", "total": 2500,
        "currency": "usd", "inclusive": False,
    }  # fmt: skip
    assert faults(await client.post(path, json={})) == {"isBusiness": "is required"}
    assert list(faults(await client.post(path, json=body | {"country": "Sweden"}))) == ["country"]
    unknown = await client.post(f"{INTENTS}/pi_none/business-details", json=body)
    error(unknown, 404, "PAYMENT_INTENT_NOT_FOUND")


async def test_an_unknown_intent_has_the_contracts_own_answer(client: Client, stranger: Client) -> None:
    made = await topup(client)
    for who, ref in ((client, "pi_none"), (stranger, made["processorPaymentId"])):
        refused = error(await who.get(f"{INTENTS}/{ref}"), 404, "PAYMENT_INTENT_NOT_FOUND")
        assert (refused["success"], refused["error"]) == (False, "Payment intent not found")
        error(
            await who.post(f"{INTENTS}/{ref}/process", json={"customerRef": CUSTOMER}),
            404, "PAYMENT_INTENT_NOT_FOUND",
        )  # fmt: skip


async def test_only_who_has_the_secret_may_pay(client: Client, nobody: Client) -> None:
    made = await topup(client)
    path = f"/v1/payment-intents/{made['processorPaymentId']}/confirm"
    for ref, secret in ((made["processorPaymentId"], "guess"), ("pi_none", made["clientSecret"])):
        body = {"clientSecret": secret, "outcome": "success"}
        refused = await nobody.post(f"/v1/payment-intents/{ref}/confirm", json=body)
        error(refused, 404, "PAYMENT_INTENT_NOT_FOUND")
    assert faults(await nobody.post(path, json={})) == {"clientSecret": "is required"}
    assert list(faults(await nobody.post(path, json={"clientSecret": "x", "outcome": "maybe"}))) == [
        "outcome"
    ]
    assert (await confirm(nobody, made))["status"] == "succeeded"


TOPUP = {"customerRef": CUSTOMER, "purpose": "credit_topup", "amount": 500, "currency": "usd"}


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, {"customerRef", "productRef", "planRef"}),
        ({"customerRef": "c" * 21, "productRef": "p", "planRef": ""}, {"customerRef", "planRef"}),
        ({"customerRef": CUSTOMER, "purpose": "credit_topup"}, {"amount", "currency"}),
        (TOPUP | {"amount": 99}, {"amount"}),
        (TOPUP | {"amount": 10_000_001}, {"amount"}),
        (TOPUP | {"amount": 100.5}, {"amount"}),
        (TOPUP | {"amount": "500"}, {"amount"}),
        (TOPUP | {"currency": "eur"}, {"currency"}),
        (TOPUP | {"purpose": "usage_billing", "currency": "euro"}, {"currency"}),
        (TOPUP | {"purpose": "gift"}, {"purpose"}),
        (TOPUP | {"description": "x" * 501}, {"description"}),
    ],
)
async def test_a_bad_request_names_every_field(client: Client, body: dict[str, Any], paths: set[str]) -> None:
    refused = await client.post(INTENTS, json=body, headers={"idempotency-key": "key"})
    assert faults(refused).keys() == paths


async def test_an_integral_float_is_a_whole_amount(client: Client) -> None:
    assert (await topup(client, 2500.0))["amount"] == 2500


async def test_only_what_is_for_sale_can_be_paid_for(client: Client) -> None:
    free, old = await plan(client), await plan(client, price=500, status="inactive")
    pro = await plan(client, price=1900)
    refs = {"customerRef": CUSTOMER, "productRef": PRODUCT, "planRef": pro}
    for wrong, path in (({"planRef": free}, "planRef"), ({"planRef": old}, "planRef"),
                        ({"amount": 1800}, "amount")):  # fmt: skip
        refused = await client.post(INTENTS, json=refs | wrong, headers={"idempotency-key": "key"})
        assert list(faults(refused)) == [path]
    for wrong, code in (
        ({"planRef": "pln_none"}, "plan_not_found"),
        ({"productRef": "prd_none"}, "product_not_found"),
        ({"customerRef": "cus_nobody"}, "customer_not_found"),
    ):
        error(await client.post(INTENTS, json=refs | wrong, headers={"idempotency-key": "key"}), 404, code)


async def test_processing_for_somebody_or_something_else_is_refused(client: Client) -> None:
    made = await intent(client, planRef=await plan(client, price=1900))
    for path in ("customerRef", "productRef", "planRef"):
        assert faults(await process(client, made, **{path: "other"})) == {
            path: "is not that of this payment intent"
        }


async def test_live_takes_no_payment_until_it_is_configured(live: Client) -> None:
    refused = await live.post(INTENTS, json=TOPUP, headers={"idempotency-key": "key"})
    assert "METERHOUSE_STRIPE_SECRET_KEY" in error(refused, 400, "payments_not_configured")["message"]
    assert "stripePublishableKey" not in ok(await live.get("/v1/sdk/platform-config"))


async def test_half_a_configuration_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="METERHOUSE_STRIPE_PUBLISHABLE_KEY"):
        async with open_service(Settings(data=str(tmp_path), stripe_secret_key="sk_live_x")):
            pass


async def test_an_intent_outlives_the_server(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path))
    async with open_service(settings) as service:
        assert service.first_start is not None
        secret = service.first_start.secret
        made = await topup(speak_to(service, secret))
    async with open_service(settings) as service:
        client = speak_to(service, secret)
        await confirm(client, made)
        ok(await process(client, made))
        assert await balance(client) == 250_000
