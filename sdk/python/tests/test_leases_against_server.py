"""Leases before a real server: what passes when many want the last units, and when the server is away."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from meterhouse_sdk import ConnectionFailed, Meterhouse, PaymentRequired, Product
from tests.e2e.server import Server, clean_environment
from tests.e2e.wait import until

Sell = Callable[[], str]


class Line(httpx.BaseTransport):
    """The way to the server, which may be cut."""

    def __init__(self) -> None:
        self.is_cut = False
        self.requests = 0
        self._way = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_cut:
            raise httpx.ConnectError("cut", request=request)
        self.requests += 1
        return self._way.handle_request(request)

    def close(self) -> None:
        self._way.close()


class Market:
    """A product, a customer who may have some units of it, and whoever sells to them."""

    def __init__(self, server: Server, meterhouse: Meterhouse, product: str, customer: str) -> None:
        self.server, self.meterhouse, self.product, self.customer = server, meterhouse, product, customer
        self.key = meterhouse.settings.api_key

    def limit(self, units: int) -> None:
        self.meterhouse.create_plan(self.product, name="Free", free_units=units, limit=units, default=True)

    def client(self, line: Line | None = None) -> Meterhouse:
        return Meterhouse(self.key, self.server.url, transport=line, max_retries=0)

    def sold_by(self, client: Meterhouse, lease_units: int | None, lease_seconds: int = 600) -> Sell:
        @client.payable(
            product=self.product,
            customer_ref=lambda: self.customer,
            lease_units=lease_units,
            lease_seconds=lease_seconds,
        )
        def sell() -> str:
            return "sold"

        return sell

    def sold_by_others(self) -> int:
        """What others can sell now, who ask the server for each unit."""
        return until_denied(self.sold_by(self.meterhouse, lease_units=None))

    def remaining(self) -> int:
        limits = self.meterhouse.check_limits(customer_ref=self.customer, product_ref=self.product)
        return int(limits.remaining)

    def until_booked(self, units: int) -> None:
        asked = {"kind": "meter", "customerRef": self.customer, "outcome": "success"}
        with self.server.client(self.key) as http:
            until(lambda: http.get("/v1/usage", params=asked).json()["total"] == units, f"{units} are booked")


def until_denied(sell: Sell) -> int:
    for sold in range(1_000):
        try:
            sell()
        except PaymentRequired:
            return sold
    raise AssertionError("Nothing stops the calls")


@pytest.fixture
def market(server: Server, client: Meterhouse, product: Product, customer: str) -> Market:
    return Market(server, client, product.reference, customer)


@pytest.mark.parametrize(("processes", "lease_units"), [(1, 1), (1, 7), (1, 1_000), (4, 1)])
def test_many_threads_are_let_in_exactly_as_often_as_there_are_units(
    market: Market, processes: int, lease_units: int
) -> None:
    market.limit(60)
    clients = [market.client() for _ in range(processes)]
    sells = [market.sold_by(client, lease_units) for client in clients] * (16 // processes)
    with ThreadPoolExecutor(16) as pool:
        sold = sum(pool.map(until_denied, sells))
    for client in clients:
        client.close()
    assert (sold, market.remaining()) == (60, 0)
    market.until_booked(60)


def test_forty_calls_from_leases_of_twenty_are_four_requests(market: Market) -> None:
    market.limit(50)
    line = Line()
    with market.client(line) as client:
        sell = market.sold_by(client, lease_units=20)
        for _ in range(40):
            sell()
        assert line.requests == 4


class Seller:
    """Sells from leases of 4 units, by a clock that only the test moves, on a line that it cuts."""

    def __init__(self, market: Market, lease_seconds: int) -> None:
        self.line, self.seconds = Line(), 0.0
        self.client = market.client(self.line)
        self.client._turnstile._paywall.clock = lambda: self.seconds
        self.sell = market.sold_by(self.client, 4, lease_seconds)


def test_what_is_settled_before_its_hold_ends_was_sold_to_nobody_else(market: Market) -> None:
    market.limit(6)
    seller = Seller(market, lease_seconds=30)
    seller.sell()
    seller.line.is_cut = True
    seller.sell()
    assert market.sold_by_others() == 2
    seller.seconds = 30.0
    with pytest.raises(ConnectionFailed):
        seller.sell()
    assert market.sold_by_others() == 0
    seller.line.is_cut = False
    seller.client.close()
    assert market.sold_by_others() == 2
    market.until_booked(6)


def test_what_is_settled_after_its_hold_ended_is_booked_and_said_to_be_beyond_the_limit(
    market: Market, caplog: pytest.LogCaptureFixture
) -> None:
    market.limit(6)
    seller = Seller(market, lease_seconds=1)
    seller.sell()
    seller.line.is_cut = True
    seller.sell()
    seller.sell()
    seller.seconds = 1.0
    with pytest.raises(ConnectionFailed):
        seller.sell()
    until(lambda: market.remaining() == 6, "the hold has ended")
    assert market.sold_by_others() == 6
    seller.line.is_cut = False
    seller.client.close()
    market.until_booked(9)
    assert "3 of the 3 units of lease hld_" in caplog.text
    assert f"are beyond the limit of {market.customer}" in caplog.text


CALL = """
import multiprocessing, os, signal, sys
from meterhouse_sdk import Meterhouse
def call():
    client = Meterhouse()
    client.payable(product=sys.argv[1], lease_units=5)(lambda customer_ref: customer_ref)(sys.argv[2])
"""
IN_A_CHILD = """
child = multiprocessing.get_context("fork").Process(target=call)
child.start()
child.join()
"""
ASYNC_CALL = """
import asyncio, sys
from meterhouse_sdk import AsyncMeterhouse
async def main():
    @AsyncMeterhouse().payable(product=sys.argv[1], lease_units=5)
    async def call(customer_ref):
        return customer_ref
    await call(sys.argv[2])
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("program", "left"),
    [
        (f"{CALL}call()", 9),
        (f"{CALL}call(), sys.exit(3)", 9),
        (f"{CALL}call(), 1 / 0", 9),
        (f"{CALL}call(), os._exit(0)", 5),
        (f"{CALL}call(), os.kill(os.getpid(), signal.SIGTERM), signal.pause()", 9),
        (f"{CALL}call(), os.kill(os.getpid(), signal.SIGKILL)", 5),
        (f"{CALL}{IN_A_CHILD}", 5),
        (ASYNC_CALL, 9),
    ],
    ids=[
        "its last line",
        "sys.exit",
        "an exception",
        "os._exit",
        "SIGTERM",
        "SIGKILL",
        "a child's end",
        "asyncio",
    ],
)
def test_a_process_that_ends_settles_its_leases(market: Market, program: str, left: int) -> None:
    market.limit(10)
    environment = {"METERHOUSE_URL": market.server.url, "METERHOUSE_API_KEY": market.key}
    subprocess.run(  # noqa: S603 - our own programs
        [sys.executable, "-c", program, market.product, market.customer],
        env=clean_environment() | environment,
        timeout=60,
        check=False,
        capture_output=True,
    )
    assert market.remaining() == left
