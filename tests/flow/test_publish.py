"""`POST /v1/sdk/events` and its bulk over HTTP: accepted and refused events, and the errors."""

import asyncio
import gzip
from typing import Any

import pytest
import zstandard

from meterhouse.http.body import BULK_BYTES, SINGLE_BYTES
from meterhouse.wiring import Service
from tests.conftest import Client
from tests.flow.answers import error, faults, ok

SINGLE, BULK = "/v1/sdk/events", "/v1/sdk/events/bulk"
GOOD: dict[str, Any] = {"type": "usage.api_call", "customerRef": "cus_3C4D5E6F", "units": 1}
JSON = {"content-type": "application/json"}


async def counted(service: Service, client: Client) -> int:
    await service.catch_up()
    total: int = ok(await client.get("/v1/usage", params={"aggregate": "count"}))["total"]
    return total


async def tally(client: Client) -> dict[str, Any]:
    total: dict[str, Any] = ok(await client.get("/v1/ingest"))["total"]
    assert total["received"] == total["stored"] + total["duplicates"] + total["rejected"]
    return total


async def test_an_event_is_published_and_seen(service: Service, client: Client) -> None:
    published = ok(await client.post(SINGLE, json=GOOD | {"productRef": "prd_content_api"}), 201)
    assert published["eventId"].startswith("evt_")
    assert set(published) == {"eventId"}
    await service.catch_up()
    seen = ok(await client.get(f"/v1/events/{published['eventId']}"))
    assert (seen["type"], seen["customerRef"], seen["productRef"], seen["units"]) == (
        "usage.api_call", "cus_3C4D5E6F", "prd_content_api", 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"usage.api_call","customerRef":"cus_3C4D5E6F","productRef":"prd_content_api","units":1}',
        b'{"type":"usage.api_call","productRef":"prd_content_api","units":1,"customerId":"cus_3C4D5E6F"}',
    ],
    ids=["customerRef", "customerId"],
)
async def test_both_historical_bodies_of_the_contract_are_taken(client: Client, body: bytes) -> None:
    ok(await client.post(SINGLE, content=body, headers=JSON), 201)


async def test_the_content_type_may_be_missing(client: Client) -> None:
    ok(await client.post(SINGLE, content=b'{"type":"a.b","customerRef":"cus_3C4D5E6F","units":0}'), 201)


async def test_slashes_in_the_path_collapse(client: Client) -> None:
    ok(await client.post("http://meterhouse.test//v1/sdk//events", json=GOOD), 201)


async def test_a_repeat_answers_200_with_the_same_id(service: Service, client: Client) -> None:
    first = ok(await client.post(SINGLE, json=GOOD | {"idempotencyKey": "k"}), 201)
    again = ok(await client.post(SINGLE, json=GOOD | {"idempotencyKey": "k"}))
    assert again == {"eventId": first["eventId"], "duplicate": True}
    assert await counted(service, client) == 1


async def test_the_header_is_a_key_too(client: Client) -> None:
    first = ok(await client.post(SINGLE, json=GOOD, headers={"Idempotency-Key": "k"}), 201)
    again = ok(await client.post(SINGLE, json=GOOD | {"idempotencyKey": "k"}))
    assert again["eventId"] == first["eventId"]
    both = await client.post(SINGLE, json=GOOD | {"idempotencyKey": "k"}, headers={"Idempotency-Key": "j"})
    assert "idempotencyKey" in faults(both)


async def test_other_spacing_and_spelling_mean_the_same(client: Client) -> None:
    first = b"""{"type":"a.b","customerRef":"cus_3C4D5E6F","units":1.50,
        "idempotencyKey":"k","properties":{"a":1,"b":2}}"""
    again = b"""{ "properties" : {"b":2.0,"a":1e0}, "idempotencyKey":"k",
        "units":1.5, "customerId":"cus_3C4D5E6F", "type":"a.b" }"""
    one = ok(await client.post(SINGLE, content=first, headers=JSON), 201)
    assert ok(await client.post(SINGLE, content=again, headers=JSON))["eventId"] == one["eventId"]


@pytest.mark.parametrize(
    "other",
    [
        {"units": 2},
        {"type": "usage.other"},
        {"productRef": "prd_content_api"},
        {"timestamp": "2026-11-01T00:00:00Z"},
        {"properties": {"a": 1}},
    ],
    ids=str,
)
async def test_the_same_key_with_another_meaning_is_409_and_stores_nothing(
    service: Service, client: Client, other: dict[str, Any]
) -> None:
    ok(await client.post(SINGLE, json=GOOD | {"idempotencyKey": "k"}), 201)
    error(await client.post(SINGLE, json=GOOD | other | {"idempotencyKey": "k"}), 409, "idempotency_conflict")
    assert await counted(service, client) == 1


async def test_a_refused_request_burns_no_key(client: Client) -> None:
    faults(await client.post(SINGLE, json=GOOD | {"units": -1, "idempotencyKey": "k"}))
    ok(await client.post(SINGLE, json=GOOD | {"idempotencyKey": "k"}), 201)


async def test_a_key_is_one_event_whether_single_or_in_bulk(service: Service, client: Client) -> None:
    single = ok(await client.post(SINGLE, json=GOOD | {"idempotencyKey": "k"}), 201)
    bulk = ok(await client.post(BULK, json={"events": [GOOD | {"idempotencyKey": "k"}]}))
    assert bulk["results"] == [{"status": "duplicate", "eventId": single["eventId"]}]
    assert await counted(service, client) == 1


async def test_the_same_key_at_the_same_instant_from_50_connections_is_one_event(
    service: Service, client: Client
) -> None:
    answers = await asyncio.gather(
        *(client.post(SINGLE, json=GOOD | {"idempotencyKey": "k"}) for _ in range(50))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert len({answer.json()["eventId"] for answer in answers}) == 1
    assert await counted(service, client) == 1


async def test_two_environments_may_use_the_same_key(client: Client, live: Client) -> None:
    created = ok(
        await live.post("/v1/sdk/customers", json={"email": "a@b.se", "reference": "cus_3C4D5E6F"}), 201
    )
    assert created["reference"] == "cus_3C4D5E6F"
    ok(await client.post(SINGLE, json=GOOD | {"idempotencyKey": "k"}), 201)
    ok(await live.post(SINGLE, json=GOOD | {"idempotencyKey": "k"}), 201)


UNITS = ["-1", '"5"', '"NaN"', "1e400", "1e16", "0.1234567891", "true", "null", "[]", "{}"]


@pytest.mark.parametrize("units", UNITS)
async def test_units_that_are_no_amount_are_refused_by_name(client: Client, units: str) -> None:
    body = f'{{"type":"a.b","customerRef":"cus_3C4D5E6F","units":{units}}}'
    assert set(faults(await client.post(SINGLE, content=body, headers=JSON))) == {"units"}
    assert (await tally(client))["codes"] == {"validation_failed": 1}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b'{"units":NaN}', ""),
        (b'{"type":"\xff"}', ""),
        (b'{"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}", ""),
        (b'{"type":7}', "type"),
    ],
)
@pytest.mark.parametrize("route", [SINGLE, BULK])
async def test_a_body_that_cannot_be_read_is_400_and_counted(
    client: Client, route: str, body: bytes, path: str
) -> None:
    found = faults(await client.post(route, content=body, headers=JSON))
    assert set(found) == {"events" if route == BULK and body.startswith(b'{"type"') else path}
    assert (await tally(client))["rejected"] == 1


@pytest.mark.parametrize(
    "timestamp", ["2026-11-01T00:00:00", "0001-01-01T00:00:00Z", "2026-11-01T00:00:00.1234567"]
)
async def test_a_time_that_is_no_instant_of_ours_is_refused_by_name(client: Client, timestamp: str) -> None:
    assert set(faults(await client.post(SINGLE, json=GOOD | {"timestamp": timestamp}))) == {"timestamp"}


async def test_an_unknown_customer_or_product_is_404(client: Client) -> None:
    unknown = error(
        await client.post(SINGLE, json=GOOD | {"customerRef": "cus_nobody"}), 404, "customer_not_found"
    )
    assert "not found" in unknown["message"]
    error(await client.post(SINGLE, json=GOOD | {"productRef": "prd_nothing"}), 404, "product_not_found")
    assert (await tally(client))["codes"] == {"customer_not_found": 1, "product_not_found": 1}


async def test_another_scopes_customer_cannot_be_told_from_an_unknown_one(
    client: Client, stranger: Client
) -> None:
    theirs = ok(
        await stranger.post("/v1/sdk/customers", json={"email": "a@b.se", "reference": "cus_theirs"}), 201
    )
    answers = [
        (await client.post(SINGLE, json=GOOD | {"customerRef": ref})).json()
        for ref in (theirs["reference"], "cus_nobody")
    ]
    for answer, ref in zip(answers, (theirs["reference"], "cus_nobody"), strict=True):
        answer.pop("requestId")
        answer["message"] = answer["message"].replace(ref, "…")
    assert answers[0] == answers[1]


async def test_no_key_and_bad_keys_are_401(client: Client, nobody: Client) -> None:
    for headers in (
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer sk_sandbox_x"},
        {"authorization": "Basic x"},
    ):
        refused = await nobody.post(SINGLE, json=GOOD, headers=headers)
        error(refused, 401, "invalid_api_key")
        assert refused.headers["www-authenticate"] == "Bearer"
    assert (await tally(client))["received"] == 0


async def test_the_other_environment_named_in_the_query_is_403(client: Client) -> None:
    ok(await client.post(SINGLE, params={"environment": "sandbox"}, json=GOOD), 201)
    refused = error(
        await client.post(SINGLE, params={"environment": "live"}, json=GOOD), 403, "key_env_mismatch"
    )
    assert (refused["keyEnvironment"], refused["providerEnvironment"]) == ("sandbox", "live")


@pytest.mark.parametrize(("route", "limit"), [(SINGLE, SINGLE_BYTES), (BULK, BULK_BYTES)])
async def test_a_body_over_the_limit_is_413(client: Client, route: str, limit: int) -> None:
    error(await client.post(route, content=b" " * (limit + 1), headers=JSON), 413, "payload_too_large")
    assert (await tally(client))["codes"] == {"payload_too_large": 1}


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_decompression_bomb_is_413(client: Client, encoding: str) -> None:
    bomb = b" " * (100 * 1024 * 1024)
    packed = gzip.compress(bomb) if encoding == "gzip" else zstandard.compress(bomb)
    headers = JSON | {"content-encoding": encoding}
    error(await client.post(BULK, content=packed, headers=headers), 413, "payload_too_large")


@pytest.mark.parametrize("headers", [{"content-type": "text/csv"}, JSON | {"content-encoding": "br"}])
async def test_another_type_or_encoding_is_415_and_says_what_is_taken(
    client: Client, headers: dict[str, str]
) -> None:
    refused = error(await client.post(BULK, content=b"{}", headers=headers), 415, "unsupported_media_type")
    assert "json" in refused["message"] or "gzip" in refused["message"]


async def test_a_bulk_answers_for_each_event_in_order(service: Service, client: Client) -> None:
    await client.post(SINGLE, json=GOOD | {"idempotencyKey": "old"})
    events = [
        GOOD,
        GOOD | {"units": -1},
        GOOD | {"idempotencyKey": "old"},
        GOOD | {"idempotencyKey": "old", "units": 9},
        GOOD | {"customerRef": "cus_nobody"},
        7,
        GOOD | {"idempotencyKey": "new"},
        GOOD | {"idempotencyKey": "new"},
    ]
    answer = ok(await client.post(BULK, json={"events": events}))
    results = answer["results"]
    assert [result["status"] for result in results] == [
        "stored", "rejected", "duplicate", "rejected", "rejected", "rejected", "stored", "duplicate",
    ]  # fmt: skip
    assert [result.get("code") for result in results if result["status"] == "rejected"] == [
        "validation_failed", "idempotency_conflict", "customer_not_found", "validation_failed",
    ]  # fmt: skip
    assert results[1]["errors"][0]["path"] == "units"
    assert results[7]["eventId"] == results[6]["eventId"]
    assert (answer["stored"], answer["duplicates"], answer["rejected"]) == (2, 2, 4)
    assert await counted(service, client) == 3
    assert await tally(client) == {
        "received": 9, "stored": 3, "duplicates": 2, "rejected": 4,
        "codes": {"validation_failed": 2, "idempotency_conflict": 1, "customer_not_found": 1},
    }  # fmt: skip


async def test_ids_of_a_bulk_are_those_of_its_events(service: Service, client: Client) -> None:
    events = [GOOD | {"units": 1000 + i} for i in range(50)]
    events.insert(20, GOOD | {"units": -1})
    results = ok(await client.post(BULK, json={"events": events}))["results"]
    await service.catch_up()
    for event, result in zip(events, results, strict=True):
        if result["status"] == "stored":
            assert ok(await client.get(f"/v1/events/{result['eventId']}"))["units"] == event["units"]


async def test_a_bulk_may_be_lines_and_compressed(service: Service, client: Client) -> None:
    lines = b'{"type":"a.b","customerRef":"cus_3C4D5E6F","units":1}\n\n' * 3 + b"{oops"
    ndjson = {"content-type": "application/x-ndjson"}
    plain = ok(await client.post(BULK, content=lines, headers=ndjson))
    packed = ok(
        await client.post(BULK, content=gzip.compress(lines), headers=ndjson | {"content-encoding": "gzip"})
    )
    zstd = ok(
        await client.post(
            BULK, content=zstandard.compress(lines), headers=ndjson | {"content-encoding": "zstd"}
        )
    )
    assert [(each["stored"], each["rejected"]) for each in (plain, packed, zstd)] == [(3, 1)] * 3
    assert await counted(service, client) == 9


async def test_a_header_on_a_bulk_gives_each_event_its_own_key(service: Service, client: Client) -> None:
    bulk = {"events": [GOOD, GOOD | {"idempotencyKey": "own"}, GOOD]}
    first = ok(await client.post(BULK, json=bulk, headers={"Idempotency-Key": "h"}))
    again = ok(await client.post(BULK, json=bulk, headers={"Idempotency-Key": "h"}))
    assert (first["stored"], again["duplicates"]) == (3, 3)
    await service.catch_up()
    keys = {event["idempotencyKey"] for event in ok(await client.get("/v1/events"))["events"]}
    assert keys == {"h#0", "own", "h#2"}


async def test_10_000_events_are_a_bulk_and_10_001_are_too_many(client: Client) -> None:
    event = b'{"type":"a.b","customerRef":"cus_3C4D5E6F","units":1}'

    def bulk(count: int) -> bytes:
        return b'{"events":[' + b",".join([event] * count) + b"]}"

    assert ok(await client.post(BULK, content=bulk(10_000), headers=JSON))["stored"] == 10_000
    error(await client.post(BULK, content=bulk(10_001), headers=JSON), 413, "payload_too_large")
    faults(await client.post(BULK, content=bulk(0), headers=JSON))


async def test_a_rejection_is_kept_with_its_reason(client: Client) -> None:
    await client.post(SINGLE, json=GOOD | {"units": -1})
    (kept,) = ok(await client.get("/v1/ingest"))["rejections"]
    assert kept["code"] == "validation_failed"
    assert kept["errors"] == [{"path": "units", "message": "must not be negative"}]


async def test_every_part_of_a_compressed_body_is_read_and_a_cut_one_is_refused(client: Client) -> None:
    ndjson = {"content-type": "application/x-ndjson"}
    lines = [b'{"type":"a.b","customerRef":"cus_3C4D5E6F","units":%d}\n' % i for i in range(2)]
    for encoding, compress in (("gzip", gzip.compress), ("zstd", zstandard.compress)):
        headers = ndjson | {"content-encoding": encoding}
        both = b"".join(compress(line) for line in lines)
        assert ok(await client.post(BULK, content=both, headers=headers))["stored"] == 2
        cut = await client.post(BULK, content=both[:-3], headers=headers)
        assert "ends too early" in error(cut, 400, "validation_failed")["errors"][0]["message"]
        crumbs = compress(b"") * 1_001
        refused = await client.post(BULK, content=crumbs, headers=headers)
        assert "parts" in error(refused, 400, "validation_failed")["errors"][0]["message"]


@pytest.mark.parametrize("number", ["1e99999999999999999999", "1e-99999999999999999999"])
async def test_an_exponent_beyond_all_bounds_is_refused_alone(client: Client, number: str) -> None:
    body = '{"type":"a.b","customerRef":"cus_3C4D5E6F","units":%s}'
    error(await client.post(SINGLE, content=body % number, headers=JSON), 400, "validation_failed")
    bulk = f'{{"events":[{body % number},{body % 1}]}}'
    answer = ok(await client.post(BULK, content=bulk, headers=JSON))
    assert (answer["stored"], answer["rejected"]) == (1, 1)
    within = body % f'1,"properties":{{"n":{number}}}'
    assert faults(await client.post(SINGLE, content=within, headers=JSON)).keys() <= {"", "properties"}


@pytest.mark.parametrize("path", [SINGLE, BULK])
async def test_an_empty_idempotency_key_is_no_key_to_count_by(client: Client, path: str) -> None:
    body = GOOD if path == SINGLE else {"events": [GOOD]}
    refused = await client.post(path, json=body, headers={"Idempotency-Key": ""})
    assert set(faults(refused)) == {"idempotencyKey"}


async def test_far_too_many_bad_events_are_one_413(client: Client) -> None:
    bulk = b'{"events":[' + b",".join([b"0"] * 10_001) + b"]}"
    error(await client.post(BULK, content=bulk, headers=JSON), 413, "payload_too_large")


async def test_a_kept_rejection_names_the_field(client: Client) -> None:
    error(await client.post(SINGLE, json=GOOD | {"customerRef": "cus_NONE"}), 404, "customer_not_found")
    (kept,) = ok(await client.get("/v1/ingest"))["rejections"]
    assert kept["errors"][0]["path"] == "customerRef"
