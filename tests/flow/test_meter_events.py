"""Meter events over HTTP, in answers: `/v1/usage`, `/v1/events` and the meters over them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from meterhouse.model.event import Submission
from meterhouse.settings import Settings
from meterhouse.stores.embedded.warehouse.store import DuckWarehouse
from meterhouse.wiring import Service, open_service
from tests.conftest import Client
from tests.contract.adapters import EmbeddedLog, EmbeddedWarehouse
from tests.contract.facts import OTHER_SCOPE, fact, metered, record
from tests.flow.answers import faults, ok

DETAILS = '{"description":"two pages","duration":0.30,"errorMessage":"late"}'
RECORDED = (
    metered("requests", 3)._replace(purchase_ref="pur_1", type="usage.api_call"),
    metered("tokens", 20)._replace(purchase_ref="pur_1", type="usage.custom", region="eu"),
    metered("tokens", 100)._replace(purchase_ref="pur_2", type="usage.custom", region="us"),
    metered("tokens", 5000, "fail")._replace(details=DETAILS),
)


@pytest.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """With meter events and a usage event of 7 units in its warehouse, in the scope of the first sandbox.

    The log is as long, and has something else: the warehouse takes nothing of it. The start is kept from
    noticing that the warehouse is of another log.
    """
    monkeypatch.setattr(DuckWarehouse, "holds", lambda *_: True)
    records = [record(RECORDED), record([fact(7)], position=2)]
    async with EmbeddedWarehouse(tmp_path) as beside:
        await beside.warehouse.insert(records)
    async with EmbeddedLog(tmp_path) as beside_it:
        for each in records:
            await beside_it.log.append(Submission(OTHER_SCOPE, each.events))
    async with open_service(Settings(data=str(tmp_path))) as opened:
        yield opened


async def total(client: Client, **parameters: Any) -> Any:
    return ok(await client.get("/v1/usage", params=parameters))["total"]


async def test_totals_mix_kinds_only_when_asked_and_can_be_narrowed(client: Client) -> None:
    assert await total(client) == 7
    assert await total(client, kind="meter") == 5123
    assert await total(client, kind="all") == 5130
    assert await total(client, kind="meter", outcome="success") == 123
    assert await total(client, kind="meter", meterName=["tokens", "requests"], outcome="success") == 123
    assert await total(client, kind="all", meterName="tokens", purchaseRef="pur_1") == 20


async def test_meter_events_are_grouped_by_what_only_they_have(client: Client) -> None:
    asked = {"kind": "meter", "groupBy": "meterName,outcome"}
    usage = ok(await client.get("/v1/usage", params=asked))
    assert [(each["group"], each["total"]) for each in usage["series"]] == [
        ({"meterName": "tokens", "outcome": "fail"}, 5000),
        ({"meterName": "tokens", "outcome": "success"}, 120),
        ({"meterName": "requests", "outcome": "success"}, 3),
    ]
    lines = (await client.get("/v1/usage", params=asked | {"format": "csv"})).text.splitlines()
    assert lines == [
        "meterName,outcome,value",
        "tokens,fail,5000",
        "tokens,success,120",
        "requests,success,3",
    ]
    usage = ok(await client.get("/v1/usage", params={"kind": "all", "groupBy": "purchaseRef"}))
    groups = {each["group"]["purchaseRef"]: each["total"] for each in usage["series"]}
    assert groups == {"pur_1": 23, "pur_2": 100, None: 5007}


async def test_a_meter_event_shows_what_was_said_of_it_and_a_usage_event_shows_none_of_it(
    client: Client,
) -> None:
    (failed,) = ok(await client.get("/v1/events", params={"kind": "meter", "outcome": "fail"}))["events"]
    only = {"meterName": "tokens", "outcome": "fail", "description": "two pages", "errorMessage": "late"}
    assert failed.items() >= (only | {"kind": "meter", "duration": 0.3}).items()
    assert "purchaseRef" not in failed
    quoted = ok(await client.get(f"/v1/events/{failed['eventId']}", params={"numbers": "string"}))
    assert (quoted["duration"], quoted["units"]) == ("0.3", "5000")
    (usage,) = ok(await client.get("/v1/events"))["events"]
    assert not usage.keys() & {*only, "duration", "purchaseRef"}
    bought = ok(await client.get("/v1/events", params={"kind": "meter", "purchaseRef": "pur_1"}))["events"]
    assert {each["units"] for each in bought} == {3, 20}


@pytest.mark.parametrize("route", ["/v1/usage", "/v1/events"])
async def test_what_only_meter_events_have_is_not_asked_of_usage_events(client: Client, route: str) -> None:
    for name, value in (("meterName", "tokens"), ("outcome", "fail"), ("purchaseRef", "pur_1")):
        refused = faults(await client.get(route, params={name: value}))
        assert refused == {name: "is of meter events only; add kind=meter or kind=all"}
    refused = faults(await client.get(route, params={"outcome": "failed", "kind": "meter"}))
    assert refused == {"outcome": "must be one of success, paywall, fail"}


async def test_usage_events_are_not_grouped_by_what_they_do_not_have(client: Client) -> None:
    refused = faults(await client.get("/v1/usage", params={"groupBy": "type,outcome"}))
    assert refused == {"groupBy": "outcome is of meter events only; add kind=meter or kind=all"}


async def counted(client: Client, **meter: Any) -> Any:
    made = ok(await client.post("/v1/meters", json=meter), 201)
    return ok(await client.get(f"/v1/meters/{made['reference']}/usage"))["total"]


async def test_one_meter_event_feeds_every_meter_that_counts_it(client: Client) -> None:
    assert ok(await client.get("/v1/meters/mtr_tokens/usage"))["total"] == 120
    assert ok(await client.get("/v1/meters/mtr_requests/usage"))["total"] == 3
    assert await counted(client, name="all", meterNames=["tokens", "requests"]) == 123
    in_europe = {"name": "eu", "meterNames": ["tokens"], "properties": {"region": ["eu"]}}
    assert await counted(client, **in_europe) == 20
    assert await counted(client, name="calls", meterNames=["tokens"], eventTypes=["usage.api_call"]) == 0
    assert await counted(client, name="largest", meterNames=["tokens"], aggregation="max") == 100
    assert await counted(client, name="seen", kind="usage") == 1
