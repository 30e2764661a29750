"""The paywall before a real server: it counts on the meter of the customer's plan, and to its limit."""

import uuid
from collections.abc import Callable
from decimal import Decimal

import httpx
import pytest

from meterhouse_sdk import Meterhouse, PaymentRequired, Product
from tests.e2e.server import Server
from tests.e2e.wait import until

LEASES = pytest.mark.parametrize("lease_units", [None, 1, 4, 100])


def paid(client: Meterhouse, product: Product, lease_units: int | None) -> Callable[[str], str]:
    @client.payable(product=product.reference, lease_units=lease_units)
    def work(customer_ref: str) -> str:
        return customer_ref

    return work


def calls_until_denied(work: Callable[[str], str], customer: str) -> int:
    for calls in range(100):
        try:
            work(customer)
        except PaymentRequired:
            return calls
    raise AssertionError("Nothing stops the calls")


def remaining(client: Meterhouse, customer: str, product: Product) -> Decimal:
    return client.check_limits(customer_ref=customer, product_ref=product.reference).remaining


def outcomes(server: Server, key: str, customer: str) -> dict[tuple[str, str], int]:
    """The units of a customer's meter events, by meter and outcome."""
    asked = {"kind": "meter", "customerRef": customer, "groupBy": ["meterName", "outcome"]}
    with server.client(key) as http:
        series = http.get("/v1/usage", params=httpx.QueryParams(asked)).json()["series"]
    return {(each["group"]["meterName"], each["group"]["outcome"]): each["total"] for each in series}


@LEASES
def test_a_plan_that_sells_tokens_is_enforced_on_its_own_meter(
    server: Server, key: str, product: Product, customer: str, lease_units: int | None
) -> None:
    with Meterhouse(key, server.url) as client:
        more = {"measures": "tokens"}
        client.create_plan(product.reference, name="Free", free_units=6, limit=6, default=True, more=more)
        assert calls_until_denied(paid(client, product, lease_units), customer) == 6
    counted = {("tokens", "success"): 6, ("tokens", "paywall"): 1}
    until(lambda: outcomes(server, key, customer) == counted, "all that happened is on the meter of the plan")


@LEASES
def test_a_plan_of_credits_that_sells_tokens_is_debited(
    client: Meterhouse, product: Product, customer: str, lease_units: int | None
) -> None:
    plan = client.create_plan(
        product.reference,
        name="By use",
        type="usage-based",
        credits_per_unit=10,
        more={"measures": "tokens"},
    )
    client.activate_plan(customer_ref=customer, product_ref=product.reference, plan_ref=plan.reference)
    client.grant_credits(customer, credits=65)
    assert calls_until_denied(paid(client, product, lease_units), customer) == 6
    until(lambda: client.get_balance(customer).credits == 5, "six units are debited")


def test_a_user_of_ones_own_gets_the_units_that_there_are(client: Meterhouse, product: Product) -> None:
    user = uuid.uuid4().hex
    client.create_plan(product.reference, name="Free", free_units=3, limit=3, default=True)
    assert calls_until_denied(paid(client, product, None), user) == 3
    customer = client.find_customer(external_ref=user)
    assert customer is not None
    assert remaining(client, customer.reference, product) == 0
