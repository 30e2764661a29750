"""Whole numbers in bodies: taken with every digit, `5.0` for 5; what is none is refused by its field.

The bodies are JSON text: Python's own encoder would round before the server could.
"""

from itertools import product
from typing import Final

import pytest

from tests.conftest import Client
from tests.flow.answers import faults, ok
from tests.flow.shop import CUSTOMER, PLANS, PRODUCT, plan, with_credits

JSON: Final = {"content-type": "application/json"}
GRANTS: Final = f"/v1/sdk/customers/{CUSTOMER}/credits"
ADJUSTMENTS: Final = f"/v1/customers/{CUSTOMER}/credits/adjust"
OPTION: Final = '{"name":"Pro","pricingOptions":[{"currency":"USD","price":1},{"currency":"EUR",%s}]}'
TIER: Final = '{"name":"Pro","usageTiers":[{"minUsage":0,"maxUsage":9,"creditsPerUnit":1},{%s}]}'
OF_CUSTOMER: Final = f'"customerRef":"{CUSTOMER}","productRef":"{PRODUCT}"'

FIELDS: Final = [
    *(
        (PLANS, f'{{"name":"Pro","{name}":NUMBER}}', name)
        for name in (
            "price", "basePrice", "setupFee", "creditsPerUnit", "freeUnits", "limit", "trialDays",
            "accessExpiryDays", "cancellationNoticeDays", "maxActiveUsers",
        )
    ),
    (PLANS, OPTION % '"price":NUMBER', "pricingOptions.1.price"),
    (PLANS, OPTION % '"price":1,"basePrice":NUMBER', "pricingOptions.1.basePrice"),
    (PLANS, OPTION % '"price":1,"setupFee":NUMBER', "pricingOptions.1.setupFee"),
    (PLANS, TIER % '"minUsage":NUMBER,"creditsPerUnit":1', "usageTiers.1.minUsage"),
    (PLANS, TIER % '"minUsage":9,"maxUsage":NUMBER,"creditsPerUnit":1', "usageTiers.1.maxUsage"),
    (PLANS, TIER % '"minUsage":9,"creditsPerUnit":NUMBER', "usageTiers.1.creditsPerUnit"),
    (PLANS, '{"name":"Pro","overagePolicy":{"maxOverage":NUMBER}}', "overagePolicy.maxOverage"),
    (PLANS, '{"name":"Pro","overagePolicy":{"overageRate":NUMBER}}', "overagePolicy.overageRate"),
    (GRANTS, '{"credits":NUMBER}', "credits"),
    (ADJUSTMENTS, '{"credits":NUMBER}', "credits"),
    ("/v1/sdk/usages", f'{{{OF_CUSTOMER},"units":NUMBER}}', "units"),
    ("/v1/sdk/usages/bulk", f'{{"events":[{{{OF_CUSTOMER}}},{{{OF_CUSTOMER},"units":NUMBER}}]}}',
     "events.1.units"),
    ("/v1/sdk/limits", f'{{{OF_CUSTOMER},"reserve":{{"units":1,"ttlSeconds":NUMBER}}}}',
     "reserve.ttlSeconds"),
    ("/v1/sdk/products", '{"name":"Thing","config":{"validityPeriod":NUMBER}}', "config.validityPeriod"),
    ("/v1/sdk/payment-intents",
     f'{{"customerRef":"{CUSTOMER}","purpose":"credit_topup","currency":"USD","amount":NUMBER}}', "amount"),
]  # fmt: skip
NO_WHOLE_NUMBERS: Final = (
    "1000000000000000.5", "9007199254740993.5", "100.00000000000000000001", "1e400", "1e-400", "1e999999999",
    '"5"', "true", "[]", "{}",
)  # fmt: skip


async def test_what_is_no_whole_number_is_refused_by_its_field(client: Client) -> None:
    headers = JSON | {"idempotency-key": "k"}
    for (url, body, path), number in product(FIELDS, NO_WHOLE_NUMBERS):
        refused = faults(await client.post(url, content=body.replace("NUMBER", number), headers=headers))
        assert list(refused) == [path], (path, number)
        assert "whole number" in refused[path]


@pytest.mark.parametrize("name", ["limit", "freeUnits"])
@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("900719925474099.0", 900_719_925_474_099),
        ("999999999999999.000", 999_999_999_999_999),
        ("1e15", 1_000_000_000_000_000),
    ],
)
async def test_a_plan_takes_a_whole_number_up_to_the_bound(
    client: Client, name: str, text: str, number: int
) -> None:
    answer = await client.post(PLANS, content=f'{{"name":"Pro","{name}":{text}}}', headers=JSON)
    assert ok(answer, 201)[name] == number


async def test_a_whole_number_may_be_written_with_a_point(client: Client) -> None:
    body = (
        '{"name":"Pro","type":"hybrid","price":1900.0,"limit":5.0,"trialDays":1e1,"maxActiveUsers":3.0,'
        '"usageTiers":[{"minUsage":0.0,"maxUsage":5.0,"creditsPerUnit":2.0},{"minUsage":6.0,"creditsPerUnit":1}]}'
    )
    made = ok(await client.post(PLANS, content=body, headers=JSON), 201)
    written = [made[name] for name in ("price", "limit", "trialDays", "maxActiveUsers")]
    assert (written, list(map(type, written))) == ([1900, 5, 10, 3], [int] * 4)
    assert made["usageTiers"] == [
        {"minUsage": 0, "maxUsage": 5, "creditsPerUnit": 2}, {"minUsage": 6, "creditsPerUnit": 1},
    ]  # fmt: skip


async def test_a_grant_takes_a_whole_number_with_a_point(client: Client) -> None:
    granted = ok(await client.post(GRANTS, content='{"credits":999999999999999.0}', headers=JSON))
    assert granted["balance"] == 999_999_999_999_999


async def test_numbers_that_nothing_is_decided_by_come_back_as_they_were_said(client: Client) -> None:
    body = '{"name":"Pro","returnPolicy":{"period":0.12345678901234567890},"warranty":{"duration":1.50}}'
    made = await client.post(PLANS, content=body, headers=JSON)
    assert made.status_code == 201
    shown = await client.get(f"{PLANS}/{made.json()['reference']}")
    for text in (made.text, shown.text):
        assert '"period":0.12345678901234567890' in text
        assert '"duration":1.50' in text


async def test_a_length_of_time_is_a_number_within_bounds(client: Client) -> None:
    paths, numbers = ("returnPolicy.period", "warranty.duration"), ("-1", '"1"', "true", "1e400")
    for path, number in product(paths, numbers):
        first, second = path.split(".")
        body = f'{{"name":"Pro","{first}":{{"{second}":{number}}}}}'
        assert list(faults(await client.post(PLANS, content=body, headers=JSON))) == [path]


@pytest.mark.parametrize("number", ["1.5", "100001", "1e6", "1e20", "-1"])
async def test_what_a_usage_cannot_take_is_told_where_to_go(client: Client, number: str) -> None:
    body = f'{{{OF_CUSTOMER},"units":{number}}}'
    said = faults(await client.post("/v1/sdk/usages", content=body, headers=JSON))["units"]
    assert "0 to 100000" in said
    assert "settle a hold" in said
    assert "/v1/sdk/meter-events" in said


async def test_a_hold_takes_and_books_every_billionth(client: Client) -> None:
    await with_credits(client, 10**15, creditsPerUnit=1)
    units = "900719925474.993000001"
    body = f'{{{OF_CUSTOMER},"reserve":{{"units":{units}}}}}'
    held = await client.post("/v1/sdk/limits", content=body, headers=JSON)
    assert f'"reservedUnits":{units}' in held.text
    hold = f"/v1/sdk/holds/{held.json()['holdRef']}"
    settled = await client.post(f"{hold}/settle", content=f'{{"units":{units}}}', headers=JSON)
    assert f'"units":{units}' in settled.text


async def test_the_description_says_that_these_are_numbers(client: Client) -> None:
    schemas = ok(await client.get("/openapi.json"))["components"]["schemas"]
    assert schemas["CreditsBody"]["properties"]["credits"]["type"] == "number"
    assert schemas["SettleBody"]["properties"]["units"]["type"] == "number"
    assert schemas["NewPlan"]["properties"]["limit"]["type"] == ["number", "null"]
    assert schemas["OptionBody"]["properties"]["price"]["type"] == ["number", "null"]


async def test_a_change_takes_the_same_numbers_as_a_new_plan(client: Client) -> None:
    url = f"{PLANS}/{await plan(client, limit=7)}"
    for number in NO_WHOLE_NUMBERS:
        refused = await client.put(url, content=f'{{"limit":{number}}}', headers=JSON)
        assert list(faults(refused)) == ["limit"], number
    assert ok(await client.get(url))["limit"] == 7
