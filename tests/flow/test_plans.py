"""Plans over HTTP: the contract's routes and its traps (solvapay.md §3.5, §4.1, §7)."""

from typing import Any

import pytest

from tests.conftest import Client
from tests.flow.answers import error, faults, ok, without_request_id
from tests.flow.shop import PLANS, made_plan

PRODUCT = "/v1/sdk/products/prd_content_api"


async def test_a_plan_answers_what_clients_need_of_it(client: Client) -> None:
    made = await made_plan(client, name="Pro")
    reference = made.pop("reference")
    times = {made.pop("createdAt"), made.pop("updatedAt")}
    assert made == {
        "productRef": "prd_content_api", "name": "Pro", "type": "recurring", "status": "active",
        "isActive": True, "default": False, "hidden": False, "requiresPayment": False,
        "price": 0, "basePrice": 0, "setupFee": 0, "currency": "USD", "currencySymbol": "$",
        "pricingOptions": [{"currency": "USD", "price": 0, "default": True}],
        "billingCycle": "monthly", "interval": "month", "meterRef": "mtr_requests", "measures": "requests",
        "limit": 0, "freeUnits": 0, "rolloverUnusedUnits": False, "trialDays": 0, "accessExpiryDays": 0,
        "autoRenew": True, "calendarPeriods": False, "features": {}, "limits": {},
    }  # fmt: skip
    assert reference.startswith("pln_")
    assert len(times) == 1
    assert ok(await client.get(f"{PLANS}/{reference}")) == made | {
        "reference": reference, "createdAt": min(times), "updatedAt": min(times),
    }  # fmt: skip


async def test_everything_that_is_said_is_read_back(client: Client) -> None:
    said: dict[str, Any] = {
        "reference": "pln_hybrid", "name": "Team (2026)", "description": "All you need!", "type": "hybrid",
        "status": "inactive", "hidden": True, "billingCycle": "yearly", "billingModel": "post-paid",
        "pricingOptions": [
            {"currency": "EUR", "price": 1900, "basePrice": 900, "setupFee": 100, "default": True},
            {"currency": "JPY", "price": 2000},
        ],
        "creditsPerUnit": 10, "freeUnits": 5, "limit": 100, "rolloverUnusedUnits": True, "trialDays": 14,
        "autoRenew": False, "accessExpiryDays": 30, "calendarPeriods": True,
        "usageTiers": [
            {"name": "First", "minUsage": 0, "maxUsage": 500, "creditsPerUnit": 50},
            {"minUsage": 501, "creditsPerUnit": 30},
        ],
        "overagePolicy": {"allowOverage": True, "maxOverage": 50, "overageRate": 3},
        "features": {"seats": 5, "ratio": 0.1}, "limits": {"maxUsage": 5}, "metadata": {"a": [1]},
        "pricingTiers": [{"upTo": 5}], "taxBehavior": "exclusive", "billingStrategy": {"type": "combined"},
        "prorationPolicy": {"enabled": True, "method": "full"},
        "returnPolicy": {"allowed": True, "conditions": "unused", "period": 14},
        "warranty": {"duration": 1.5, "terms": "all", "unit": "year"},
        "fulfillment": {"type": "digital", "deliveryMethod": "api", "estimatedDelivery": "now"},
        "usageTracking": {"granularity": "daily", "method": "automatic"},
        "cancellationNoticeDays": 3, "maxActiveUsers": 7,
    }  # fmt: skip
    made = await made_plan(client, **said, productRef="prd_content_api", isRecurring=False)
    assert said.items() <= made.items()
    assert (made["currency"], made["currencySymbol"], made["price"]) == ("EUR", "€", 1900)
    assert (made["basePrice"], made["setupFee"]) == (900, 100)
    assert (made["isActive"], made["requiresPayment"], made["interval"]) == (False, True, "year")
    # Whoever sends back what was answered changes nothing.
    assert ok(await client.put(f"{PLANS}/pln_hybrid", json=made)) == made


async def test_free_form_numbers_keep_all_their_digits(client: Client) -> None:
    body = b'{"name":"Pro","features":{"exact":0.12345678901234567890123}}'
    made = await client.post(PLANS, content=body, headers={"content-type": "application/json"})
    assert b'"features":{"exact":0.12345678901234567890123}' in made.content


@pytest.mark.parametrize(
    ("said", "cycle", "interval"),
    [
        ({"interval": "month"}, "monthly", "month"),
        ({"interval": "year"}, "yearly", "year"),
        ({"interval": "quarterly"}, "quarterly", "quarter"),
        ({"billingCycle": "weekly", "interval": "week"}, "weekly", "week"),
        ({"billingCycle": "custom"}, "custom", "custom"),
    ],
)
async def test_a_cycle_is_taken_under_either_of_its_names(
    client: Client, said: dict[str, str], cycle: str, interval: str
) -> None:
    made = await made_plan(client, **said)
    assert (made["billingCycle"], made["interval"]) == (cycle, interval)


async def test_a_python_clients_floats_are_integers(client: Client) -> None:
    body = b'{"name":"Pro","price":19.0,"currency":"sek","interval":"month","limit":1e3,"metadata":null}'
    made = ok(await client.post(PLANS, content=body), 201)
    assert (made["price"], made["currency"], made["currencySymbol"], made["limit"]) == (19, "SEK", "kr", 1000)
    made = await made_plan(client, currency="xts")
    assert (made["currency"], made["currencySymbol"]) == ("XTS", "XTS")


async def test_a_type_nobody_knows_is_recurring(client: Client) -> None:
    assert (await made_plan(client, type="lifetime"))["type"] == "recurring"


async def test_a_usage_based_plan_costs_credits_and_begins_without_free_units(client: Client) -> None:
    made = await made_plan(client, type="usage-based", freeUnits=100)
    assert (made["billingModel"], made["creditsPerUnit"], made["freeUnits"]) == ("pre-paid", 1, 0)
    assert made["requiresPayment"]
    assert "billingCycle" not in made
    assert "interval" not in made
    changed = ok(await client.put(f"{PLANS}/{made['reference']}", json={"freeUnits": 100}))
    assert changed["freeUnits"] == 100


async def test_a_put_changes_what_it_says_and_nothing_else(client: Client) -> None:
    made = await made_plan(client, price=1900, metadata={"a": 1}, overagePolicy={"allowOverage": True})
    url = f"{PLANS}/{made['reference']}"
    changed = ok(await client.put(url, json={"price": 2900, "overagePolicy": {"maxOverage": 5}}))
    expected = made | {
        "price": 2900,
        "pricingOptions": [{"currency": "USD", "price": 2900, "default": True}],
        "overagePolicy": {"maxOverage": 5},
        "updatedAt": changed["updatedAt"],
    }
    assert changed == expected
    assert ok(await client.get(url)) == expected


async def test_a_new_default_takes_it_from_the_other(client: Client) -> None:
    first = await made_plan(client, default=True)
    second = await made_plan(client, type="usage-based", default=True)
    assert [plan["default"] for plan in ok(await client.get(PLANS))["plans"]] == [False, True]
    ok(await client.put(f"{PLANS}/{first['reference']}", json={"default": True}))
    assert ok(await client.get(f"{PLANS}/{second['reference']}"))["default"] is False


async def test_plans_are_listed_as_they_were_made_and_hidden_ones_are_not(client: Client) -> None:
    made = [await made_plan(client, name=f"Plan {number}", hidden=number == 1) for number in range(4)]
    listed = ok(await client.get(PLANS))
    assert listed == {"plans": [made[0], made[2], made[3]], "total": 3, "limit": 50, "offset": 0}
    page = ok(await client.get(PLANS, params={"limit": "1", "offset": "1"}))
    assert page == {"plans": [made[2]], "total": 3, "limit": 1, "offset": 1}
    assert ok(await client.get(PLANS, params={"limit": "1000"}))["limit"] == 100
    assert ok(await client.get(f"{PLANS}/{made[1]['reference']}")) == made[1]
    assert list(faults(await client.get(PLANS, params={"offset": "-1"}))) == ["offset"]
    assert ok(await client.get(PRODUCT))["plans"] == [made[0], made[2], made[3]]
    products = {
        each["reference"]: each["plans"] for each in ok(await client.get("/v1/sdk/products"))["products"]
    }
    assert products == {"prd_content_api": [made[0], made[2], made[3]], "prd_ai_assistant": []}


async def test_a_clone_has_the_plans_of_its_original_under_new_refs(client: Client) -> None:
    made = await made_plan(client, default=True, features={"a": 1})
    headers = {"idempotency-key": "k1"}
    clone = ok(await client.post(f"{PRODUCT}/clone", headers=headers), 201)
    (plan,) = clone["plans"]
    assert plan["reference"] != made["reference"]
    own = {"reference", "productRef", "createdAt", "updatedAt"}
    assert {k: v for k, v in plan.items() if k not in own} == {k: v for k, v in made.items() if k not in own}
    assert ok(await client.post(f"{PRODUCT}/clone", headers=headers), 201) == clone


async def test_a_deleted_plan_is_gone_and_plans_go_with_their_product(client: Client, live: Client) -> None:
    await live.post("/v1/sdk/products", json={"name": "Content API", "reference": "prd_content_api"})
    for each in (client, live):
        made, other = await made_plan(each), await made_plan(each, hidden=True)
        url = f"{PLANS}/{made['reference']}"
        assert ok(await each.delete(url)) == {"success": True}
        for response in (await each.get(url), await each.delete(url), await each.put(url, json={})):
            assert error(response, 404, "plan_not_found")["message"] == "Plan not found"
        ok(await each.delete(PRODUCT))
        url = f"{PLANS}/{other['reference']}"
        for response in (
            await each.get(PLANS),
            await each.post(PLANS, json={"name": "Pro"}),
            await each.get(url),
            await each.put(url, json={}),
            await each.delete(url),
        ):
            error(response, 404, "product_not_found")


async def test_a_plan_is_found_under_its_own_product_and_scope_only(
    client: Client, live: Client, stranger: Client
) -> None:
    await made_plan(client, reference="pln_secret")
    error(await client.get("/v1/sdk/products/prd_ai_assistant/plans/pln_secret"), 404, "plan_not_found")
    for other in (live, stranger):
        await other.post("/v1/sdk/products", json={"name": "Content API", "reference": "prd_content_api"})
        for method, body in (("GET", None), ("PUT", {"price": 1}), ("DELETE", None)):
            theirs = await other.request(method, f"{PLANS}/pln_secret", json=body)
            unknown = await other.request(method, f"{PLANS}/pln_nothing", json=body)
            error(theirs, 404, "plan_not_found")
            assert without_request_id(theirs) == without_request_id(unknown)
        await made_plan(other, reference="pln_secret")  # its own
    error(await client.post(PLANS, json={"name": "Pro", "reference": "pln_secret"}), 409, "reference_exists")


async def test_a_request_repeated_with_its_key_answers_the_first_answer_again(client: Client) -> None:
    headers = {"idempotency-key": "k1"}
    first = await client.post(PLANS, json={"name": "Pro", "price": 19}, headers=headers)
    again = await client.post(PLANS, json={"name": "Pro", "price": 19}, headers=headers)
    assert (again.status_code, again.text) == (201, first.text)
    other = await client.post(PLANS, json={"name": "Pro", "price": 20}, headers=headers)
    error(other, 409, "idempotency_conflict")
    url = f"{PLANS}/{first.json()['reference']}"
    changes = [await client.put(url, json={"price": 5}, headers=headers) for _ in range(2)]
    assert changes[0].text == changes[1].text
    deletions = [await client.delete(url, headers=headers) for _ in range(2)]
    assert deletions[0].text == deletions[1].text
    assert ok(await client.get(PLANS))["total"] == 0


async def test_hidden_plans_too_are_listed_with_their_products_for_those_who_ask_so(client: Client) -> None:
    made = [await made_plan(client, name=f"Plan {number}", hidden=number == 1) for number in range(3)]
    found = ok(await client.get("/v1/products"))
    (product,) = [each for each in found["products"] if each["reference"] == "prd_content_api"]
    assert [each["reference"] for each in product["plans"]] == [each["reference"] for each in made]
    assert [each["hidden"] for each in product["plans"]] == [False, True, False]
    first = ok(await client.get("/v1/products", params={"limit": 1, "offset": 1}))
    assert (first["products"], first["limit"], first["offset"]) == (found["products"][1:2], 1, 1)
    assert list(faults(await client.get("/v1/products", params={"limit": 101}))) == ["limit"]
