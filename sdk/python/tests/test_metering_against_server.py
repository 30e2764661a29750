"""Usages, limits, holds and plans of the SDK against the real server."""

import uuid
from decimal import Decimal

import pytest

from meterhouse_sdk import (
    AsyncMeterhouse,
    HoldNotFound,
    HoldReleased,
    HoldSettled,
    IdempotencyConflict,
    MeterArchived,
    Meterhouse,
    NewMeterEvent,
    PaymentRequired,
    Product,
    PurchaseNotCancellable,
    PurchaseNotFound,
    PurchaseNotReactivable,
    ValidationFailed,
)
from tests.e2e.server import Server
from tests.e2e.wait import until


@pytest.fixture
def product(client: Meterhouse, product: Product) -> Product:
    """A product with a free plan of 10 units for whoever comes."""
    client.create_plan(product.reference, name="Free", price=0, free_units=10, limit=10, default=True)
    return product


def remaining(client: Meterhouse, customer: str, product: Product) -> Decimal:
    return client.check_limits(customer_ref=customer, product_ref=product.reference).remaining


def test_a_usage_counts_once_against_the_limit(client: Meterhouse, customer: str, product: Product) -> None:
    key = uuid.uuid4().hex
    assert remaining(client, customer, product) == 10

    def track(units: int = 3) -> bool:
        return client.track_usage(
            customer_ref=customer, product_ref=product.reference, units=units, idempotency_key=key
        ).duplicate

    assert (track(), track()) == (False, True)
    assert remaining(client, customer, product) == 7
    with pytest.raises(IdempotencyConflict):
        track(4)
    client.track_usage(customer_ref=customer, product_ref=product.reference, outcome="fail")
    assert remaining(client, customer, product) == 7


def test_a_bulk_is_recorded_all_or_none(client: Meterhouse, customer: str, product: Product) -> None:
    assert remaining(client, customer, product) == 10
    good = {"customer_ref": customer, "product_ref": product.reference}
    found = client.track_usage_bulk([good, good | {"units": 2}])  # type: ignore[list-item]  # dict[str, object]
    assert (found.inserted, len(found.results)) == (2, 2)
    with pytest.raises(ValidationFailed) as failed:
        client.track_usage_bulk([good, good | {"units": 100_001}])  # type: ignore[list-item]  # as above
    assert [error.path for error in failed.value.errors] == ["events.1.units"]
    assert remaining(client, customer, product) == 7


def test_an_unknown_customer_is_told_in_the_answer(client: Meterhouse) -> None:
    debit = client.track_usage(customer_ref="cus_nobody").credit_debit
    assert debit is not None
    assert debit.reason == "customer_not_found"


def test_meter_events_are_recorded(client: Meterhouse, customer: str) -> None:
    client.record_meter_event(meter_name="tokens", customer_ref=customer, value=Decimal("0.5"))
    event = NewMeterEvent(meter_name="tokens", customer_ref=customer, value=2)
    assert client.record_meter_events([event, event]).inserted == 2
    with pytest.raises(MeterArchived):
        client.record_meter_event(meter_name=uuid.uuid4().hex, customer_ref=customer)


def test_a_hold_keeps_units_from_everybody_else(client: Meterhouse, customer: str, product: Product) -> None:
    with client.hold(customer_ref=customer, product_ref=product.reference, units=8) as hold:
        assert remaining(client, customer, product) == 2
        with pytest.raises(PaymentRequired):
            client.reserve(customer_ref=customer, product_ref=product.reference, units=3)
        settled = hold.settle(5)
    assert [settled.units, settled.released_units, settled.over_limit_units] == [5, 3, 0]
    assert hold.settle(6) == settled
    assert client.get_hold(hold.hold_ref).status == "settled"
    assert remaining(client, customer, product) == 5
    with pytest.raises(HoldSettled):
        client.release(hold.hold_ref)
    with client.hold(customer_ref=customer, product_ref=product.reference, units=5) as left:
        pass
    assert client.get_hold(left.hold_ref).status == "released"
    with pytest.raises(HoldReleased):
        left.settle(1)
    with pytest.raises(HoldNotFound):
        client.settle("hld_0000000000000000", 1)
    assert remaining(client, customer, product) == 5


def test_a_reservation_counts_once(client: Meterhouse, customer: str, product: Product) -> None:
    def reserve() -> str:
        return client.reserve(
            customer_ref=customer, product_ref=product.reference, units=4, idempotency_key=customer
        ).hold_ref

    assert reserve() == reserve()
    assert remaining(client, customer, product) == 6


def test_what_a_crash_leaves_reserved_comes_back(client: Meterhouse, customer: str, product: Product) -> None:
    hold = client.reserve(customer_ref=customer, product_ref=product.reference, units=8, ttl_seconds=1)
    until(lambda: remaining(client, customer, product) == 10, "the hold has ended")
    late = hold.settle(3)
    assert late.expired
    assert remaining(client, customer, product) == 7


def test_plans_are_bought_cancelled_and_taken_back(
    client: Meterhouse, customer: str, product: Product
) -> None:
    plan = client.create_plan(product.reference, name="By use", type="usage-based", credits_per_unit=10)
    assert plan.reference in {each.reference for each in client.list_plans(product.reference).plans}
    bought = client.activate_plan(
        customer_ref=customer, product_ref=product.reference, plan_ref=plan.reference
    )
    assert bought.status == "activated"
    unknown = client.activate_plan(
        customer_ref=customer, product_ref=product.reference, plan_ref="pln_nothing"
    )
    assert unknown.status == "invalid"
    (purchase,) = client.list_purchases(customer_ref=customer, status="active")
    assert purchase.reference == bought.purchase_ref
    with pytest.raises(PurchaseNotReactivable):
        client.reactivate_purchase(purchase.reference)
    client.cancel_purchase(purchase.reference, reason="dear")
    with pytest.raises(PurchaseNotCancellable):
        client.cancel_purchase(purchase.reference)
    with pytest.raises(PurchaseNotFound):
        client.cancel_purchase("pur_nothing")


def test_credits_pay_for_units(client: Meterhouse, customer: str, product: Product) -> None:
    plan = client.create_plan(product.reference, name="By use", type="usage-based", credits_per_unit=10)
    client.activate_plan(customer_ref=customer, product_ref=product.reference, plan_ref=plan.reference)
    with pytest.raises(PaymentRequired) as denied:
        client.reserve(customer_ref=customer, product_ref=product.reference, units=1)
    assert denied.value.message.startswith("You're out of credits.")
    assert denied.value.checkout_url is not None
    key = uuid.uuid4().hex
    granted = client.grant_credits(customer, credits=100, idempotency_key=key)
    assert client.grant_credits(customer, credits=100, idempotency_key=key) == granted
    debit = client.track_usage(customer_ref=customer, product_ref=product.reference, units=4).credit_debit
    assert debit is not None
    assert [debit.amount, debit.units_remaining] == [40, 6]
    assert client.get_balance(customer).credits == 60
    assert client.user_info(customer_ref=customer, product_ref=product.reference).user is not None


def test_pages_are_opened(client: Meterhouse, customer: str, product: Product) -> None:
    checkout = client.create_checkout_session(customer_ref=customer, product_ref=product.reference)
    assert checkout.session_id in checkout.checkout_url
    assert client.create_customer_session(customer_ref=customer).customer_url


async def test_the_async_client_meters_as_well(
    server: Server, key: str, client: Meterhouse, customer: str, product: Product
) -> None:
    async with AsyncMeterhouse(key, server.url) as awaiting:
        async with awaiting.hold(customer_ref=customer, product_ref=product.reference, units=8) as hold:
            await hold.settle(2)

        @awaiting.payable(product=product.reference, lease_units=3)
        async def work(customer_ref: str) -> str:
            return customer_ref

        await work(customer)
    assert remaining(client, customer, product) == 7
