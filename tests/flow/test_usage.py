"""`GET /v1/usage`, `/v1/events` and `/v1/events/{eventId}` over HTTP."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest

from meterhouse.wiring import Service
from tests.conftest import Client
from tests.flow.answers import error, faults, ok, without_request_id

CUSTOMER = "cus_3C4D5E6F"


async def publish(service: Service, client: Client, *events: dict[str, Any]) -> list[str]:
    """Publish events of a token here and there; return their ids once they are seen."""
    defaults = {"type": "usage.token", "customerRef": CUSTOMER, "units": 1}
    body = {"events": [defaults | event for event in events]}
    answer = ok(await client.post("/v1/sdk/events/bulk", json=body))
    assert answer["rejected"] == 0, answer
    await service.catch_up()
    return [result["eventId"] for result in answer["results"]]


def at(time: str, units: float = 1, **more: Any) -> dict[str, Any]:
    return {"timestamp": time, "units": units, **more}


async def usage(client: Client, **parameters: Any) -> dict[str, Any]:
    named = {name.removesuffix("_"): value for name, value in parameters.items()}
    answer: dict[str, Any] = ok(await client.get("/v1/usage", params=named))
    return answer


async def test_without_parameters_it_is_the_total_of_all_history(service: Service, client: Client) -> None:
    await publish(service, client, at("1970-01-01T00:00:00Z", 0.1), at("2026-11-01T00:00:00Z", 0.2))
    assert await usage(client) == {
        "from": None, "to": None, "granularity": None, "timezone": "UTC", "aggregate": "sum", "groupBy": [],
        "total": 0.3, "series": [{"group": {}, "total": 0.3}],
    }  # fmt: skip


async def test_an_answer_over_nothing_is_zero_or_null(client: Client) -> None:
    assert (await usage(client))["total"] == 0
    assert (await usage(client, aggregate="avg"))["total"] is None
    assert (await usage(client, granularity="day"))["series"] == [{"group": {}, "total": 0, "points": []}]
    assert (await usage(client, groupBy="type"))["series"] == []


async def test_points_are_local_days_through_a_clock_change(service: Service, client: Client) -> None:
    await publish(
        service,
        client,
        at("2026-10-24T21:59:59.999999Z", 1),
        at("2026-10-24T22:00:00Z", 10),  # the first instant of 25 October in Stockholm
        at("2026-10-25T22:59:59Z", 100),  # the 25th hour of that day
        at("2026-10-25T23:00:00Z", 1000),
    )
    answer = await usage(
        client, from_="2026-10-24", to="2026-10-27", granularity="day", timezone="Europe/Stockholm"
    )
    assert answer["series"][0]["points"] == [
        {"start": "2026-10-23T22:00:00Z", "value": 1},
        {"start": "2026-10-24T22:00:00Z", "value": 110},
        {"start": "2026-10-25T23:00:00Z", "value": 1000},
    ]
    spring = await usage(
        client, from_="2026-03-29", to="2026-03-30", granularity="hour", timezone="Europe/Stockholm"
    )
    assert len(spring["series"][0]["points"]) == 23
    assert (spring["from"], spring["to"]) == ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")


async def test_kathmandu_days_begin_at_a_quarter_past_six_utc_in_the_evening(
    service: Service, client: Client
) -> None:
    await publish(service, client, at("2026-11-01T18:14:59Z", 1), at("2026-11-01T18:15:00Z", 10))
    answer = await usage(
        client, from_="2026-11-01", to="2026-11-03", granularity="day", timezone="Asia/Kathmandu"
    )
    assert [point["value"] for point in answer["series"][0]["points"]] == [1, 10]


async def test_every_bucket_of_the_range_is_there(service: Service, client: Client) -> None:
    await publish(service, client, at("2026-11-01T01:30:00Z", 5))
    window = {"from_": "2026-11-01T00:10:00Z", "to": "2026-11-01T03:00:00Z", "granularity": "hour"}
    sums = await usage(client, **window)
    assert sums["series"][0]["points"] == [
        {"start": "2026-11-01T00:00:00Z", "value": 0},
        {"start": "2026-11-01T01:00:00Z", "value": 5},
        {"start": "2026-11-01T02:00:00Z", "value": 0},
    ]
    largest = await usage(client, **window, aggregate="max")
    assert [point["value"] for point in largest["series"][0]["points"]] == [None, 5, None]


async def test_without_an_end_the_points_reach_the_last_event(service: Service, client: Client) -> None:
    await publish(service, client, at("2026-11-01T01:30:00Z", 5))
    answer = await usage(client, granularity="month")
    points = answer["series"][0]["points"]
    assert points[0] == {"start": "2026-11-01T00:00:00Z", "value": 5}
    assert sum(point["value"] for point in points) == answer["total"]


async def test_groups_the_largest_first_and_the_rest_as_one(service: Service, client: Client) -> None:
    await publish(service, client, *({"type": f"usage.t{i}", "units": i} for i in range(1, 6)))
    answer = await usage(client, groupBy="type", top=2)
    assert answer["series"] == [
        {"group": {"type": "usage.t5"}, "total": 5},
        {"group": {"type": "usage.t4"}, "total": 4},
        {"group": {"other": True}, "total": 6},
    ]
    assert answer["total"] == 15
    over_time = await usage(
        client, groupBy="type", top=2, granularity="day", from_="2020-01-01", to="2020-01-02"
    )
    assert over_time["total"] == 0


async def test_properties_filter_and_group_by_their_scalars(service: Service, client: Client) -> None:
    await publish(
        service,
        client,
        {"units": 1, "properties": {"region": "eu", "fast": True, "n": 1.50}},
        {"units": 2, "properties": {"region": "us", "fast": False, "n": 2}},
        {"units": 4, "properties": {"region": {"not": "a scalar"}}},
        {"units": 8},
    )
    by_region = await usage(client, groupBy="properties.region")
    assert {row["group"]["properties.region"]: row["total"] for row in by_region["series"]} == {
        None: 12, "us": 2, "eu": 1,
    }  # fmt: skip
    assert (await usage(client, **{"properties.region": ["eu", "us"]}))["total"] == 3
    assert (await usage(client, **{"properties.fast": "true"}))["total"] == 1
    assert (await usage(client, **{"properties.n": "1.5"}))["total"] == 1
    assert (await usage(client, **{'properties.it\'s "odd"': "1"}))["total"] == 0


async def test_filters_may_repeat_and_combine(service: Service, client: Client) -> None:
    await publish(
        service,
        client,
        {"type": "usage.a", "units": 1, "productRef": "prd_content_api"},
        {"type": "usage.b", "units": 2},
        {"type": "usage.c", "units": 4, "productRef": "prd_content_api"},
    )
    assert (await usage(client, type=["usage.a", "usage.b"]))["total"] == 3
    assert (await usage(client, type=["usage.a", "usage.b"], productRef="prd_content_api"))["total"] == 1
    assert (await usage(client, customerRef=CUSTOMER))["total"] == 7
    assert (await usage(client, customerRef="cus_nobody"))["total"] == 0


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [
        ("count", 4), ("sum", 11), ("avg", 2.75), ("min", 1), ("max", 6), ("latest", 2),
        ("unique_customers", 1), ("p50", 2), ("p95", 6), ("p99", 6),
    ],
)  # fmt: skip
async def test_aggregates(service: Service, client: Client, aggregate: str, value: float) -> None:
    await publish(
        service,
        client,
        at("2026-11-01T00:00:00Z", 6),
        at("2026-11-01T00:00:01Z", 1),
        at("2026-11-01T00:00:03Z", 2),
        at("2026-11-01T00:00:02Z", 2),
    )
    assert (await usage(client, aggregate=aggregate))["total"] == value


async def test_averages_round_half_to_even_at_nine_places(service: Service, client: Client) -> None:
    await publish(service, client, {"units": 1}, {"units": 1}, {"units": 0})
    text = (await client.get("/v1/usage", params={"aggregate": "avg", "numbers": "string"})).json()
    assert text["total"] == "0.666666667"


async def test_numbers_keep_all_their_digits(service: Service, client: Client) -> None:
    body = b'{"type":"a.b","customerRef":"cus_3C4D5E6F","units":999999999999999.000000001}'
    ok(await client.post("/v1/sdk/events", content=body), 201)
    await service.catch_up()
    answer = await client.get("/v1/usage")
    assert json.loads(answer.content, parse_float=Decimal)["total"] == Decimal("999999999999999.000000001")
    quoted = ok(await client.get("/v1/usage", params={"numbers": "string"}))
    assert quoted["total"] == quoted["series"][0]["total"] == "999999999999999.000000001"
    (event,) = ok(await client.get("/v1/events", params={"numbers": "string"}))["events"]
    assert event["units"] == "999999999999999.000000001"


async def test_csv_has_a_line_for_each_group_and_bucket(service: Service, client: Client) -> None:
    await publish(
        service, client, at("2026-11-01T12:00:00Z", 1.5, type="=cmd|calc.x"), at("2026-11-02T12:00:00Z", 2)
    )
    answer = await client.get(
        "/v1/usage",
        params={
            "from": "2026-11-01",
            "to": "2026-11-03",
            "granularity": "day",
            "groupBy": "type",
            "format": "csv",
        },
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(answer.text))) == [
        ["type", "start", "value"],
        ["usage.token", "2026-11-01T00:00:00Z", "0"],
        ["usage.token", "2026-11-02T00:00:00Z", "2"],
        ["'=cmd|calc.x", "2026-11-01T00:00:00Z", "1.5"],
        ["'=cmd|calc.x", "2026-11-02T00:00:00Z", "0"],
    ]


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-11-01T00:00:00"}, "from"),
        ({"from": "2026-11-02", "to": "2026-11-02"}, "to"),
        ({"granularity": "fortnight"}, "granularity"),
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"aggregate": "median"}, "aggregate"),
        ({"groupBy": "colour"}, "groupBy"),
        ({"groupBy": "type,type"}, "groupBy"),
        ({"top": "0"}, "top"),
        ({"top": "1001"}, "top"),
        ({"kind": "both"}, "kind"),
        ({"numbers": "roman"}, "numbers"),
        ({"format": "xml"}, "format"),
        ({"custmerRef": "cus_1"}, "custmerRef"),
    ],
)
async def test_a_wrong_parameter_is_named(client: Client, parameters: dict[str, str], named: str) -> None:
    assert named in faults(await client.get("/v1/usage", params=parameters))


async def test_too_many_points_are_refused_with_the_remedy(client: Client) -> None:
    asked = {"from": "2026-01-01", "to": "2026-02-01", "granularity": "minute"}
    refused = error(await client.get("/v1/usage", params=asked), 400, "query_too_large")
    assert "coarser" in refused["message"]


async def test_a_plus_that_became_a_space_is_still_an_offset(client: Client) -> None:
    answer = ok(await client.get("/v1/usage?from=2026-11-01T00:00:00+01:00"))
    assert answer["from"] == "2026-10-31T23:00:00Z"


async def test_pages_of_events_go_newest_first_and_end(service: Service, client: Client) -> None:
    ids = await publish(service, client, *(at(f"2026-11-01T00:00:{i:02}Z", i) for i in range(10)))
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = ok(await client.get("/v1/events", params={"limit": "4"} | cursor))
        seen += [event["eventId"] for event in page["events"]]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert seen == ids[::-1]


async def test_a_cursor_belongs_to_its_question(service: Service, client: Client) -> None:
    await publish(service, client, {}, {})
    page = ok(await client.get("/v1/events", params={"limit": "1"}))
    other = {"limit": "1", "cursor": page["nextCursor"], "type": "usage.token"}
    assert "cursor" in faults(await client.get("/v1/events", params=other))
    for forged in ("x", "%%%", "AAAA", page["nextCursor"][:-2]):
        assert "cursor" in faults(await client.get("/v1/events", params={"cursor": forged}))


async def test_tails_read_in_order_of_receipt(service: Service, client: Client) -> None:
    first, second = await publish(service, client, at("2026-11-02T00:00:00Z"), at("2026-11-01T00:00:00Z"))
    by_time = ok(await client.get("/v1/events"))["events"]
    by_receipt = ok(await client.get("/v1/events", params={"order": "received"}))["events"]
    assert [event["eventId"] for event in by_time] == [first, second]
    assert [event["eventId"] for event in by_receipt] == [second, first]


async def test_nothing_is_seen_of_another_scope(
    service: Service, client: Client, live: Client, stranger: Client
) -> None:
    (event_id,) = await publish(service, client, {"units": 5})
    for other in (live, stranger):
        assert (await usage(other))["total"] == 0
        assert ok(await other.get("/v1/events"))["events"] == []
        theirs = without_request_id(await other.get(f"/v1/events/{event_id}"))
        unknown = without_request_id(await other.get("/v1/events/evt_0000000000000001"))
        assert theirs["message"].replace(event_id, "…") == unknown["message"].replace(
            "evt_0000000000000001", "…"
        )
        assert (theirs["statusCode"], theirs["code"]) == (404, "event_not_found")


async def test_a_deleted_customers_events_stay_and_publishing_to_it_is_404(
    service: Service, client: Client
) -> None:
    await publish(service, client, {"units": 5})
    ok(await client.delete(f"/v1/sdk/customers/{CUSTOMER}"))
    assert (await usage(client, customerRef=CUSTOMER))["total"] == 5
    event = {"type": "usage.token", "customerRef": CUSTOMER, "units": 1}
    error(await client.post("/v1/sdk/events", json=event), 404, "customer_not_found")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("from", "1800-01-01"),
        ("to", "9999-12-31"),
        ("from", "0001-01-01T00:00:00+14:00"),
        ("top", "0000000001"),
        ("top", "1" + "0" * 5_000),
    ],
)
async def test_what_would_take_for_ever_is_refused(client: Client, name: str, value: str) -> None:
    asked = {"granularity": "hour", "timezone": "Europe/Stockholm", name: value}
    assert set(faults(await client.get("/v1/usage", params=asked))) == {name}


async def test_hours_of_a_zone_that_was_half_a_minute_off_are_found(client: Client) -> None:
    answer = await usage(
        client, from_="1970-01-01", to="1970-01-02", granularity="hour", timezone="Africa/Monrovia"
    )
    assert 24 <= len(answer["series"][0]["points"]) <= 26


async def test_a_star_is_a_name_like_any_other(service: Service, client: Client) -> None:
    await publish(service, client, {"properties": {"*": "a", "x": "b"}}, {"properties": {"a/b~c": 1}})
    starred = await usage(client, groupBy="properties.*", aggregate="count")
    assert {each["group"]["properties.*"]: each["total"] for each in starred["series"]} == {"a": 1, None: 1}
    assert (await usage(client, **{"properties.a/b~c": "1"}, aggregate="count"))["total"] == 1


async def test_more_points_than_anybody_reads_are_refused_with_the_remedy(
    service: Service, client: Client
) -> None:
    await publish(service, client, *(at("2026-03-01T00:00:00Z", type=f"usage.t{i}") for i in range(30)))
    asked = {"from": "2026-01-01", "to": "2026-11-01", "granularity": "hour", "groupBy": "type"}
    refused = await client.get("/v1/usage", params=asked)
    assert "smaller top" in error(refused, 400, "query_too_large")["message"]


OLD = {"timestamp": "1970-01-01T00:00:00Z", "units": 1000}


@pytest.mark.parametrize("granularity", ["minute", "hour", "day"])
async def test_one_very_old_event_leaves_the_newest_points(
    service: Service, client: Client, granularity: str
) -> None:
    await publish(service, client, OLD, at("2026-11-01T00:10:00Z", 5), at("2026-11-01T00:20:00Z", 7))
    to = "2026-11-01T00:21:00Z"
    answer = await usage(client, granularity=granularity, to=to)
    points = answer["series"][0]["points"]
    assert (len(points), answer["from"]) == (10_000, points[0]["start"])
    assert answer["total"] == answer["series"][0]["total"] == sum(point["value"] for point in points) == 12
    same_range = await usage(client, granularity=granularity, from_=answer["from"], to=to)
    assert same_range == answer


async def test_points_without_from_begin_where_the_answer_says(service: Service, client: Client) -> None:
    await publish(service, client, OLD, at("2026-11-01T01:30:00Z", 5))
    answer = await usage(client, granularity="month", to="2026-11-02T00:00:00Z")
    points = answer["series"][0]["points"]
    assert answer["from"] == points[0]["start"] == "1970-01-01T00:00:00Z"
    assert answer["total"] == sum(point["value"] for point in points) == 1005


async def test_many_series_without_from_have_fewer_of_the_newest_points(
    service: Service, client: Client
) -> None:
    types = [at("2026-10-31T00:00:00Z", 2, type=f"usage.t{i}") for i in range(30)]
    await publish(service, client, OLD | {"type": "usage.t0"}, *types)
    answer = await usage(client, granularity="hour", groupBy="type", to="2026-11-01T00:00:00Z")
    assert {len(series["points"]) for series in answer["series"]} == {200_000 // 30}
    assert answer["total"] == sum(series["total"] for series in answer["series"]) == 60
    assert {series["points"][0]["start"] for series in answer["series"]} == {answer["from"]}


async def test_a_meter_with_one_very_old_event_answers_its_newest_points(
    service: Service, client: Client
) -> None:
    meter = {"name": "all_calls", "kind": "usage", "aggregation": "sum"}
    ref = ok(await client.post("/v1/meters", json=meter), 201)["reference"]
    await publish(service, client, OLD, at("2026-11-01T00:10:00Z", 5))
    answer = ok(await client.get(f"/v1/meters/{ref}/usage", params={"to": "2026-11-02T00:00:00Z"}))
    assert (answer["total"], answer["from"][:4]) == (5, "1999")
