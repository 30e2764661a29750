"""Products over HTTP: the contract's routes and its traps (solvapay.md §3.4, §7)."""

from typing import Any

import pytest

from tests.conftest import Client
from tests.flow.answers import error, faults, ok, without_request_id

URL = "/v1/sdk/products"


async def create(client: Client, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = ok(await client.post(URL, json={"name": "Writer"} | fields), 201)
    return body


async def test_a_product_answers_what_clients_need_of_it(client: Client) -> None:
    config = {"fulfillmentType": "digital", "validityPeriod": 30, "deliveryMethod": "api"}
    made = await create(client, description="Writes.", productType="llm", config=config, metadata={"a": 1})
    reference = made.pop("reference")
    times = {made.pop("createdAt"), made.pop("updatedAt")}
    assert made == {
        "name": "Writer", "description": "Writes.", "productType": "llm", "type": "llm", "status": "active",
        "balance": 0, "totalTransactions": 0, "isMcpPay": False, "config": config, "metadata": {"a": 1},
        "plans": [],
    }  # fmt: skip
    assert reference.startswith("prd_")
    assert len(times) == 1
    assert ok(await client.get(f"{URL}/{reference}"))["name"] == "Writer"


async def test_a_product_without_a_type_is_an_api(client: Client) -> None:
    made = await create(client)
    assert made["type"] == "api"
    assert "productType" not in made


async def test_what_one_client_calls_type_is_the_product_type(client: Client) -> None:
    sent = {"type": "agent", "defaultCurrency": "usd", "categories": ["x"], "capabilities": {}, "id": 5}
    made = await create(client, **sent)
    assert (made["type"], made["productType"], made["defaultCurrency"]) == ("agent", "agent", "usd")


async def test_an_integral_float_is_an_integer(client: Client) -> None:
    made = await client.post(URL, content=b'{"name":"Writer","config":{"validityPeriod":19.0}}')
    assert made.json()["config"] == {"validityPeriod": 19}
    for wrong in (b"1.5", b"0", b"-1", b"1e400", b"1e20"):
        refused = await client.post(URL, content=b'{"name":"W2","config":{"validityPeriod":%s}}' % wrong)
        assert refused.status_code == 400, wrong
    quoted = await client.post(URL, json={"name": "W2", "config": {"validityPeriod": "19"}})
    assert list(faults(quoted)) == ["config.validityPeriod"]


async def test_one_answer_names_every_fault(client: Client) -> None:
    refused = await client.post(
        URL,
        json={
            "name": "x", "description": "\u200b", "productType": "x" * 101, "status": "gone",
            "taxBehavior": "none", "defaultCurrency": "dollars", "config": {"validityPeriod": 0},
            "imageUrl": "x" * 2001, "reference": "cus_1",
        },
    )  # fmt: skip
    assert set(faults(refused)) == {
        "name", "description", "productType", "status", "taxBehavior", "defaultCurrency",
        "config.validityPeriod", "imageUrl", "reference",
    }  # fmt: skip
    assert list(faults(await client.post(URL, json={}))) == ["name"]


async def test_a_name_is_a_products_own_within_its_environment(client: Client, live: Client) -> None:
    made = await create(client)
    message = error(await client.post(URL, json={"name": "Writer"}), 409, "product_name_exists")["message"]
    assert "already exists" in message
    taken = await client.post(URL, json={"name": "Other", "reference": made["reference"]})
    error(taken, 409, "reference_exists")
    await create(live)


async def test_a_put_changes_what_it_says_and_nothing_else(client: Client) -> None:
    made = await create(client, config={"validityPeriod": 30}, metadata={"a": 1})
    url = f"{URL}/{made['reference']}"
    changed = ok(await client.put(url, json={"description": "New.", "config": {"deliveryMethod": "api"}}))
    expected = made | {
        "description": "New.",
        "config": {"validityPeriod": 30, "deliveryMethod": "api"},
        "updatedAt": changed["updatedAt"],
    }
    assert changed == expected
    assert ok(await client.get(url)) == expected


@pytest.mark.parametrize("body", [{"name": "My copy"}, {"newName": "My copy"}])
async def test_a_clone_takes_a_name_under_either_of_its_names(client: Client, body: dict[str, str]) -> None:
    made = await create(client, description="Writes.")
    clone = ok(await client.post(f"{URL}/{made['reference']}/clone", json=body), 201)
    assert clone["name"] == "My copy"
    assert clone["description"] == "Writes."
    assert clone["reference"] != made["reference"]


async def test_a_clone_without_a_body_is_named_after_its_original(client: Client) -> None:
    made = await create(client)
    url = f"{URL}/{made['reference']}/clone"
    empty = await client.post(url, headers={"content-type": "application/json"})
    assert ok(empty, 201)["name"] == "Writer (Copy)"
    assert ok(await client.post(url, json={}), 201)["name"] == "Writer (Copy 2)"
    assert list(faults(await client.post(url, json={"name": ""}))) == ["name"]


async def test_products_are_listed_newest_first_and_the_limit_is_clamped(client: Client) -> None:
    made = await create(client, description="Something special", isMcpPay=True)
    listed = ok(await client.get(URL))
    assert (listed["total"], listed["limit"], listed["offset"]) == (3, 50, 0)
    assert listed["products"][0] == made
    page = ok(await client.get(URL, params={"limit": "1000", "offset": "2"}))
    assert (len(page["products"]), page["limit"], page["offset"]) == (1, 100, 2)
    for params in ({"search": "SPECIAL"}, {"isMcpPay": "true"}, {"search": "writ", "status": "active"}):
        assert ok(await client.get(URL, params=params))["products"] == [made]
    assert ok(await client.get(URL, params={"status": "inactive"}))["products"] == []
    for name, wrong in (("status", "gone"), ("offset", "-1"), ("isMcpPay", "maybe"), ("limit", "many")):
        assert list(faults(await client.get(URL, params={name: wrong}))) == [name]


async def test_a_deleted_product_is_gone_and_its_events_are_refused(client: Client, live: Client) -> None:
    for each, action in ((client, "deleted"), (live, "soft_deleted")):
        made = await create(each)
        customer = ok(await each.post("/v1/sdk/customers", json={"email": "x@example.com"}), 201)
        event = {"type": "usage.api_call", "customerRef": customer["reference"], "units": 1}
        event["productRef"] = made["reference"]
        ok(await each.post("/v1/sdk/events", json=event), 201)
        url = f"{URL}/{made['reference']}"
        assert ok(await each.delete(url)) == {"success": True, "action": action}
        for response in (await each.get(url), await each.delete(url), await each.post(f"{url}/clone")):
            assert error(response, 404, "product_not_found")["message"] == "Product not found"
        error(await each.post("/v1/sdk/events", json=event), 404, "product_not_found")


async def test_a_product_of_another_scope_cannot_be_told_from_an_unknown_one(
    client: Client, live: Client, stranger: Client
) -> None:
    made = await create(client, reference="prd_secret")
    for other in (live, stranger):
        for method, suffix, body in (
            ("GET", "", None), ("PUT", "", {"name": "Mine"}), ("DELETE", "", None), ("POST", "/clone", None),
        ):  # fmt: skip
            theirs = await other.request(method, f"{URL}/prd_secret{suffix}", json=body)
            unknown = await other.request(method, f"{URL}/prd_nothing{suffix}", json=body)
            assert theirs.status_code == 404
            assert without_request_id(theirs) == without_request_id(unknown)
        assert ok(await other.get(URL))["products"] == []
    assert ok(await client.get(f"{URL}/prd_secret")) == made


async def test_a_request_repeated_with_its_key_answers_the_first_answer_again(client: Client) -> None:
    headers = {"idempotency-key": "k1"}
    first = await client.post(URL, json={"name": "Writer"}, headers=headers)
    again = await client.post(URL, json={"name": "Writer"}, headers=headers)
    assert (again.status_code, again.text) == (201, first.text)
    error(await client.post(URL, json={"name": "Other"}, headers=headers), 409, "idempotency_conflict")
    url = f"{URL}/{first.json()['reference']}"
    clones = [await client.post(f"{url}/clone", headers=headers) for _ in range(2)]
    assert clones[0].text == clones[1].text
    changes = [await client.put(url, json={"name": "Renamed"}, headers=headers) for _ in range(2)]
    assert changes[0].text == changes[1].text
    deletions = [await client.delete(url, headers=headers) for _ in range(2)]
    assert deletions[0].text == deletions[1].text
