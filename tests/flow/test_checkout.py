"""The hosted checkout's companion API (contract §3.7): the session id is the credential."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from meterhouse.settings import Settings
from meterhouse.wiring import open_service
from tests.conftest import Client, speak_to
from tests.contract.catalogs import Clock
from tests.flow.answers import error, faults, ok
from tests.flow.shop import CUSTOMER, FREE, PAY_AS_YOU_GO, PRODUCT, activate, balance, plan
from tests.flow.visitor import Page, opened, purchases

EUROS = [{"currency": "USD", "price": 1900, "default": True}, {"currency": "EUR", "price": 1800}]


async def test_a_customer_chooses_a_plan_pays_and_has_it(client: Client, nobody: Client) -> None:
    pro = await plan(client, name="Pro", price=1900)
    page = await opened(client, nobody, returnUrl="https://example.com/done")
    seen = await page.look()
    assert (seen["step"], seen["status"], seen["payment"], seen["environment"]) == (
        "choose", "active", "test", "sandbox",
    )  # fmt: skip
    assert seen["merchant"]["displayName"] == "default"
    assert (seen["customer"]["name"], seen["product"]["name"]) == ("First Customer", "Content API")
    chosen = await page.does("select-plan", planRef=pro)
    assert (chosen["step"], chosen["amount"], chosen["currency"]) == ("pay", 1900, "USD")
    declined = await page.does("pay", outcome="decline")
    assert (declined["step"], declined["declined"]) == ("pay", "The card was declined. Nothing was paid.")
    assert await purchases(client) == []
    done = await page.does("pay", outcome="success")
    assert (done["step"], done["status"], done["currentPlanRef"], done["returnUrl"]) == (
        "done", "used", pro, "https://example.com/done",
    )  # fmt: skip
    (bought,) = await purchases(client)
    assert (bought["planRef"], bought["origin"], bought["status"]) == (pro, "checkout", "active")
    (paid,) = ok(await client.get("/v1/sdk/payment-intents"))["paymentIntents"]  # the declined one, again
    assert paid["status"] == "succeeded"


async def test_a_session_works_once(client: Client, nobody: Client) -> None:
    pro = await plan(client, price=1900)
    page = await opened(client, nobody, planRef=pro, returnUrl="https://example.com/done")
    await page.does("pay", outcome="success")
    assert await page.look() == {
        "status": "used", "environment": "sandbox", "returnUrl": "https://example.com/done",
        "merchant": {"displayName": "default", "legalName": "default"},
        "expiresAt": (await page.look())["expiresAt"],
    }  # fmt: skip
    assert await page.offers() == []
    for action, body in (("pay", {"outcome": "success"}), ("select-plan", {"planRef": pro}),
                         ("reset-plan", {}), ("select-topup-amount", {"amount": 500})):  # fmt: skip
        assert "ask for a new one" in error(await page.send(action, **body), 409, "session_ended")["message"]


async def test_a_session_expires_after_15_minutes(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    pro = await plan(client, price=1900)
    page = await opened(client, client, planRef=pro, returnUrl="https://example.com/done")
    clock.advance(timedelta(minutes=14, seconds=59))
    assert (await page.look())["status"] == "active"
    clock.advance(timedelta(seconds=1))
    seen = await page.look()
    assert seen["status"] == "expired"
    assert not {"customer", "plan", "returnUrl"} & seen.keys()
    error(await page.send("pay", outcome="success"), 409, "session_ended")
    assert await purchases(client) == []


async def test_nobody_gets_in_without_the_id(client: Client, nobody: Client) -> None:
    own = ok(await client.post("/v1/sdk/customers/customer-sessions", json={"customerRef": CUSTOMER}), 201)
    for wrong in ("0" * 32, own["sessionId"], "x", "%00"):
        page = Page(nobody, wrong)
        error(await nobody.get(page.path), 404, "session_not_found")
        error(await nobody.get(f"{page.path}/plans"), 404, "session_not_found")
        error(await page.send("pay", outcome="success"), 404, "session_not_found")


async def test_active_plans_that_are_not_hidden_are_on_offer(client: Client, nobody: Client) -> None:
    pro, free = await plan(client, price=1900), await plan(client, **FREE)
    hidden = await plan(client, price=100, hidden=True)
    old = await plan(client, price=100, status="archived")
    page = await opened(client, nobody)
    assert await page.offers() == [pro, free]
    for wrong in (hidden, old, "pln_none"):
        error(await page.send("select-plan", planRef=wrong), 404, "plan_not_found")
    invited = await opened(client, nobody, planRef=hidden)  # a link may be made for a hidden one
    assert (await invited.look())["plan"]["reference"] == hidden
    assert (await invited.does("pay", outcome="success"))["step"] == "done"


async def test_a_plan_is_paid_in_the_currency_that_is_chosen(client: Client, nobody: Client) -> None:
    pro = await plan(client, pricingOptions=EUROS)
    page = await opened(client, nobody)
    sentence = "currency not supported; the plan is sold in USD, EUR"
    assert faults(await page.send("select-plan", planRef=pro, currency="SEK")) == {"currency": sentence}
    chosen = await page.does("select-plan", planRef=pro, currency="eur")
    assert (chosen["amount"], chosen["currency"], chosen["plan"]["price"]) == (1800, "EUR", 1800)
    await page.does("pay", outcome="success")
    (bought,) = await purchases(client)
    assert (bought["amount"], bought["currency"]) == (1800, "EUR")


async def test_a_price_that_changed_meanwhile_is_not_paid_at_the_old_one(
    client: Client, nobody: Client
) -> None:
    pro = await plan(client, price=1900)
    page = await opened(client, nobody, planRef=pro)
    await page.does("pay", outcome="decline")
    ok(await client.put(f"/v1/sdk/products/{PRODUCT}/plans/{pro}", json={"price": 2900}))
    assert (await page.look())["amount"] == 2900
    await page.does("pay", outcome="success")
    paid, declined = ok(await client.get("/v1/sdk/payment-intents"))["paymentIntents"]
    assert {(each["amount"], each["status"]) for each in (paid, declined)} == {
        (2900, "succeeded"), (1900, "requires_payment_method"),
    }  # fmt: skip


async def test_a_currency_that_a_plan_is_sold_in_no_more_gives_way_to_the_default(
    client: Client, nobody: Client
) -> None:
    pro = await plan(client, pricingOptions=EUROS)
    page = await opened(client, nobody)
    await page.does("select-plan", planRef=pro, currency="EUR")
    path = f"/v1/sdk/products/{PRODUCT}/plans/{pro}"
    ok(await client.put(path, json={"pricingOptions": [{"currency": "USD", "price": 2100}]}))
    seen = await page.look()
    assert (seen["amount"], seen["currency"]) == (2100, "USD")


async def test_another_plan_may_be_chosen_until_it_is_paid(client: Client, nobody: Client) -> None:
    pro, team = await plan(client, price=1900), await plan(client, price=4900)
    page = await opened(client, nobody, planRef=pro)
    await page.does("pay", outcome="decline")
    again = await page.does("reset-plan")
    assert again["step"] == "choose"
    assert not {"plan", "declined", "amount"} & again.keys()
    assert (await page.does("select-plan", planRef=team))["amount"] == 4900
    await page.does("pay", outcome="success")
    assert [each["planRef"] for each in await purchases(client)] == [team]


async def test_a_free_plan_starts_without_paying(client: Client, nobody: Client) -> None:
    free = await plan(client, **FREE)
    page = await opened(client, nobody, planRef=free)
    assert (await page.look())["step"] == "start"
    assert await purchases(client) == []  # looking starts nothing
    error(await page.send("pay", outcome="success"), 409, "nothing_to_pay")
    assert (await page.does("select-plan", planRef=free))["status"] == "used"
    assert [each["planRef"] for each in await purchases(client)] == [free]


async def test_a_trial_starts_without_paying_once(client: Client, nobody: Client) -> None:
    pro = await plan(client, price=1900, trialDays=14)
    page = await opened(client, nobody)
    assert (await page.does("select-plan", planRef=pro))["step"] == "done"
    (trial,) = await purchases(client)
    assert trial["status"] == "trialing"
    again = await opened(client, nobody, planRef=pro)
    assert (await again.look())["step"] == "pay"  # to keep it
    await again.does("pay", outcome="success")
    (kept,) = await purchases(client)
    assert (kept["reference"], kept["status"]) == (trial["reference"], "active")


async def test_what_a_customer_has_is_not_paid_again(client: Client, nobody: Client) -> None:
    pro = await plan(client, price=1900)
    await (await opened(client, nobody, planRef=pro)).does("pay", outcome="success")
    page = await opened(client, nobody, planRef=pro)
    seen = await page.look()
    assert (seen["step"], seen["currentPlanRef"]) == ("start", pro)
    (bought,) = await purchases(client)
    ok(await client.post(f"/v1/sdk/purchases/{bought['reference']}/cancel"))
    assert (await page.does("select-plan", planRef=pro))["step"] == "done"
    (kept,) = await purchases(client)
    assert "cancelledAt" not in kept


async def test_a_usage_based_plan_starts_and_then_offers_credits(client: Client, nobody: Client) -> None:
    payg = await plan(client, **PAY_AS_YOU_GO)
    page = await opened(client, nobody)
    chosen = await page.does("select-plan", planRef=payg)
    assert (chosen["step"], chosen["status"], chosen["currentPlanRef"]) == ("topup", "active", payg)
    to_pay = await page.does("select-topup-amount", amount=2500, currency="usd")
    assert (to_pay["step"], to_pay["amount"], to_pay["currency"], to_pay["credits"]) == (
        "pay", 2500, "USD", 250_000,
    )  # fmt: skip
    done = await page.does("pay", outcome="success")
    assert (done["step"], done["creditBalance"]) == ("done", 250_000)
    assert await balance(client) == 250_000


async def test_where_credits_come_first_the_plan_starts_with_them(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path / "first"), activation_topup_first=True)
    async with open_service(settings) as service:
        assert service.first_start is not None
        client = speak_to(service, service.first_start.secret)
        payg = await plan(client, **PAY_AS_YOU_GO)
        page = await opened(client, client, planRef=payg)
        assert (await page.does("select-plan", planRef=payg))["step"] == "topup"
        assert await purchases(client) == []
        await page.does("select-topup-amount", amount=500)
        await page.does("pay", outcome="success")
        assert [each["planRef"] for each in await purchases(client)] == [payg]


async def test_credits_alone_need_no_product(client: Client, nobody: Client) -> None:
    page = await opened(client, nobody, productRef=None, purpose="credit_topup")
    seen = await page.look()
    assert (seen["step"], seen["purpose"], seen["creditBalance"]) == ("topup", "credit_topup", 0)
    assert await page.offers() == []
    for wrong in (99, 10_000_001, 100.5, None):
        assert list(faults(await page.send("select-topup-amount", amount=wrong))) == ["amount"]
    assert list(faults(await page.send("select-topup-amount", amount=500, currency="eur"))) == ["currency"]
    await page.does("select-topup-amount", amount=500)
    await page.does("pay", outcome="success")
    assert await balance(client) == 50_000


async def test_what_the_page_sends_wrong_is_named(client: Client, nobody: Client) -> None:
    page = await opened(client, nobody)
    assert faults(await page.send("select-plan")) == {"planRef": "is required"}
    assert faults(await page.send("pay")) == {"outcome": "is required: success or decline"}
    assert list(faults(await page.send("pay", outcome="maybe"))) == ["outcome"]
    error(await page.send("pay", outcome="success"), 409, "nothing_to_pay")
    error(
        await nobody.post(f"{page.path}/pay", content=b"x" * 300_000,
                          headers={"content-type": "application/json"}),
        413, "payload_too_large",
    )  # fmt: skip


async def test_in_live_no_test_button_pays(live: Client, nobody: Client) -> None:
    made = {"email": "a@example.com", "reference": CUSTOMER}
    ok(await live.post("/v1/sdk/customers", json=made), 201)
    ok(await live.post("/v1/sdk/products", json={"name": "API", "reference": PRODUCT}), 201)
    page = await opened(live, nobody, planRef=await plan(live, price=1900))
    assert (await page.look())["payment"] == "unavailable"
    error(await page.send("pay", outcome="success"), 400, "payments_not_configured")
    assert await purchases(live) == []


async def test_the_same_key_opens_the_same_session(client: Client, client_of: Any) -> None:
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT}
    key = {"idempotency-key": "one"}
    first = ok(await client.post("/v1/sdk/checkout-sessions", json=body, headers=key), 201)
    assert ok(await client.post("/v1/sdk/checkout-sessions", json=body, headers=key), 201) == first
    other = ok(await client.post("/v1/sdk/checkout-sessions", json=body), 201)
    assert other["sessionId"] != first["sessionId"]
    refused = await client.post(
        "/v1/sdk/checkout-sessions", json=body | {"returnUrl": "https://example.com"}, headers=key
    )
    error(refused, 409, "idempotency_conflict")


async def test_the_pages_are_served_under_a_strict_policy(nobody: Client) -> None:
    for path in ("/checkout", "/customer"):
        page = await nobody.get(path, params={"id": "0" * 32})
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
        assert page.headers["referrer-policy"] == "no-referrer"  # the id stays here


async def test_a_sale_made_while_a_link_is_open_is_seen(client: Client, nobody: Client) -> None:
    free, pro = await plan(client, **FREE), await plan(client, price=1900)
    page = await opened(client, nobody)
    await activate(client, free)
    assert (await page.look())["currentPlanRef"] == free
    await page.does("select-plan", planRef=pro)
    await page.does("pay", outcome="success")
    assert [(each["planRef"], each["status"]) for each in await purchases(client)] == [
        (pro, "active"), (free, "expired"),
    ]  # fmt: skip
