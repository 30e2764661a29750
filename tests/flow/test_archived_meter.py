"""What ends and what goes on when the meter of a plan is archived: sold no more, counted as before."""

from typing import Any

import pytest

from tests.conftest import Client
from tests.flow.answers import error, faults, ok
from tests.flow.shop import CUSTOMER, FREE, PLANS, PRODUCT, activate, limits, plan, reserve, track, usage_of
from tests.flow.visitor import opened, purchases

PAGES = {"reference": "mtr_pages", "name": "pages", "aggregation": "sum"}


@pytest.fixture(autouse=True)
async def pages(client: Client) -> None:
    ok(await client.post("/v1/meters", json=PAGES), 201)


async def archive(client: Client) -> None:
    ok(await client.post("/v1/meters/mtr_pages/archive"))


async def status(client: Client, ref: str) -> str:
    return str(ok(await client.get(f"{PLANS}/{ref}"))["status"])


async def test_who_bought_a_plan_goes_on_when_its_meter_is_archived(client: Client) -> None:
    bought = (await activate(client, await plan(client, limit=10, measures="pages")))["purchaseRef"]
    await archive(client)
    hold = await reserve(client, 3)
    await track(client, units=2)
    ok(await client.post(f"/v1/sdk/holds/{hold['holdRef']}/settle", json={"units": 3}))
    assert (await usage_of(client, bought))["used"] == 5
    found = await limits(client)
    assert (found["withinLimits"], found["remaining"], found["meterName"]) == (True, 5, "pages")
    ok(await client.post(f"/v1/sdk/purchases/{bought}/cancel"))
    ok(await client.post(f"/v1/sdk/purchases/{bought}/reactivate"))
    named: dict[str, Any] = {"customerRef": CUSTOMER, "productRef": PRODUCT, "meterName": "pages"}
    assert set(faults(await client.post("/v1/sdk/usages", json=named))) == {"meterName"}


async def test_a_plan_whose_meter_is_archived_is_sold_no_more(client: Client, nobody: Client) -> None:
    free = await plan(client, **FREE, measures="pages")
    priced = await plan(client, name="Pro", price=500, measures="pages")
    page = await opened(client, nobody, planRef=priced)
    await archive(client)
    for ref in (free, priced):
        assert await activate(client, ref) == {"status": "invalid", "message": "Plan is not active"}
    assert "plan" not in await limits(client)
    assert (await page.offers(), (await page.look())["step"]) == ([], "choose")
    error(await page.send("select-plan", planRef=priced), 404, "plan_not_found")
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT, "planRef": priced}
    asked = await client.post("/v1/sdk/payment-intents", json=body, headers={"idempotency-key": "k"})
    assert set(faults(asked)) == {"planRef"}
    assert await purchases(client) == []


async def test_a_plan_is_active_again_once_it_measures_another_meter(client: Client) -> None:
    ref, other = await plan(client, measures="pages"), await plan(client, measures="tokens")
    await archive(client)
    assert (await status(client, ref), await status(client, other)) == ("inactive", "active")
    assert set(faults(await client.put(f"{PLANS}/{ref}", json={"status": "active"}))) == {"status"}
    ok(await client.put(f"{PLANS}/{ref}", json={"name": "Pages of old"}))  # all else may change
    ok(await client.put(f"{PLANS}/{ref}", json={"status": "active", "measures": "tokens"}))
    assert (await activate(client, ref))["status"] == "activated"


async def test_a_meter_whose_events_another_counts_is_archived_after_it(client: Client) -> None:
    for body in ({"name": "source"}, {"name": "all", "reference": "mtr_all", "meterNames": ["source"]}):
        ok(await client.post("/v1/meters", json=body | {"reference": f"mtr_{body['name']}"}), 201)
    refused = error(await client.post("/v1/meters/mtr_source/archive"), 409, "meter_counted")
    assert "mtr_all" in refused["message"]
    for ref in ("mtr_all", "mtr_source"):
        assert ok(await client.post(f"/v1/meters/{ref}/archive"))["status"] == "archived"
