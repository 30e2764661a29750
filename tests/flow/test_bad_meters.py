"""Meters that are refused, new ones and changes, each by the field that is wrong."""

from typing import Any, Final

from tests.conftest import Client
from tests.flow.answers import faults, ok

URL: Final = "/v1/meters"
AGGREGATIONS: Final = "must be one of count, sum, max, min, avg, unique, latest"
KINDS: Final = "must be one of usage, meter"
EITHER: Final[list[tuple[dict[str, Any], str, str]]] = [
    ({"name": 5}, "name", "must be a string, not a number"),
    ({"aggregation": "median"}, "aggregation", AGGREGATIONS),
    ({"aggregation": "SUM"}, "aggregation", AGGREGATIONS),
    ({"aggregation": 5}, "aggregation", AGGREGATIONS),
    ({"kind": "events"}, "kind", KINDS),
    ({"eventTypes": "usage.api_call"}, "eventTypes", "must be an array, not a string"),
    ({"eventTypes": ["usage.api_call", 5]}, "eventTypes.1", "must be a string, not a number"),
    ({"properties": []}, "properties", "must be an object, not an array"),
    ({"properties": {"plan": "pro"}}, "properties", "has a member that must be an array, not a string"),
    ({"properties": {"plan": ["pro", 5]}}, "properties", "has a member that must be a string, not a number"),
    ({"meterNames": {}}, "meterNames", "must be an array, not an object"),
    (
        {"displayName": "a\tb"},
        "displayName",
        "must not have control characters",
    ),
    ({"unit": "u" * 51}, "unit", "must have at most 50 characters"),
]
NEW: Final[list[tuple[dict[str, Any], str, str]]] = [
    *EITHER,
    ({"name": None}, "name", "is required"),
    ({"name": "a b"}, "name", "must have 1 to 100 of A-Z a-z 0-9 _ . : -"),
    ({"eventTypes": [""]}, "eventTypes.0", "must have 1 to 128 characters"),
    ({"eventTypes": ["a.b"] * 101}, "eventTypes", "must have at most 100"),
    ({"properties": {"": ["x"]}}, "properties", "names must have 1 to 64 characters"),
    ({"properties": {"plan": []}}, "properties.plan", "must have 1 to 100 texts of at most 256 characters"),
    ({"properties": {str(i): ["x"] for i in range(11)}}, "properties", "must have at most 10 names"),
    ({"reference": "pln_1"}, "reference", "must be mtr_ and 1 to 16 of A-Z a-z 0-9 _ -"),
    ({"kind": "usage", "meterNames": ["tokens"]}, "meterNames",
     "is for meters of kind meter; leave it out, or say kind meter"),
]  # fmt: skip
OWN: Final = "; make another meter, or leave it out"
FIXED: Final[list[tuple[dict[str, Any], str, str]]] = [
    ({"reference": "mtr_other"}, "reference", f"stays mtr_pages{OWN}"),
    ({"name": "sheets"}, "name", f"stays pages{OWN}"),
    ({"kind": "meter"}, "kind", f"stays usage{OWN}"),
    ({"aggregation": "sum"}, "aggregation", f"stays max{OWN}"),
    ({"meterNames": ["tokens"]}, "meterNames", f"stays []{OWN}"),
    ({"status": "archived"}, "status", "stays active; archive it with POST …/archive, for good"),
    ({"status": "gone"}, "status", "must be one of active, archived"),
    ({"eventTypes": []}, "eventTypes", f'stays ["a.b","c.d"]{OWN}'),
    ({"properties": {"plan": ["pro"]}}, "properties", f'stays {{"plan":["free","pro"]}}{OWN}'),
]
PAGES: Final[dict[str, Any]] = {
    "reference": "mtr_pages", "name": "pages", "kind": "usage", "aggregation": "max",
    "eventTypes": ["c.d", "a.b"], "properties": {"plan": ["pro", "free"]}, "unit": "pages",
}  # fmt: skip


async def test_a_bad_meter_is_refused_by_its_field_and_is_not_made(client: Client) -> None:
    before = ok(await client.get(URL))
    for said, path, sentence in NEW:
        assert faults(await client.post(URL, json={"name": "pages"} | said)) == {path: sentence}, said
    assert ok(await client.get(URL)) == before


async def test_a_bad_change_is_refused_by_its_field_and_changes_nothing(client: Client) -> None:
    made = ok(await client.post(URL, json=PAGES), 201)
    for said, path, sentence in EITHER + FIXED:
        refused = await client.put(f"{URL}/mtr_pages", json={"description": "changed"} | said)
        assert faults(refused) == {path: sentence}, said
    assert ok(await client.get(f"{URL}/mtr_pages")) == made


async def test_an_archived_meter_stays_archived(client: Client) -> None:
    ok(await client.post(URL, json=PAGES), 201)
    ok(await client.post(f"{URL}/mtr_pages/archive"))
    refused = await client.put(f"{URL}/mtr_pages", json={"status": "active"})
    assert faults(refused) == {"status": "stays archived; make another meter"}


async def test_one_answer_names_everything_that_stays(client: Client) -> None:
    refused = await client.put(f"{URL}/mtr_tokens", json={"name": "words", "aggregation": "max", "unit": "w"})
    assert list(faults(refused)) == ["name", "aggregation"]


async def test_a_meter_may_be_sent_back_as_it_was_answered(client: Client) -> None:
    made = ok(await client.post(URL, json=PAGES), 201)
    for body in (PAGES | {"unit": "sheets"}, made | {"unit": "sheets"}):
        changed = ok(await client.put(f"{URL}/mtr_pages", json=body))
        assert changed == made | {"unit": "sheets", "updatedAt": changed["updatedAt"]}
