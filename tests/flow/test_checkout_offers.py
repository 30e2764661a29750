"""What a checkout tells before anybody pays: how a plan is billed, and the ways out."""

from datetime import timedelta

import pytest

from tests.conftest import Client
from tests.contract.catalogs import Clock
from tests.flow.answers import faults
from tests.flow.shop import CUSTOMER, PRODUCT, plan
from tests.flow.visitor import opened


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "ftp://example.com", "//example.com", "example.com", "http://", "https:///path",
        "https://exa mple.com", "https://example.com\\@evil.example", "http://example.com:99999", "http://[::1",
        "https://example.com/\u0000", "https://example.com/" + "x" * 2_000, "",
    ],
)  # fmt: skip
async def test_the_ways_out_are_web_addresses(client: Client, url: str) -> None:
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT, "returnUrl": url, "cancelUrl": url}
    refused = await client.post("/v1/sdk/checkout-sessions", json=body)
    assert faults(refused).keys() == {"returnUrl", "cancelUrl"}


async def test_a_page_leads_back_to_where_the_seller_says(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    done, left = "https://example.com/done?a=1#b", "HTTP://example.com:8080/pricing"
    for said, back in (
        ({"returnUrl": done, "cancelUrl": left}, left), ({"returnUrl": done}, done),
        ({"cancelUrl": left}, left), ({}, None),
    ):  # fmt: skip
        page = await opened(client, client, **said)
        assert (await page.look()).get("backUrl") == back
        assert (await page.look()).get("returnUrl") == said.get("returnUrl")
        clock.advance(timedelta(minutes=15))
        assert (await page.look()).get("backUrl") == back, "also once the link has expired"


async def test_an_offer_says_what_is_billed_beyond_its_limit(client: Client, nobody: Client) -> None:
    more = {"allowOverage": True, "maxOverage": 500, "overageRate": 7}
    tiers = [{"minUsage": 0, "maxUsage": 5, "creditsPerUnit": 50}, {"minUsage": 6, "creditsPerUnit": 30}]
    hybrid = {"type": "hybrid", "basePrice": 100, "limit": 10}
    for said, limit, overage in (
        (hybrid | {"overagePolicy": more}, 10, {"tiers": [{"creditsPerUnit": 7}], "maxUnits": 500}),
        (hybrid | {"overagePolicy": {"allowOverage": True}, "usageTiers": tiers}, 10,
         {"tiers": [{"creditsPerUnit": 50, "upTo": 5}, {"creditsPerUnit": 30}]}),
        (hybrid, 10, None), ({"limit": 0}, None, None), ({"freeUnits": 5}, 5, None),
    ):  # fmt: skip
        page = await opened(client, nobody, planRef=await plan(client, **said))
        offered = (await page.look())["plan"]
        assert (offered.get("limit"), offered.get("overage")) == (limit, overage), said
