"""The time of an event: the caller's, the SDK's own, and digits finer than a microsecond."""

from datetime import UTC, datetime, timedelta

import pytest

from meterhouse.wiring import Service
from tests.conftest import Client
from tests.flow.answers import error, faults, ok
from tests.flow.test_publish import GOOD, SINGLE


async def test_the_sdks_own_time_is_when_the_event_happened_and_no_part_of_it(
    service: Service, client: Client
) -> None:
    buffered = {"idempotencyKey": "k", "bufferedAt": "2026-11-01T00:00:00.5Z"}
    first = ok(await client.post(SINGLE, json=GOOD | buffered), 201)
    later = buffered | {"bufferedAt": "2026-11-01T00:00:01Z"}
    for again in (later, {"idempotencyKey": "k"}):
        assert ok(await client.post(SINGLE, json=GOOD | again)) == first | {"duplicate": True}
    conflict = await client.post(SINGLE, json=GOOD | buffered | {"timestamp": "2026-11-01T00:00:00.5Z"})
    error(conflict, 409, "idempotency_conflict")
    await service.catch_up()
    seen = ok(await client.get(f"/v1/events/{first['eventId']}"))
    assert seen["timestamp"] == "2026-11-01T00:00:00.500000Z"


@pytest.mark.parametrize("path", ["/v1/sdk/usages", "/v1/sdk/meter-events"])
async def test_a_meter_event_happened_at_the_sdks_own_time(
    service: Service, client: Client, path: str
) -> None:
    at = (datetime.now(UTC) - timedelta(days=1)).replace(microsecond=0)
    body = {"customerRef": "cus_3C4D5E6F", "bufferedAt": at.isoformat(), "idempotencyKey": "k"}
    ok(await client.post(path, json=body))
    ok(await client.post(path, json=body | {"bufferedAt": (at + timedelta(hours=1)).isoformat()}))
    await service.catch_up()
    (seen,) = ok(await client.get("/v1/events", params={"kind": "meter"}))["events"]
    assert datetime.fromisoformat(seen["timestamp"]) == at
    assert list(faults(await client.post(path, json=body | {"bufferedAt": "now"}))) == ["bufferedAt"]


@pytest.mark.parametrize("path", [SINGLE, "/v1/sdk/usages", "/v1/sdk/meter-events"])
@pytest.mark.parametrize("digits", ["1234567", "123456789"])
async def test_digits_finer_than_a_microsecond_are_cut_on_every_route(
    service: Service, client: Client, path: str, digits: str
) -> None:
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    body = {"customerRef": "cus_3C4D5E6F", "timestamp": f"{day}T10:00:00.{digits}Z"}
    more = {"type": "a.b", "units": 1} if path == SINGLE else {}
    assert (await client.post(path, json=body | more)).status_code in (200, 201)
    await service.catch_up()
    (seen,) = ok(await client.get("/v1/events", params={"kind": "all"}))["events"]
    assert seen["timestamp"] == f"{day}T10:00:00.123456Z"
    exact = {"kind": "all", "from": f"{day}T10:00:00.{digits}Z", "to": f"{day}T10:00:00.123457Z"}
    assert len(ok(await client.get("/v1/events", params=exact))["events"]) == 1
