"""Credits: balance, grants, adjustments, history (contract §3.3, §4.4)."""

import asyncio
from typing import Any

import pytest

from meterhouse.model.merchant import Merchant
from meterhouse.model.tenant import Caller, Environment
from meterhouse.query.cursors import write_cursor
from meterhouse.wiring import Service
from tests.conftest import Client
from tests.flow.answers import error, faults, ok
from tests.flow.shop import (
    CUSTOMER,
    FREE,
    PAY_AS_YOU_GO,
    activate,
    balance,
    grant,
    limits,
    plan,
    track,
    with_credits,
)

GRANTS = f"/v1/sdk/customers/{CUSTOMER}/credits"
HISTORY = f"/v1/customers/{CUSTOMER}/credits"


async def test_a_new_customer_has_no_credits_and_a_balance_all_the_same(client: Client) -> None:
    found = ok(await client.get(f"/v1/sdk/customers/{CUSTOMER}/balance"))
    assert found == {
        "customerRef": CUSTOMER, "credits": 0, "heldCredits": 0, "expiring": [], "displayCurrency": "USD",
        "creditsPerMinorUnit": 100, "displayExchangeRate": 1,
        "display": {"amountMajor": 0, "currency": "USD", "formatted": "$0.00", "exchangeRate": 1,
                    "rateSource": "parity"},
    }  # fmt: skip


async def test_ten_thousand_credits_are_a_dollar(client: Client) -> None:
    ok(await client.post(GRANTS, json={"credits": 420_000}))
    display = ok(await client.get(f"/v1/sdk/customers/{CUSTOMER}/balance"))["display"]
    assert (display["amountMajor"], display["formatted"]) == (42, "$42.00")


@pytest.mark.parametrize(
    ("currency", "each", "shown"),
    [
        ("EUR", None, (42, "€42.00", 1)),
        ("SEK", 10, (420, "420.00 kr", 1)),
        ("JPY", None, (4200, "¥4,200", 100)),
    ],
)
async def test_a_balance_is_shown_in_the_sellers_currency(
    service: Service, client: Client, currency: str, each: int | None, shown: tuple[int, str, int]
) -> None:
    scope = await service.catalog.providers.scope("default", Environment.SANDBOX)
    merchant = Merchant(
        display_name="Acme",
        legal_name="Acme",
        default_currency=currency,
        credits_per_minor_unit=None if each is None else {currency: each},
    )
    await service.catalog.providers.show_as(Caller(scope, "cli"), merchant)
    ok(await client.post(GRANTS, json={"credits": 420_000}))
    found = ok(await client.get(f"/v1/sdk/customers/{CUSTOMER}/balance"))
    assert (found["displayCurrency"], found["creditsPerMinorUnit"]) == (currency, each or 100)
    display = found["display"]
    assert (display["amountMajor"], display["formatted"], display["exchangeRate"]) == shown
    per_unit = 1 if currency == "JPY" else 100  # the client's own arithmetic
    minor = 420_000 / found["creditsPerMinorUnit"] / 100 * found["displayExchangeRate"] * per_unit
    assert minor == shown[0] * per_unit


async def test_a_grant_answers_with_the_balance_and_its_repeat_alike(client: Client) -> None:
    headers = {"Idempotency-Key": "g"}
    body = {"credits": 500, "reason": "signup_bonus"}
    first = ok(await client.post(GRANTS, json=body, headers=headers))
    assert first == {
        "success": True, "customerRef": CUSTOMER, "credits": 500, "balance": 500, "reason": "signup_bonus",
    }  # fmt: skip
    ok(await client.post(GRANTS, json={"credits": 7}))
    assert ok(await client.post(GRANTS, json=body, headers=headers)) == first
    assert await balance(client) == 507
    other = await client.post(GRANTS, json={"credits": 1}, headers=headers)
    error(other, 409, "idempotency_conflict")


async def test_without_a_reason_none_is_answered(client: Client) -> None:
    assert "reason" not in ok(await client.post(GRANTS, json={"credits": 5.0}))


async def test_history_shows_every_movement_and_what_it_left(client: Client) -> None:
    await with_credits(client, 1_000)
    usage = await track(client, units=2, idempotencyKey="u")
    ok(await client.post(f"{HISTORY}/adjust", json={"credits": -300, "reason": "refund error"}))
    items = ok(await client.get(HISTORY))["items"]
    assert [(each["type"], each["amount"], each["balance"]) for each in items] == [
        ("ADJUSTMENT", -300, 500),
        ("USAGE", -200, 800),
        ("GRANT", 1_000, 1_000),
    ]
    assert (items[1]["usageRef"], items[1]["productRef"]) == (usage["reference"], "prd_content_api")
    debits = ok(await client.get(HISTORY, params={"type": "USAGE"}))["items"]
    assert debits == items[1:2]


async def test_history_is_paged(client: Client) -> None:
    for amount in range(1, 6):
        ok(await client.post(GRANTS, json={"credits": amount}))
    seen: list[int] = []
    cursor: dict[str, Any] = {"limit": 2}
    while True:
        page = ok(await client.get(HISTORY, params=cursor))
        seen += [each["amount"] for each in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = {"limit": 2, "cursor": page["nextCursor"]}
    assert seen == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("credits_", [0, -5, 1.5, "5", True, None, 10**16])
async def test_a_grant_is_a_whole_number_above_zero(client: Client, credits_: Any) -> None:
    assert set(faults(await client.post(GRANTS, json={"credits": credits_}))) == {"credits"}


@pytest.mark.parametrize("reason", ["r" * 257, "a bell \x07"])
async def test_a_reason_is_a_short_text(client: Client, reason: str) -> None:
    assert set(faults(await client.post(GRANTS, json={"credits": 1, "reason": reason}))) == {"reason"}


async def test_more_than_there_is_cannot_be_taken_away(client: Client) -> None:
    ok(await client.post(GRANTS, json={"credits": 5}))
    error(await client.post(f"{HISTORY}/adjust", json={"credits": -6}), 409, "credits_not_free")
    assert await balance(client) == 5


async def test_credits_of_an_unknown_customer_are_404(client: Client, live: Client) -> None:
    for method, path in (
        ("GET", "/v1/sdk/customers/cus_NONE/balance"),
        ("POST", "/v1/sdk/customers/cus_NONE/credits"),
        ("POST", "/v1/customers/cus_NONE/credits/adjust"),
        ("GET", "/v1/customers/cus_NONE/credits"),
    ):
        body = {"credits": 1} if method == "POST" else None
        error(await client.request(method, path, json=body), 404, "customer_not_found")
    error(await live.get(f"/v1/sdk/customers/{CUSTOMER}/balance"), 404, "customer_not_found")


async def test_who_gets_a_deleted_customers_reference_inherits_nothing(client: Client) -> None:
    new = {"reference": "cus_again", "email": "again@example.com"}
    ok(await client.post("/v1/sdk/customers", json=new), 201)
    bought = await activate(client, await plan(client, **FREE), "cus_again")
    await grant(client, 500, "cus_again")
    ok(await client.delete("/v1/sdk/customers/cus_again"))
    ok(await client.post("/v1/sdk/customers", json=new), 201)
    assert await balance(client, "cus_again") == 0
    assert ok(await client.get("/v1/sdk/customers/cus_again"))["purchases"] == []
    assert ok(await client.get(f"/v1/sdk/purchases/{bought['purchaseRef']}"))["status"] == "expired"


async def test_one_grant_sent_many_times_at_once_is_given_once(client: Client) -> None:
    headers, body = {"Idempotency-Key": "signup"}, {"credits": 500}
    url = f"/v1/sdk/customers/{CUSTOMER}/credits"
    answers = await asyncio.gather(*(client.post(url, json=body, headers=headers) for _ in range(8)))
    assert [ok(each)["balance"] for each in answers] == [500] * 8
    assert await balance(client) == 500


@pytest.mark.parametrize("credits_", ["1e99999999", "1e-99999999", "-1e99999999"])
async def test_credits_beyond_all_bounds_are_refused_at_once(client: Client, credits_: str) -> None:
    headers, body = {"content-type": "application/json"}, f'{{"credits":{credits_}}}'
    for url in (f"/v1/sdk/customers/{CUSTOMER}/credits", f"/v1/customers/{CUSTOMER}/credits/adjust"):
        assert set(faults(await client.post(url, content=body, headers=headers))) == {"credits"}


@pytest.mark.parametrize("number", [-1, 2**63, 2**64 - 1])
async def test_a_cursor_that_is_not_ours_is_refused(client: Client, number: int) -> None:
    cursor = write_cursor([number], "credits", CUSTOMER, None)
    answer = await client.get(f"/v1/customers/{CUSTOMER}/credits", params={"cursor": cursor})
    assert set(faults(answer)) == {"cursor"}


async def test_credits_that_were_held_are_not_inherited_either(client: Client) -> None:
    new = {"reference": "cus_again", "email": "again@example.com"}
    ok(await client.post("/v1/sdk/customers", json=new), 201)
    await grant(client, 500, "cus_again")
    await activate(client, await plan(client, **PAY_AS_YOU_GO), "cus_again")
    hold = await limits(client, customerRef="cus_again", reserve={"units": 3})
    ok(await client.delete("/v1/sdk/customers/cus_again"))
    ok(await client.post("/v1/sdk/customers", json=new), 201)
    assert await balance(client, "cus_again") == 0
    answer = await client.post(f"/v1/sdk/holds/{hold['holdRef']}/settle", json={"units": 1})
    error(answer, 409, "hold_released")
