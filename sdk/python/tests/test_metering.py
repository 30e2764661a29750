"""Usages and meter events: what is sent, what counts once, what is refused where it is made."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from meterhouse_sdk import (
    HoldNotFound,
    MeterArchived,
    NewMeterEvent,
    NewUsage,
    ServerError,
    UnexpectedAnswer,
    ValidationFailed,
)
from sdk.python.tests.shop import Shop
from sdk.python.tests.stand_in import blocking, problem

NAIVE = datetime(2026, 11, 1)  # noqa: DTZ001 - that is the fault


def test_a_usage_says_what_was_given_and_the_default_of_the_rest() -> None:
    shop = Shop()
    client = shop.client()
    made = client.track_usage(
        customer_ref="cus_1",
        units=Decimal("2.0"),
        product_ref="prd_1",
        meter_name="tokens",
        purchase_ref="pur_1",
        description="d",
        duration=12,
        metadata={"a": 1},
        timestamp=datetime(2026, 11, 1, tzinfo=UTC),
        idempotency_key="k",
    )
    assert (made.reference, made.duplicate, made.credit_debit) == ("usage_k", False, None)
    assert shop.bodies[0] == {
        "customerRef": "cus_1",
        "units": 2,
        "productRef": "prd_1",
        "meterName": "tokens",
        "actionType": "api_call",
        "outcome": "success",
        "purchaseRef": "pur_1",
        "description": "d",
        "duration": 12,
        "metadata": {"a": 1},
        "timestamp": "2026-11-01T00:00:00Z",
        "idempotencyKey": "k",
    }
    assert client.track_usage(customer_ref="cus_1", idempotency_key="k").duplicate


def test_a_usage_has_a_key_of_its_own_that_lasts_through_its_retries() -> None:
    bodies: list[dict[str, Any]] = []

    def server(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        if len(bodies) % 2:
            raise httpx.ReadTimeout("slow")
        return httpx.Response(200, json={"success": True, "reference": "usage_1"})

    client, _ = blocking(server)
    client.track_usage(customer_ref="cus_1")
    client.track_usage(customer_ref="cus_1")
    keys = [body["idempotencyKey"] for body in bodies]
    assert keys[0] == keys[1] != keys[2] == keys[3]


def test_what_a_usage_cost_is_read() -> None:
    debit = {"debited": True, "amount": 10, "unitsRemaining": 99, "autoRecharge": {"triggered": False}}
    answer = {"success": True, "reference": "usage_1", "creditDebit": debit}
    found = blocking(lambda _: httpx.Response(200, json=answer))[0].track_usage(customer_ref="cus_1")
    assert found.credit_debit is not None
    assert found.credit_debit.debited
    assert found.credit_debit.amount == 10


def test_a_usage_that_failed_comes_back_with_its_key() -> None:
    shop = Shop()
    shop.away = {"usages"}
    with pytest.raises(ServerError) as failed:
        shop.client().track_usage(customer_ref="cus_1", units=3)
    shop.away = set()
    (usage,) = failed.value.usages
    assert usage.units == 3
    assert len({body["idempotencyKey"] for body in shop.bodies}) == 1


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"customer_ref": ""}, "customer_ref"),
        ({"customer_ref": "c" * 21}, "customer_ref"),
        ({"units": -1}, "units"),
        ({"units": Decimal("NaN")}, "units"),
        ({"product_ref": "p" * 21}, "product_ref"),
        ({"purchase_ref": ""}, "purchase_ref"),
        ({"meter_name": ""}, "meter_name"),
        ({"timestamp": NAIVE}, "timestamp"),
        ({"metadata": {"a": float("inf")}}, "metadata"),
        ({"idempotency_key": ""}, "idempotency_key"),
    ],
)
def test_a_bad_field_is_named_before_anything_is_sent(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(ValidationFailed) as failed:
        NewUsage(**({"customer_ref": "cus_1"} | fields))
    assert [error.path for error in failed.value.errors] == [path]
    shop = Shop()
    with pytest.raises(ValidationFailed) as failed:
        shop.client().track_usage_bulk([{"customer_ref": "cus_1"}, {"customer_ref": "cus_1", **fields}])  # type: ignore[list-item]
    assert [error.path for error in failed.value.errors] == [f"events.1.{path}"]
    assert shop.requests == []


def test_floats_are_refused() -> None:
    with pytest.raises(TypeError, match="not the float"):
        Shop().client().track_usage(customer_ref="cus_1", units=1.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"events\.0: .*not the float"):
        Shop().client().record_meter_events([{"meter_name": "m", "customer_ref": "c", "value": 0.5}])  # type: ignore[list-item]


class Bulk:
    """Takes bulks; `refuses` names what it refuses in a part, by the part's number from 0."""

    def __init__(self, refuses: dict[int, str] | None = None) -> None:
        self.parts: list[list[dict[str, Any]]] = []
        self.paths: list[str] = []
        self._refuses = refuses or {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        part = len(self.parts)
        self.parts.append(json.loads(request.content)["events"])
        self.paths.append(request.url.path)
        if part in self._refuses:
            errors = [{"path": self._refuses[part], "message": "no"}]
            body = {"code": "validation_failed", "message": "Validation failed", "errors": errors}
            return httpx.Response(400, json=body)
        results = [{"reference": f"usage_{each['idempotencyKey']}"} for each in self.parts[-1]]
        return httpx.Response(200, json={"success": True, "inserted": len(results), "results": results})


def test_a_bulk_goes_in_parts_of_a_thousand_each_usage_with_a_key() -> None:
    server = Bulk()
    found = blocking(server)[0].track_usage_bulk(
        [NewUsage(customer_ref="cus_1", units=i) for i in range(2_001)]
    )
    assert [len(part) for part in server.parts] == [1_000, 1_000, 1]
    assert (found.inserted, len(found.results)) == (2_001, 2_001)
    assert len({each["idempotencyKey"] for part in server.parts for each in part}) == 2_001
    assert server.parts[2][0]["units"] == 2_000
    assert blocking(server)[0].track_usage_bulk([]).results == ()


def test_a_fault_in_a_later_part_is_named_by_its_row_of_the_call() -> None:
    client, _ = blocking(Bulk({1: "events.3.units"}))
    usages = [NewUsage(customer_ref="cus_1", idempotency_key=str(i)) for i in range(1_500)]
    with pytest.raises(ValidationFailed) as failed:
        client.track_usage_bulk(usages)
    assert [error.path for error in failed.value.errors] == ["events.1003.units"]
    assert failed.value.usages == tuple(usages)
    for path in ("events.3.units", "", "events"):
        with pytest.raises(ValidationFailed) as failed:
            blocking(Bulk({0: path}))[0].track_usage_bulk(usages)
        assert [error.path for error in failed.value.errors] == [path]


def test_results_that_do_not_match_the_usages_are_no_answer() -> None:
    client, _ = blocking(lambda _: httpx.Response(200, json={"success": True, "inserted": 0, "results": []}))
    with pytest.raises(UnexpectedAnswer, match="1 usages were sent, 0 results"):
        client.track_usage_bulk([{"customer_ref": "cus_1"}])


def test_meter_events_are_sent_one_by_one_and_in_bulk() -> None:
    bodies: list[dict[str, Any]] = []

    def server(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content, parse_float=Decimal))
        return httpx.Response(200, json={"success": True})

    blocking(server)[0].record_meter_event(
        meter_name="tokens", customer_ref="cus_1", value=Decimal("0.1"), properties={"a": 1}
    )
    assert bodies[0].pop("idempotencyKey")
    expected = {
        "meterName": "tokens",
        "customerRef": "cus_1",
        "value": Decimal("0.1"),
        "properties": {"a": 1},
    }
    assert bodies == [expected]
    bulk = Bulk()
    event = NewMeterEvent(meter_name="tokens", customer_ref="cus_1", idempotency_key="k")
    assert blocking(bulk)[0].record_meter_events([event] * 1_001).inserted == 1_001
    assert bulk.paths == ["/v1/sdk/meter-events/bulk"] * 2


def test_a_meter_event_that_failed_comes_back_with_its_key() -> None:
    client, _ = blocking(lambda _: problem(400, "meter_archived"))
    with pytest.raises(MeterArchived) as failed:
        client.record_meter_event(meter_name="m", customer_ref="cus_1", value=4)
    (event,) = failed.value.meter_events
    assert event.value == 4
    assert event.idempotency_key


def test_a_check_says_only_what_was_asked_and_reads_what_is_answered() -> None:
    shop = Shop(limit=3)
    client = shop.client()
    found = client.check_limits(customer_ref="cus_1", product_ref="prd_1", meter_name="requests")
    assert (found.within_limits, found.plan) == (True, "pln_1")
    assert found.remaining == 3
    assert shop.bodies == [{"customerRef": "cus_1", "productRef": "prd_1", "meterName": "requests"}]
    shop.limit = 0
    asked = client.check_limits(
        customer_ref="cus_1", product_ref="prd_1", meter_name="requests", include_checkout_session=True
    )
    assert (asked.within_limits, asked.checkout_url) == (False, "http://pay")
    assert shop.bodies[1]["includeCheckoutSession"] is True


def test_an_unknown_hold_is_an_error_of_its_own() -> None:
    with pytest.raises(HoldNotFound):
        Shop().client().settle("hld_0", 1)
