"""Plans whose meter counts what is recorded on others, or not all of it: usage, and holds (docs/holds.md)."""

from typing import Any

import pytest

from meterhouse.wiring import Service
from tests.conftest import Client
from tests.flow.answers import ok
from tests.flow.shop import (
    CUSTOMER,
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
)

PLAIN = {"name": "pages", "aggregation": "sum"}
DERIVED = {"name": "tokens:all", "meterNames": ["tokens", "requests"], "aggregation": "sum"}
FILTERED = {"name": "tokens:gpt", "meterNames": ["tokens"], "properties": {"model": ["gpt"]}}
OF_A_TYPE = {"name": "hours", "aggregation": "sum", "eventTypes": ["usage.hour"]}
GPT, OTHER = {"metadata": {"model": "gpt"}}, {"metadata": {"model": "llama"}}


async def bought(client: Client, meter: dict[str, Any], **terms: Any) -> tuple[str, str]:
    """Let the customer have a plan that measures a new meter; return the purchase's ref and the meter's."""
    made = ok(await client.post("/v1/meters", json=meter), 201)["reference"]
    sold = await activate(client, await plan(client, meterRef=made, **{"limit": 100} | terms))
    return sold["purchaseRef"], made


async def reserve_and_settle(client: Client, units: int, **said: Any) -> dict[str, Any]:
    """Reserve 8 and settle some units; return what was booked."""
    return await settle(client, await reserve(client, 8), units, **said)


async def total(service: Service, client: Client, meter: str) -> Any:
    await service.catch_up()
    return ok(await client.get(f"/v1/meters/{meter}/usage"))["total"]


@pytest.mark.parametrize(
    ("meter", "said"), [(PLAIN, {}), (DERIVED, {}), (FILTERED, GPT), (OF_A_TYPE, {"actionType": "hour"})]
)
async def test_usage_recorded_on_the_meter_that_a_limit_check_names_counts(
    client: Client, meter: dict[str, Any], said: dict[str, Any]
) -> None:
    purchase, _ = await bought(client, meter)
    name = (await limits(client))["meterName"]
    await track(client, units=3, meterName=name, **said)
    assert (await usage_of(client, purchase))["used"] == 3
    properties = {"properties": said["metadata"]} if "metadata" in said else {}
    event = {"customerRef": CUSTOMER, "productRef": PRODUCT, "meterName": name} | properties
    ok(await client.post("/v1/sdk/meter-events", json=event))  # refused where nothing is recorded on it
    assert (await reserve(client, 1))["meterName"] == name


@pytest.mark.parametrize(
    ("meter", "said"),
    [(FILTERED, OTHER), (FILTERED, {}), (OF_A_TYPE, {}), (OF_A_TYPE, {"actionType": "email"})],
)
async def test_a_settle_that_does_not_feed_the_plans_meter_uses_nothing(
    service: Service, client: Client, meter: dict[str, Any], said: dict[str, Any]
) -> None:
    purchase, made = await bought(client, meter)
    done = await reserve_and_settle(client, 5, **said)
    assert (done["status"], done["units"], done["releasedUnits"], done["overLimitUnits"]) == (
        "settled", 0, 8, 0,
    )  # fmt: skip
    used = await usage_of(client, purchase)
    assert (used["used"], used["heldUnits"]) == (0, 0)
    assert await total(service, client, made) == 0
    (event,) = ok(await client.get("/v1/events", params={"kind": "meter"}))["events"]
    assert event["units"] == 5  # it happened, and is seen


async def test_settles_and_usages_agree_with_the_total_of_a_filtered_meter(
    service: Service, client: Client
) -> None:
    purchase, made = await bought(client, FILTERED)
    for said in (GPT, OTHER):
        await reserve_and_settle(client, 5, **said)
        await track(client, units=7, **said)
    assert (await usage_of(client, purchase))["used"] == await total(service, client, made) == 12
    assert (await limits(client))["remaining"] == 88


async def test_a_settle_that_does_not_feed_the_plans_meter_takes_no_credits(client: Client) -> None:
    await grant(client, 1000)
    await bought(client, FILTERED, type="usage-based", creditsPerUnit=10, limit=0)
    await reserve_and_settle(client, 5, **OTHER)
    assert (await balance(client), (await limits(client))["creditBalance"]) == (1000, 1000)
    await reserve_and_settle(client, 5, **GPT)
    assert (await balance(client), (await limits(client))["creditBalance"]) == (950, 950)
