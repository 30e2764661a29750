"""Customers over HTTP: the contract's routes and its traps (solvapay.md §3.3, §4.7, §7)."""

from typing import Any

import pytest

from meterhouse.model.page import CustomerSort
from meterhouse.query.cursors import write_cursor
from tests.conftest import Client
from tests.flow.answers import error, faults, ok, without_request_id
from tests.flow.shop import PAY_AS_YOU_GO, PRODUCT, activate, grant, plan

URL = "/v1/sdk/customers"


async def create(client: Client, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = ok(await client.post(URL, json={"email": "ada@example.com"} | fields), 201)
    return body


async def test_ensuring_a_customer_as_the_sdk_does_makes_one_and_then_finds_it(client: Client) -> None:
    params = {"externalRef": "auth0|5"}
    missing = await client.get(URL, params=params)
    assert error(missing, 404, "customer_not_found")["message"] == "Customer not found"
    email = "auth0|5-1767225600000@auto-created.local"
    sent: dict[str, Any] = {"email": email, "metadata": {}, "externalRef": "auth0|5"}
    made = ok(await client.post(URL, json=sent), 201)
    assert made["reference"].startswith("cus_")
    assert len(made["reference"]) == 12
    assert (made["email"], made["externalRef"], made["name"]) == (sent["email"], "auth0|5", "")
    assert ok(await client.get(URL, params=params)) == made
    assert ok(await client.get(f"{URL}/{made['reference']}")) == made
    assert ok(await client.get(URL, params={"email": sent["email"]})) == made
    assert ok(await client.get(URL, params={"reference": made["reference"]})) == made


async def test_a_taken_email_is_a_conflict_that_names_the_email(client: Client) -> None:
    await create(client)
    refused = await client.post(URL, json={"email": "ada@example.com"})
    message = error(refused, 409, "email_exists")["message"]
    assert "email" in message
    assert "already exists" in message


async def test_an_external_ref_is_linked_to_the_customer_with_this_email(client: Client) -> None:
    made = await create(client, name="Ada")
    linked = await create(client, externalRef="auth0|5")
    assert linked == made | {"externalRef": "auth0|5", "updatedAt": linked["updatedAt"]}
    refused = await client.post(URL, json={"email": "bob@example.com", "externalRef": "auth0|5"})
    assert "email" not in error(refused, 409, "external_ref_exists")["message"]


async def test_a_company_keeps_its_own_references(client: Client) -> None:
    assert (await create(client, reference="cus_ada-1"))["reference"] == "cus_ada-1"
    again = await client.post(URL, json={"email": "b@example.com", "reference": "cus_ada-1"})
    error(again, 409, "reference_exists")
    published = {"type": "usage.api_call", "customerRef": "cus_ada-1", "units": 1}
    ok(await client.post("/v1/sdk/events", json=published), 201)


@pytest.mark.parametrize("reference", ["ada", "prd_ada", "cus_", "cus_" + "a" * 17, "cus_a b", "cus_ä", ""])
async def test_a_reference_that_is_none_is_refused(client: Client, reference: str) -> None:
    refused = await client.post(URL, json={"email": "ada@example.com", "reference": reference})
    assert list(faults(refused)) == ["reference"]


async def test_one_answer_names_every_fault(client: Client) -> None:
    refused = await client.post(
        URL,
        json={
            "email": "ada", "name": "a\tb", "externalRef": "x" * 256, "description": "\x07",
            "telephone": "0701", "metadata": {"x": "y" * 16_384},
        },
    )  # fmt: skip
    assert set(faults(refused)) == {
        "email", "name", "externalRef", "description", "telephone", "metadata",
    }  # fmt: skip
    assert list(faults(await client.post(URL, json={}))) == ["email"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", 5), ("metadata", []), ("name", True), ("externalRef", 7)],
)
async def test_a_value_of_the_wrong_type_is_named_by_its_json_name(
    client: Client, field: str, value: object
) -> None:
    assert list(faults(await client.post(URL, json={"email": "ada@example.com", field: value}))) == [field]


@pytest.mark.parametrize("body", [b'{"email":"\xff@b.c"}', b'{"email":"\\ud800@b.c"}', b'{"email":"a@b.c",}'])
async def test_a_body_that_is_not_text_is_refused(client: Client, body: bytes) -> None:
    assert list(faults(await client.post(URL, content=body))) == [""]


@pytest.mark.parametrize("email", ["a@b.c", "a+b|c#1@auto-created.local", "é@exämple.org", "a@b.c.d"])
async def test_emails_that_clients_make_up_are_accepted(client: Client, email: str) -> None:
    assert (await create(client, email=email))["email"] == email


@pytest.mark.parametrize("email", ["", "a", "a@b", "@b.c", "a@b.", "a b@c.d", "a@b@c.d", "a@.c", "a\n@b.c"])
async def test_emails_that_are_none_are_refused(client: Client, email: str) -> None:
    assert list(faults(await client.post(URL, json={"email": email}))) == ["email"]


async def test_unknown_keys_are_ignored_and_numbers_in_metadata_keep_their_digits(client: Client) -> None:
    sent = b'{"email":"ada@example.com","tier":"gold","metadata":{"n":0.12345678901234567890}}'
    made = await client.post(URL, content=sent)
    assert made.status_code == 201
    assert '"metadata":{"n":0.12345678901234567890}' in made.text


async def test_a_patch_changes_what_it_says_and_nothing_else(client: Client) -> None:
    made = await create(client, externalRef="auth0|5", name="Ada", telephone="+46701234567")
    url = f"{URL}/{made['reference']}"
    patched = ok(await client.patch(url, json={"name": "Jane Doe", "externalRef": None}))
    assert patched == made | {"name": "Jane Doe", "updatedAt": patched["updatedAt"]}
    assert patched["purchases"] == []
    cleared = ok(await client.patch(url, json={"externalRef": "", "telephone": ""}))
    assert "externalRef" not in cleared
    assert "telephone" not in cleared
    assert ok(await client.get(url)) == cleared
    assert list(faults(await client.patch(url, json={"email": "x"}))) == ["email"]


async def test_times_are_written_with_milliseconds_and_z(client: Client) -> None:
    made = await create(client)
    assert len(made["createdAt"]) == len("2026-07-01T00:00:00.000Z")
    assert made["createdAt"].endswith("Z")


async def test_exactly_one_way_to_find_a_customer_must_be_given(client: Client) -> None:
    wrong: list[dict[str, str]] = [
        {},
        {"email": "a@b.c", "externalRef": "x"},
        {"reference": "c", "email": "e"},
    ]
    for params in wrong:
        refused = faults(await client.get(URL, params=params))
        assert refused == {"": "Must provide exactly one of reference, externalRef, or email"}


async def test_a_deleted_customer_is_gone_and_its_events_are_refused(client: Client, live: Client) -> None:
    for each, action in ((client, "deleted"), (live, "soft_deleted")):
        made = await create(each)
        event = {"type": "usage.api_call", "customerRef": made["reference"], "units": 1}
        ok(await each.post("/v1/sdk/events", json=event), 201)
        url = f"{URL}/{made['reference']}"
        assert ok(await each.delete(url)) == {"success": True, "action": action}
        missing = f"Customer with reference {made['reference']} not found"
        for response in (await each.get(url), await each.delete(url), await each.patch(url, json={})):
            assert error(response, 404, "customer_not_found")["message"] == missing
        error(await each.post("/v1/sdk/events", json=event), 404, "customer_not_found")


async def test_a_customer_of_another_scope_cannot_be_told_from_an_unknown_one(
    client: Client, live: Client, stranger: Client
) -> None:
    made = await create(client, reference="cus_ada", externalRef="auth0|5", name="Ada")
    for other in (live, stranger):
        for method, body in (("GET", None), ("PATCH", {"name": "Eve"}), ("DELETE", None)):
            theirs = await other.request(method, f"{URL}/cus_ada", json=body)
            unknown = await other.request(method, f"{URL}/cus_eve", json=body)
            assert theirs.status_code == unknown.status_code == 404
            said, expected = without_request_id(theirs), without_request_id(unknown)
            assert said.pop("message").replace("cus_ada", "cus_eve") == expected.pop("message")
            assert said == expected
        for params in ({"email": "ada@example.com"}, {"externalRef": "auth0|5"}, {"reference": "cus_ada"}):
            theirs = await other.get(URL, params=params)
            unknown = await other.get(URL, params=dict.fromkeys(params, "cus_eve"))
            assert theirs.status_code == 404
            assert without_request_id(theirs) == without_request_id(unknown)
        assert "ada" not in (await other.get("/v1/customers", params={"search": "ada"})).text
    assert ok(await client.get(f"{URL}/cus_ada")) == made


async def test_a_request_repeated_with_its_key_answers_the_first_answer_again(client: Client) -> None:
    headers = {"idempotency-key": "k1"}
    first = await client.post(URL, json={"email": "a@b.c"}, headers=headers)
    again = await client.post(URL, content=b'{ "email" : "a@b.c", "new": 1 }', headers=headers)
    assert (again.status_code, again.text) == (201, first.text)
    other = await client.post(URL, json={"email": "b@b.c"}, headers=headers)
    error(other, 409, "idempotency_conflict")
    reference = first.json()["reference"]
    for _ in range(2):  # the same key serves another operation
        deleted = await client.delete(f"{URL}/{reference}", headers=headers)
        assert ok(deleted) == {"success": True, "action": "deleted"}
    assert faults(await client.post(URL, json={}, headers={"idempotency-key": "k" * 257})).keys() == {
        "idempotencyKey"
    }


async def test_customers_are_listed_searched_and_sorted(client: Client) -> None:
    for name in ("Carl", "Ada", "Bob"):
        await create(client, email=f"{name}@example.com", name=name)
    found = ok(await client.get("/v1/customers", params={"search": "EXAMPLE.com", "sort": "name"}))
    assert [each["name"] for each in found["customers"]] == ["Ada", "Bob", "Carl"]
    assert found["nextCursor"] is None
    params = {"search": "example.com", "sort": "-name", "limit": "2"}
    first = ok(await client.get("/v1/customers", params=params))
    second = ok(await client.get("/v1/customers", params=params | {"cursor": first["nextCursor"]}))
    assert [each["name"] for each in (*first["customers"], *second["customers"])] == ["Carl", "Bob", "Ada"]
    assert second["nextCursor"] is None
    other = await client.get("/v1/customers", params={"cursor": first["nextCursor"]})
    assert list(faults(other)) == ["cursor"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"), ("limit", "1001"), ("limit", "x"), ("limit", "9" * 30), ("sort", "age"), ("sort", ""),
        ("cursor", "x"), ("cursor", "é"), ("cursor", ""), ("cursor", "gA"), ("search", "x" * 201),
    ],
)  # fmt: skip
async def test_a_wrong_question_is_refused_by_name(client: Client, name: str, value: str) -> None:
    assert list(faults(await client.get("/v1/customers", params={name: value}))) == [name]


async def test_a_forged_cursor_does_no_harm(client: Client) -> None:
    for place in ((2**64 - 1, "x"), ("x", "\0"), (None, "x"), (1, 2), (1,)):
        forged = write_cursor(place, "customers", "", CustomerSort.NEWEST)
        answer = await client.get("/v1/customers", params={"cursor": forged})
        assert answer.status_code in {200, 400}


@pytest.mark.parametrize(
    "path", ["//v1/sdk/customers/cus_3C4D5E6F", "/v1//sdk///customers/cus_3C4D5E6F", f"{URL}/cus_3C4D5E6F/"]
)
async def test_slashes_that_clients_double_are_collapsed(client: Client, path: str) -> None:
    assert ok(await client.get(f"http://meterhouse.test{path}"))["reference"] == "cus_3C4D5E6F"


async def test_a_body_that_is_empty_but_typed_as_json_does_no_harm(client: Client) -> None:
    headers = {"content-type": "application/json"}
    ok(await client.request("GET", f"{URL}/cus_3C4D5E6F", headers=headers, content=b""))
    assert faults(await client.post(URL, headers=headers, content=b"")) == {"": "a JSON body is required"}
    ok(await client.request("DELETE", f"{URL}/cus_3C4D5E6F", headers=headers, content=b""))


async def test_listed_customers_have_their_purchases_and_balances(client: Client) -> None:
    await create(client, reference="cus_none", email="none@example.com")
    await create(client, reference="cus_paying", email="paying@example.com")
    await grant(client, 70, "cus_paying")
    await activate(client, await plan(client, **PAY_AS_YOU_GO), "cus_paying")
    ok(await client.post("/v1/sdk/limits", json={
        "customerRef": "cus_paying", "productRef": PRODUCT, "reserve": {"units": 0.5, "ttlSeconds": 60},
    }))  # fmt: skip
    found = ok(await client.get("/v1/customers", params={"search": "example.com", "sort": "email"}))
    none, paying = found["customers"]
    assert (none["purchases"], none["credits"], none["heldCredits"]) == ([], 0, 0)
    assert (paying["credits"], paying["heldCredits"]) == (70, 50)
    (purchase,) = paying["purchases"]
    assert (purchase["planSnapshot"]["name"], purchase["usage"]["heldUnits"]) == ("Pay as you go", 0.5)
    assert purchase == ok(await client.get(f"/v1/sdk/purchases/{purchase['reference']}"))
