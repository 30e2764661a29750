"""Plans that are refused, each by the field that is wrong."""

from typing import Any

import pytest

from tests.conftest import Client
from tests.flow.answers import faults, ok
from tests.flow.shop import PLANS, made_plan

BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": "two\nlines"}, "name"),
    ({"description": "x" * 501}, "description"),
    ({"description": "a bell \x07"}, "description"),
    ({"features": ["Priority support", ""]}, "features.1"),
    ({"features": ["a\x00b"]}, "features.0"),
    ({"reference": "prd_1"}, "reference"),
    ({"reference": "pln_" + "x" * 17}, "reference"),
    ({"type": 5}, "type"),
    ({"status": "gone"}, "status"),
    ({"default": "yes"}, "default"),
    ({"default": True, "price": 5}, "default"),
    ({"default": True, "type": "hybrid", "basePrice": 5}, "default"),
    ({"price": -1}, "price"),
    ({"price": 1.5}, "price"),
    ({"price": "5"}, "price"),
    ({"price": 10_000_001}, "price"),
    ({"basePrice": -1}, "basePrice"),
    ({"setupFee": 0.1}, "setupFee"),
    ({"currency": "dollars"}, "currency"),
    ({"currency": ""}, "currency"),
    ({"currency": "ÅÄÖ"}, "currency"),
    ({"billingCycle": "daily"}, "billingCycle"),
    ({"billingCycle": ""}, "billingCycle"),
    ({"interval": "day"}, "interval"),
    ({"interval": "month", "billingCycle": "yearly"}, "interval"),
    ({"billingModel": "never"}, "billingModel"),
    ({"creditsPerUnit": 0}, "creditsPerUnit"),
    ({"creditsPerUnit": 1.5}, "creditsPerUnit"),
    ({"creditsPerUnit": 10**9 + 1}, "creditsPerUnit"),
    ({"freeUnits": -1}, "freeUnits"),
    ({"limit": 10**15 + 1}, "limit"),
    ({"limit": 10**30}, "limit"),
    ({"trialDays": -1}, "trialDays"),
    ({"accessExpiryDays": 36_501}, "accessExpiryDays"),
    ({"calendarPeriods": True, "billingCycle": "custom"}, "calendarPeriods"),
    ({"meterRef": "mtr_none"}, "meterRef"),
    ({"meterRef": ""}, "meterRef"),
    ({"measures": "unheard of"}, "measures"),
    ({"measures": "seen"}, "measures"),
    ({"meterRef": "mtr_seen"}, "meterRef"),
    ({"meterRef": "mtr_requests", "measures": "tokens"}, "measures"),
    ({"pricingOptions": [{"price": 5}]}, "pricingOptions.0.currency"),
    ({"pricingOptions": [{"currency": "USD"}]}, "pricingOptions.0.price"),
    ({"pricingOptions": [{"currency": "US", "price": 5}]}, "pricingOptions.0.currency"),
    ({"pricingOptions": [{"currency": "USD", "price": 1.5}]}, "pricingOptions.0.price"),
    ({"pricingOptions": [{"currency": "USD", "price": 5, "basePrice": -1}]}, "pricingOptions.0.basePrice"),
    ({"pricingOptions": [{"currency": "USD", "price": 5, "setupFee": -1}]}, "pricingOptions.0.setupFee"),
    ({"pricingOptions": [{"currency": each, "price": 5} for each in ("USD", "usd")]},
     "pricingOptions.1.currency"),
    ({"pricingOptions": [{"currency": each, "price": 5, "default": True} for each in ("USD", "EUR")]},
     "pricingOptions"),
    ({"pricingOptions": [{"currency": "USD", "price": 5}] * 201}, "pricingOptions"),
    ({"pricingOptions": [{"currency": "USD", "price": 5}], "price": 6}, "price"),
    ({"pricingOptions": [{"currency": "USD", "price": 5}], "currency": "EUR"}, "currency"),
    ({"usageTiers": [{"creditsPerUnit": 5}]}, "usageTiers.0.minUsage"),
    ({"usageTiers": [{"minUsage": 0}]}, "usageTiers.0.creditsPerUnit"),
    ({"usageTiers": [{"minUsage": 5, "creditsPerUnit": 5}]}, "usageTiers.0.minUsage"),
    ({"usageTiers": [{"minUsage": 1, "maxUsage": 1, "creditsPerUnit": 5}]}, "usageTiers.0.maxUsage"),
    ({"usageTiers": [{"minUsage": 0, "creditsPerUnit": -5}]}, "usageTiers.0.creditsPerUnit"),
    ({"usageTiers": [{"minUsage": 0, "creditsPerUnit": 5, "maxUsage": "5"}]}, "usageTiers.0.maxUsage"),
    ({"usageTiers": [{"minUsage": 0, "creditsPerUnit": 5, "name": "x" * 101}]}, "usageTiers.0.name"),
    ({"usageTiers": [{"minUsage": 0, "creditsPerUnit": 5}, {"minUsage": 9, "creditsPerUnit": 5}]},
     "usageTiers.0.maxUsage"),
    ({"usageTiers": [{"minUsage": 0, "creditsPerUnit": 5}] * 101}, "usageTiers"),
    ({"overagePolicy": {"maxOverage": -1}}, "overagePolicy.maxOverage"),
    ({"overagePolicy": {"maxOverage": 1.5}}, "overagePolicy.maxOverage"),
    ({"overagePolicy": {"overageRate": -1}}, "overagePolicy.overageRate"),
    ({"overagePolicy": {"allowOverage": "yes"}}, "overagePolicy.allowOverage"),
    ({"features": "all"}, "features"),
    ({"features": ["SSO", 5]}, "features.1"),
    ({"isFreeTier": "yes"}, "isFreeTier"),
    ({"features": {"x": "y" * 17_000}}, "features"),
    ({"limits": {"x": "y" * 17_000}}, "limits"),
    ({"metadata": {"x": "y" * 17_000}}, "metadata"),
    ({"pricingTiers": [{"x": "y" * 17_000}]}, "pricingTiers"),
    ({"taxBehavior": "none"}, "taxBehavior"),
    ({"billingStrategy": {"type": 5}}, "billingStrategy.type"),
    ({"prorationPolicy": {"method": "some"}}, "prorationPolicy.method"),
    ({"usageTracking": {"granularity": "yearly"}}, "usageTracking.granularity"),
    ({"usageTracking": {"method": "none"}}, "usageTracking.method"),
    ({"returnPolicy": {"period": "long"}}, "returnPolicy.period"),
    ({"cancellationNoticeDays": 1.5}, "cancellationNoticeDays"),
    ({"maxActiveUsers": -1}, "maxActiveUsers"),
]  # fmt: skip


@pytest.fixture(autouse=True)
async def seen(client: Client) -> None:
    """A meter for analytics: nothing that is sold counts on it."""
    ok(await client.post("/v1/meters", json={"name": "seen", "reference": "mtr_seen", "kind": "usage"}), 201)


async def test_a_bad_plan_is_refused_by_its_field_and_is_not_made(client: Client) -> None:
    for said, field in BAD:
        refused = await client.post(PLANS, json={"name": "Pro"} | said)
        assert list(faults(refused)) == [field], said
    assert ok(await client.get(PLANS))["total"] == 0


async def test_a_bad_change_is_refused_by_its_field_and_changes_nothing(client: Client) -> None:
    made = await made_plan(client)
    url = f"{PLANS}/{made['reference']}"
    for said, field in BAD:
        if field in ("name", "reference") and said.get("name") is None:
            continue  # a change need not say its name, and no plan gets another reference
        if isinstance(said.get("type"), str):
            continue
        assert list(faults(await client.put(url, json=said))) == [field], said
    assert list(faults(await client.put(url, json={"type": "one-time"}))) == ["type"]
    assert ok(await client.get(url)) == made


async def test_a_plan_keeps_its_reference_and_its_product(client: Client) -> None:
    made = await made_plan(client)
    url = f"{PLANS}/{made['reference']}"
    other = {"reference": "pln_other", "productRef": "prd_other", "price": 5}
    assert faults(await client.put(url, json=other)) == {
        "reference": f"stays {made['reference']}; make another plan, or leave it out",
        "productRef": "stays prd_content_api; make another plan, or leave it out",
    }
    assert ok(await client.get(url)) == made
    changed = ok(await client.put(url, json=made | {"limit": 5}))  # sent back as it was answered
    assert (changed["reference"], changed["productRef"], changed["limit"]) == (
        made["reference"], made["productRef"], 5,
    )  # fmt: skip


async def test_one_answer_names_every_fault(client: Client) -> None:
    refused = await client.post(
        PLANS, json={"name": "", "price": -1, "status": "gone", "trialDays": 0.5, "usageTiers": [{}]}
    )
    assert set(faults(refused)) == {
        "name", "price", "status", "trialDays", "usageTiers.0.minUsage", "usageTiers.0.creditsPerUnit",
    }  # fmt: skip
