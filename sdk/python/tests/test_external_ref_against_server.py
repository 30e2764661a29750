"""The seller's own ids for customers, against the real server."""

import uuid

import pytest

from meterhouse_sdk import CustomerNotFound, EventBuffer, Meterhouse, NewMeterEvent, Product
from tests.e2e.wait import until


@pytest.fixture
def own(client: Meterhouse) -> str:
    """An id of the seller's own that a customer has; longer than a reference may be."""
    name = f"samlp|corporate-connection-{uuid.uuid4().hex}|firstname.lastname@subsidiary.example.com"
    client.ensure_customer(name)
    return name


def test_every_method_that_names_a_customer_takes_an_own_id(
    client: Meterhouse, own: str, product: Product
) -> None:
    ref = product.reference
    client.create_plan(ref, name="Free", price=0, free_units=10, limit=10, default=True)
    assert client.check_limits(external_ref=own, product_ref=ref).remaining == 10
    client.create_event(type="usage.own", external_ref=own, units=2)
    with EventBuffer(client) as buffer:
        buffer.add(type="usage.own", external_ref=own, units=3)
    client.track_usage(external_ref=own, product_ref=ref, units=1)
    client.record_meter_events([NewMeterEvent(external_ref=own, product_ref=ref, meter_name="requests")])
    with client.hold(external_ref=own, product_ref=ref, units=5) as hold:
        hold.settle(2)
    assert client.check_limits(external_ref=own, product_ref=ref).remaining == 6
    until(lambda: client.usage(external_ref=own).total == 5, "the usage events are in the total")
    until(lambda: client.usage(external_ref=own, kind="meter").total == 4, "the meter events are too")
    assert {event.customer_ref for event in client.events(external_ref=own)} == {
        client.ensure_customer(own).reference
    }


def test_a_payable_function_takes_an_own_id(client: Meterhouse, product: Product) -> None:
    client.create_plan(product.reference, name="Free", price=0, limit=10, default=True)

    @client.payable(product=product.reference, external_ref="user")
    def work(user: str) -> str:
        return user

    name = f"user-{uuid.uuid4().hex}"
    assert work(user=name) == name
    until(lambda: client.usage(external_ref=name, kind="meter").total == 1, "the call is counted")


def test_an_unknown_own_id_is_an_unknown_customer(client: Meterhouse, product: Product) -> None:
    with pytest.raises(CustomerNotFound, match="externalRef nobody"):
        client.create_event(type="usage.own", external_ref="nobody", units=1)
    with pytest.raises(CustomerNotFound):
        client.check_limits(external_ref="nobody", product_ref=product.reference)
    assert client.usage(external_ref="nobody").total == 0
