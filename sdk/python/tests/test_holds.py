"""Holds: reserve, work, settle; whatever happens, nothing stays reserved."""

from decimal import Decimal

import pytest

from meterhouse_sdk import (
    HoldReleased,
    HoldSettled,
    Meterhouse,
    PaymentRequired,
    ServerError,
    ValidationFailed,
)
from sdk.python.tests.shop import Shop


def holding(client: Meterhouse, shop_units: int) -> None:
    with client.hold(
        customer_ref="cus_1", product_ref="prd_1", units=shop_units, meter_name="tokens"
    ) as hold:
        hold.settle(1)


def test_a_hold_is_settled_with_what_was_used() -> None:
    shop = Shop(limit=100)
    client = shop.client()
    with client.hold(
        customer_ref="cus_1", product_ref="prd_1", meter_name="tokens", units=60, ttl_seconds=5
    ) as hold:
        assert hold.hold_ref == "hld_1"
        assert [hold.reserved_units, hold.limits.remaining] == [60, 40]
        settled = hold.settle(25, metadata={"model": "m"})
    assert [settled.units, settled.released_units, settled.over_limit_units] == [25, 35, 0]
    assert (settled.reference, hold.settled) == ("usage_hld_1", settled)
    assert (shop.used, shop.held) == (25, {})
    reserve = shop.bodies[0].pop("reserve")
    assert reserve.pop("idempotencyKey")
    assert reserve == {"units": 60, "ttlSeconds": 5}
    assert shop.bodies[0]["includeCheckoutSession"] is True
    assert shop.bodies[1] == {"units": 25, "metadata": {"model": "m"}}
    assert len(shop.requests) == 2


def test_leaving_without_a_settle_gives_the_units_back() -> None:
    shop = Shop(limit=100)
    client = shop.client()
    with client.hold(customer_ref="cus_1", product_ref="prd_1", units=60, meter_name="m"):
        assert shop.held == {"hld_1": 60}
    assert (shop.used, shop.held) == (0, {})
    with (
        pytest.raises(ZeroDivisionError),
        client.hold(customer_ref="cus_1", product_ref="prd_1", units=60, meter_name="m"),
    ):
        raise ZeroDivisionError
    assert shop.held == {}
    with client.reserve(customer_ref="cus_1", product_ref="prd_1", units=60, meter_name="m") as hold:
        hold.release()
    assert [request.rsplit("/", 1)[1] for request in shop.requests].count("release") == 3


def test_denied_is_an_error_before_the_work_begins() -> None:
    shop = Shop(limit=10)
    with pytest.raises(PaymentRequired) as denied:
        holding(shop.client(), 11)
    assert denied.value.checkout_url == "http://pay"
    assert shop.requests == ["POST /v1/sdk/limits"]


def test_a_settle_that_cannot_be_right_leaves_the_hold_to_be_released() -> None:
    shop = Shop()
    client = shop.client()
    for wrong, error in ((1.5, TypeError), (-1, ValidationFailed)):
        with (
            pytest.raises(error),
            client.hold(customer_ref="cus_1", product_ref="prd_1", units=60, meter_name="m") as hold,
        ):
            hold.settle(wrong)  # type: ignore[arg-type]
        assert shop.held == {}


def test_a_settle_without_an_answer_is_not_undone() -> None:
    shop = Shop()
    shop.away = {"settle"}
    client = shop.client()
    with pytest.raises(ServerError):
        holding(client, 60)
    assert shop.held == {"hld_1": 60}
    shop.away = set()
    assert client.settle("hld_1", 7).units == 7


def test_a_release_that_fails_hides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    shop = Shop()
    shop.away = {"release"}
    with (
        pytest.raises(ZeroDivisionError),
        shop.client().hold(customer_ref="cus_1", product_ref="prd_1", units=60, meter_name="m"),
    ):
        raise ZeroDivisionError
    assert "hold hld_1 could not be released" in caplog.text


def test_repeats_answer_the_same_and_contradictions_are_errors() -> None:
    client = Shop().client()
    hold = client.reserve(customer_ref="cus_1", product_ref="prd_1", units=Decimal(5), meter_name="m")
    assert hold.settle(3) == hold.settle(4) == client.settle(hold.hold_ref, 5)
    with pytest.raises(HoldSettled):
        client.release(hold.hold_ref)
    other = client.reserve(customer_ref="cus_1", product_ref="prd_1", units=5, meter_name="m")
    assert other.release() == other.release() == client.release(other.hold_ref)
    with pytest.raises(HoldReleased):
        other.settle(1)


async def test_the_async_client_holds_as_well() -> None:
    shop = Shop(limit=100)
    async with shop.async_client() as client:
        async with client.hold(customer_ref="cus_1", product_ref="prd_1", units=60, meter_name="m") as hold:
            assert (await hold.settle(25)).units == 25
        with pytest.raises(ZeroDivisionError):
            async with client.hold(customer_ref="cus_1", product_ref="prd_1", units=60, meter_name="m"):
                raise ZeroDivisionError
        with pytest.raises(PaymentRequired):
            async with client.hold(customer_ref="cus_1", product_ref="prd_1", units=76, meter_name="m"):
                pass
        held = await client.reserve(customer_ref="cus_1", product_ref="prd_1", units=75, meter_name="m")
        assert (await held.release()).released_units == 75
    assert (shop.used, shop.held) == (25, {})
