"""`GET /v1/ingest`: received = stored + duplicates + rejected, whatever comes in (promise 7)."""

from typing import Any

from tests.conftest import Client
from tests.flow.answers import faults, ok

EVENT = {"type": "usage.api_call", "customerRef": "cus_3C4D5E6F", "units": 1}


def balanced(counts: dict[str, Any]) -> dict[str, Any]:
    assert counts["received"] == counts["stored"] + counts["duplicates"] + counts["rejected"]
    assert counts["rejected"] == sum(counts["codes"].values())
    return counts


async def test_a_kept_rejection_has_its_first_twenty_faults(client: Client) -> None:
    await client.post("/v1/sdk/usages/bulk", json={"events": [{"units": -1}] * 500})
    (kept,) = ok(await client.get("/v1/ingest"))["rejections"]
    assert len(kept["errors"]) == 21
    assert kept["errors"][-1]["message"].startswith("and ")


async def test_everything_that_comes_in_is_stored_a_duplicate_or_rejected(
    client: Client, live: Client
) -> None:
    keyed = EVENT | {"idempotencyKey": "k"}
    ok(await client.post("/v1/sdk/events", json=keyed), 201)
    ok(await client.post("/v1/sdk/events", json=keyed))
    await client.post("/v1/sdk/events", json=keyed | {"units": 2})
    await client.post("/v1/sdk/events", json=EVENT | {"units": -1})
    await client.post("/v1/sdk/events", json=EVENT | {"customerRef": "cus_nobody"})
    await client.post("/v1/sdk/events", content=b"{")
    await client.post("/v1/sdk/events", content=b"x" * 300_000)
    await client.post("/v1/sdk/events", content=b"x", headers={"content-type": "text/plain"})
    ok(await client.post("/v1/sdk/events/bulk", json={"events": [EVENT, EVENT | {"type": "x"}, keyed]}))
    answer = ok(await client.get("/v1/ingest"))
    assert balanced(answer["total"]) == {
        "received": 11, "stored": 2, "duplicates": 2, "rejected": 7,
        "codes": {
            "idempotency_conflict": 1, "validation_failed": 3, "customer_not_found": 1,
            "payload_too_large": 1, "unsupported_media_type": 1,
        },
    }  # fmt: skip
    assert sum(balanced(hour["counts"])["received"] for hour in answer["hours"]) == 11
    assert len(answer["rejections"]) == 7
    newest = answer["rejections"][0]
    assert newest["code"] == "validation_failed"
    assert newest["errors"][0]["path"] == "type"
    others = ok(await live.get("/v1/ingest"))
    assert (others["total"]["received"], others["hours"], others["rejections"]) == (0, [], [])


async def test_the_last_thousand_rejections_are_kept(client: Client) -> None:
    wrong = [EVENT | {"type": f"usage.n{n}", "units": -1} for n in range(1500)]
    ok(await client.post("/v1/sdk/events/bulk", json={"events": wrong}))
    answer = ok(await client.get("/v1/ingest"))
    assert answer["total"]["rejected"] == 1500
    assert len(answer["rejections"]) == 1000


async def test_hours_are_asked_for_by_time(client: Client) -> None:
    ok(await client.post("/v1/sdk/events", json=EVENT), 201)
    (hour,) = ok(await client.get("/v1/ingest"))["hours"]
    assert ok(await client.get("/v1/ingest", params={"from": hour["start"]}))["hours"] == [hour]
    before = {"from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00+01:00"}
    assert ok(await client.get("/v1/ingest", params=before))["hours"] == []
    for params, path in (
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-11-01T00:00:00"}, "to"),
        ({"to": "0.5"}, "to"),
        ({"from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z"}, "to"),
        ({"from": "2099-01-01"}, "from"),
        ({"from": "2020-01-01T00:00:00Z", "to": "2022-01-01T00:00:00Z"}, "from"),
    ):
        assert list(faults(await client.get("/v1/ingest", params=params))) == [path]
