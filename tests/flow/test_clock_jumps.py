"""A clock that was 40 days ahead, and is set back, as the server's clock does after a minute's wait."""

from datetime import timedelta
from pathlib import Path

import pytest

from meterhouse.model.finding import Health
from meterhouse.settings import Settings
from meterhouse.stores.embedded.checks import books
from meterhouse.wiring import open_service
from tests.conftest import Client, speak_to
from tests.contract.catalogs import Clock
from tests.flow.answers import ok
from tests.flow.shop import CUSTOMER, FREE, PRODUCT, activate, limits, plan, reserve, track, usage_of
from tests.flow.visitor import opened

AHEAD = timedelta(days=40)
OTHER = "cus_other"
WEEKLY = FREE | {"billingCycle": "weekly"}


async def test_an_event_of_the_wrong_future_holds_up_no_other_customer(
    timed: tuple[Clock, Client],
) -> None:
    clock, client = timed
    pro = await plan(client, **WEEKLY)
    ok(await client.post("/v1/sdk/customers", json={"reference": OTHER, "email": "other@example.com"}), 201)
    mine, others = [(await activate(client, pro, each))["purchaseRef"] for each in (CUSTOMER, OTHER)]
    clock.advance(AHEAD)
    await track(client, units=3)
    clock.advance(-AHEAD)
    await track(client, units=2, customerRef=OTHER)
    assert (await usage_of(client, others))["used"] == 2
    clock.advance(timedelta(days=7))
    assert (await usage_of(client, others))["used"] == 0, "the next week has begun"
    assert (await usage_of(client, mine))["used"] == 3, "the newest period stays the current one"
    clock.advance(AHEAD)
    assert (await usage_of(client, mine))["used"] == 0


async def test_the_limit_of_a_period_is_not_given_again(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    await activate(client, await plan(client, **WEEKLY))
    await track(client, units=10)
    clock.advance(AHEAD)
    await track(client, units=10)
    clock.advance(-AHEAD)
    assert (await limits(client))["remaining"] == 0
    assert not (await reserve(client, 1))["withinLimits"]


async def test_a_hold_ends_after_its_own_time_wherever_the_clock_was(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    await activate(client, await plan(client, **WEEKLY))
    clock.advance(AHEAD)
    ahead = await reserve(client, 4, ttl=1)
    clock.advance(-AHEAD)
    assert ok(await client.get(f"/v1/sdk/holds/{ahead['holdRef']}"))["status"] == "expired"
    now = await reserve(client, 3, ttl=1)
    assert now["withinLimits"]
    clock.advance(timedelta(seconds=1))
    assert ok(await client.get(f"/v1/sdk/holds/{now['holdRef']}"))["status"] == "expired"
    assert (await limits(client))["remaining"] == 10


async def test_a_customer_and_a_purchase_of_the_wrong_future_count_from_now(
    timed: tuple[Clock, Client],
) -> None:
    clock, client = timed
    pro = await plan(client, **WEEKLY)
    clock.advance(AHEAD)
    ok(await client.post("/v1/sdk/customers", json={"reference": OTHER, "email": "other@example.com"}), 201)
    bought = (await activate(client, pro, OTHER))["purchaseRef"]
    clock.advance(-AHEAD)
    await track(client, units=2, customerRef=OTHER)
    await track(client, units=1, customerRef=OTHER, timestamp=clock().isoformat())
    assert (await usage_of(client, bought))["used"] == 3
    assert (await activate(client, pro, OTHER))["purchaseRef"] == bought


async def test_a_checkout_link_of_the_wrong_future_ends_and_its_key_opens_another(
    timed: tuple[Clock, Client],
) -> None:
    clock, client = timed
    pro = await plan(client, price=1900)
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT, "planRef": pro}
    headers = {"idempotency-key": "order 1"}
    clock.advance(AHEAD)
    ahead = ok(await client.post("/v1/sdk/checkout-sessions", json=body, headers=headers), 201)
    clock.advance(-AHEAD)
    again = ok(await client.post("/v1/sdk/checkout-sessions", json=body, headers=headers), 201)
    assert again["sessionId"] != ahead["sessionId"]
    page = await opened(client, client, planRef=pro)
    assert (await page.look())["status"] == "active"


async def test_a_start_after_the_wrong_future_serves_and_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The metrics and one line of the log say how far the ledger is ahead; `doctor` says it too."""
    clock, settings = Clock(), Settings(data=str(tmp_path / "data"))
    async with open_service(settings, clock) as service:
        assert service.first_start is not None
        key = service.first_start.secret
        client = speak_to(service, key)
        await activate(client, await plan(client, **WEEKLY))
        clock.advance(AHEAD)
        await track(client, units=1)
    clock.advance(-AHEAD)
    capsys.readouterr()
    async with open_service(settings, clock) as service:
        client = speak_to(service, key)
        await track(client, units=1)
        assert (await limits(client))["remaining"] == 8
        metrics = dict(line.rsplit(" ", 1) for line in (await client.get("/metrics")).text.splitlines())
        assert float(metrics["meterhouse_clock_behind_seconds"]) == AHEAD.total_seconds()
        hold = await reserve(client, 1, ttl=1)
        clock.advance(timedelta(seconds=1))
        assert ok(await client.get(f"/v1/sdk/holds/{hold['holdRef']}"))["status"] == "expired"
    assert capsys.readouterr().err.count("clock_behind_log") == 1
    (found,) = [each for each in books.check(Path(settings.data), clock) if each.subject == "clock"]
    assert found.health is Health.PROBLEM
    assert f"{AHEAD.days * 86_400 - 1} seconds" in found.sentence
