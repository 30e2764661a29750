"""Idempotency keys have 1 to 256 characters, in the header and in the body, wherever one is taken."""

from typing import Any, Final

from tests.conftest import Client
from tests.flow.answers import error, faults, ok
from tests.flow.shop import CUSTOMER, PRODUCT, balance, limits, with_credits

BOUND: Final = "must have 1 to 256 characters"
DIFFERS: Final = "differs from the Idempotency-Key header; send one of them"
TOO_LONG: Final = "k" * 257
OF_CUSTOMER: Final[dict[str, Any]] = {"customerRef": CUSTOMER, "productRef": PRODUCT}
GRANTS: Final = f"/v1/sdk/customers/{CUSTOMER}/credits"


def in_body(key: str) -> dict[str, Any]:
    return {"idempotencyKey": key}


def in_event(key: str) -> dict[str, Any]:
    return {"events": [OF_CUSTOMER, OF_CUSTOMER | in_body(key)]}


def in_reserve(key: str) -> dict[str, Any]:
    return {"reserve": {"units": 1} | in_body(key)}


async def routes(client: Client) -> list[tuple[str, dict[str, Any], Any, str]]:
    """Each route with a body, what puts a key into it, and where that is then."""
    await with_credits(client, 10_000)
    hold = f"/v1/sdk/holds/{(await limits(client, reserve={'units': 1}))['holdRef']}"
    return [
        ("/v1/sdk/usages", OF_CUSTOMER, in_body, "idempotencyKey"),
        ("/v1/sdk/meter-events", OF_CUSTOMER, in_body, "idempotencyKey"),
        ("/v1/sdk/usages/bulk", {"events": [OF_CUSTOMER]}, in_event, "events.1.idempotencyKey"),
        ("/v1/sdk/meter-events/bulk", {"events": [OF_CUSTOMER]}, in_event, "events.1.idempotencyKey"),
        ("/v1/sdk/limits", OF_CUSTOMER | {"reserve": {"units": 1}}, in_reserve, "reserve.idempotencyKey"),
        (GRANTS, {"credits": 1}, in_body, "idempotencyKey"),
        (f"/v1/customers/{CUSTOMER}/credits/adjust", {"credits": 1}, in_body, "idempotencyKey"),
        (f"{hold}/settle", {"units": 1}, in_body, "idempotencyKey"),
        (f"{hold}/release", {}, in_body, "idempotencyKey"),
    ]


async def test_a_key_beyond_its_bounds_is_refused_by_its_field(client: Client) -> None:
    for url, body, put, path in await routes(client):
        for key in ("", TOO_LONG):
            assert faults(await client.post(url, json=body | put(key))) == {path: BOUND}, (url, len(key))
            refused = faults(await client.post(url, json=body, headers={"idempotency-key": key}))
            assert list(refused) == ["idempotencyKey"], (url, len(key))
    assert await balance(client) == 10_000


async def test_a_key_that_is_in_both_must_be_the_same(client: Client) -> None:
    for url, body, put, path in await routes(client):
        if url.endswith("bulk"):
            continue  # there the header is for the events without a key
        refused = await client.post(url, json=body | put("a"), headers={"idempotency-key": "b"})
        assert faults(refused) == {path: DIFFERS}, url


async def test_the_longest_key_is_taken(client: Client) -> None:
    for number, (url, body, put, _) in enumerate(await routes(client)):
        if url.endswith("/release"):
            continue  # the hold is settled by then
        longest = f"{number}" * 256  # some routes share their keys
        ok(await client.post(url, json=body | put(longest)))


async def test_without_a_reservation_a_header_has_its_bounds_too(client: Client) -> None:
    refused = await client.post("/v1/sdk/limits", json=OF_CUSTOMER, headers={"idempotency-key": TOO_LONG})
    assert faults(refused) == {"idempotencyKey": BOUND}


async def test_the_header_of_a_bulk_leaves_room_for_the_events_numbers(client: Client) -> None:
    for name, letter in (("usages", "a"), ("meter-events", "b"), ("events", "c")):
        url = f"/v1/sdk/{name}/bulk"
        event = OF_CUSTOMER | ({"type": "usage.call", "units": 1} if letter == "c" else {})
        body = {"events": [event] * 101}
        refused = faults(await client.post(url, json=body, headers={"idempotency-key": letter * 252}))
        assert list(refused) == ["idempotencyKey"]
        assert "1 to 251 characters" in refused["idempotencyKey"]
        ok(await client.post(url, json=body, headers={"idempotency-key": letter * 251}))


async def test_a_grant_takes_its_key_from_the_body_too(client: Client) -> None:
    body = {"credits": 5} | in_body("welcome")
    first = ok(await client.post(GRANTS, json=body))
    assert ok(await client.post(GRANTS, json=body)) == first
    assert ok(await client.post(GRANTS, json={"credits": 5}, headers={"idempotency-key": "welcome"})) == first
    error(await client.post(GRANTS, json=body | {"credits": 6}), 409, "idempotency_conflict")
    assert await balance(client) == 5


async def test_what_is_wrong_in_records_is_named_there(client: Client) -> None:
    url, good = "/v1/sdk/meter-events/bulk", OF_CUSTOMER
    said = [good, good | {"value": "5"}, good | {"meterName": "none"}, good | {"idempotencyKey": ""}]
    refused = faults(await client.post(url, json={"records": said}))
    assert list(refused) == ["records.1.value", "records.2.meterName", "records.3.idempotencyKey"]
    assert list(faults(await client.post(url, json={"records": []}))) == ["records"]
    nobody = await client.post(url, json={"records": [good, {"value": 1}]})
    assert list(faults(nobody)) == ["records.1.customerRef"]
    assert list(faults(await client.post(url, json={"records": [good, 5]}))) == ["records.1"]
    both = await client.post(url, json={"records": [good], "events": [good]})
    assert faults(both) == {"records": "is another name of events; send one of them"}
