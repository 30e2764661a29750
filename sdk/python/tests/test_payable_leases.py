"""A paywall that decides by itself: from blocks of units that are held on the server, and no others."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from meterhouse_sdk import Meterhouse, NewUsage, PaymentRequired, Unavailable
from sdk.python.tests.shop import LIMITS, USAGES, Shop

SETTLE = "POST /v1/sdk/holds/hld_1/settle"


def test_calls_are_served_from_a_block_and_booked_when_it_is_used_up() -> None:
    shop = Shop()

    @shop.client().payable(product="prd_1", lease_units=3, lease_seconds=20)
    def work(customer_ref: str) -> str:
        return customer_ref

    for _ in range(3):
        work("cus_1")
    assert shop.requests == [LIMITS, SETTLE]
    reserve = shop.bodies[0]["reserve"]
    assert (reserve["units"], reserve["ttlSeconds"]) == (3, 40)
    assert shop.bodies[1] == {"units": 3, "metadata": {"action": "requests", "calls": 3}}
    work("cus_1")
    work("cus_2")
    assert shop.requests[2:] == [LIMITS, LIMITS]
    assert shop.used == 3


def test_closing_books_what_was_used_and_gives_back_what_was_not() -> None:
    shop = Shop()
    with shop.client() as client:

        @client.payable(product="prd_1", lease_units=100)
        def work(customer_ref: str, *, fails: bool = False) -> None:
            if fails:
                raise ZeroDivisionError(customer_ref)

        work("cus_1")
        work("cus_1")
        with pytest.raises(ZeroDivisionError):
            work("cus_2", fails=True)
        assert shop.used == 0
    assert (shop.used, shop.held) == (2, {})
    assert shop.outcomes() == ["fail"]
    assert sorted(request.rsplit("/", 1)[1] for request in shop.requests[-2:]) == ["release", "settle"]


def test_a_lease_whose_time_is_over_is_booked_without_another_call() -> None:
    shop = Shop()
    client = shop.client()

    @client.payable(product="prd_1", lease_units=100, lease_seconds=1)
    def work(customer_ref: str) -> str:
        return customer_ref

    work("cus_1")
    shop.wait_for(lambda: SETTLE in shop.requests)
    shop.wait_for(lambda: shop.held == {})
    assert shop.used == 1
    client.close()


def test_what_is_left_is_leased_where_it_is_less_than_a_block() -> None:
    shop = Shop(limit=7)
    with shop.client() as client:

        @client.payable(product="prd_1", lease_units=100)
        def work(customer_ref: str) -> str:
            return customer_ref

        for _ in range(7):
            work("cus_1")
        with pytest.raises(PaymentRequired) as denied:
            work("cus_1")
    assert (shop.used, shop.outcomes()) == (7, ["paywall"])
    assert denied.value.checkout_url == "http://pay"
    asked = [body for request, body in zip(shop.requests, shop.bodies, strict=True) if request == LIMITS]
    assert [body["reserve"]["units"] for body in asked] == [100, 7, 100, 1]
    assert [body.get("includeCheckoutSession") for body in asked] == [None, None, None, True]


@pytest.mark.parametrize("lease_units", [1, 3, 10, 1000])
def test_many_threads_with_few_units_never_use_one_too_many(lease_units: int) -> None:
    shop = Shop(limit=100)
    clients = [shop.client() for _ in range(2)]
    ran = []

    def call(client: Meterhouse) -> None:
        @client.payable(product="prd_1", lease_units=lease_units)
        def work(customer_ref: str) -> None:
            ran.append(customer_ref)

        for _ in range(15):
            try:
                work("cus_1")
            except PaymentRequired:
                return

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(call, clients * 8))
    for client in clients:
        client.close()
    assert len(ran) == shop.used <= 100
    assert shop.held == {}


def test_a_burst_of_one_customer_opens_one_lease() -> None:
    shop = Shop()
    begun, go = threading.Barrier(9), threading.Event()
    client = shop.client()

    @client.payable(product="prd_1", lease_units=100)
    def work(customer_ref: str) -> str:
        begun.wait(30)
        go.wait(30)
        return customer_ref

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(work, "cus_1") for _ in range(8)]
        begun.wait(30)
        assert shop.requests == [LIMITS]
        go.set()
        assert [call.result() for call in calls] == ["cus_1"] * 8
    client.close()
    assert shop.used == 8


def test_a_lease_that_cannot_be_settled_waits_and_is_booked_once(caplog: pytest.LogCaptureFixture) -> None:
    shop = Shop()
    shop.away = {"settle"}
    client = shop.client()

    @client.payable(product="prd_1", lease_units=1)
    def work(customer_ref: str) -> str:
        return customer_ref

    assert work("cus_1") == "cus_1"
    assert "lease hld_1 is not settled and waits" in caplog.text
    shop.away = set()
    shop.wait_for(lambda: shop.used == 1)
    client.close()
    assert (shop.used, shop.held) == (1, {})


def test_a_lease_that_cannot_be_settled_at_the_end_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    shop = Shop()
    shop.away = {"settle"}
    with shop.client(max_retries=0) as client:
        client.payable(product="prd_1", lease_units=5)(lambda customer_ref: customer_ref)("cus_1")
    assert "1 units of lease hld_1 are not booked; call settle('hld_1', 1)" in caplog.text


def test_an_interrupt_while_leases_are_settled_loses_none() -> None:
    shop = Shop()
    client = shop.client()

    @client.payable(product="prd_1", lease_units=5)
    def work(customer_ref: str) -> str:
        return customer_ref

    for customer in ("cus_1", "cus_2", "cus_3"):
        work(customer)
    shop.interrupts = {"settle"}
    with pytest.raises(KeyboardInterrupt):
        client.close()
    shop.interrupts = set()
    client.close()
    assert (shop.used, shop.held) == (3, {})


def test_a_lease_that_the_server_refuses_is_handed_over() -> None:
    shop = Shop()
    untracked: list[Any] = []
    with shop.client() as client:

        @client.payable(product="prd_1", lease_units=5, on_untracked=lambda *handed: untracked.append(handed))
        def work(customer_ref: str) -> str:
            return customer_ref

        work("cus_1")
        shop.held.clear()
    ((usage, error),) = untracked
    assert isinstance(usage, NewUsage)
    assert (usage.customer_ref, usage.units, error.code) == ("cus_1", 1, "hold_not_found")


def test_of_a_hold_that_may_have_ended_before_its_answer_came_nothing_is_sold() -> None:
    shop, seconds = Shop(), [0.0]

    def late(request: httpx.Request) -> httpx.Response:
        seconds[0] += wait_seconds
        return shop(request)

    with Meterhouse("sk_sandbox_1", "http://h", transport=httpx.MockTransport(late)) as client:
        client._turnstile._paywall.clock = lambda: seconds[0]

        @client.payable(product="prd_1", lease_units=5, lease_seconds=10)
        def work(customer_ref: str) -> str:
            return customer_ref

        wait_seconds = 20.0
        with pytest.raises(Unavailable, match="hold hld_1 may have ended"):
            work("cus_1")
        wait_seconds = 19.9
        assert work("cus_1") == "cus_1"
        wait_seconds = 0.0
    assert shop.used == 1


def test_a_forked_child_leaves_its_parents_leases_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    client = shop.client()

    @client.payable(product="prd_1", lease_units=5)
    def work(customer_ref: str) -> str:
        return customer_ref

    work("cus_1")
    parents, pid = client._turnstile._paywall, os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    client.close()
    assert shop.held == {"hld_1": 5}
    work("cus_1")
    assert shop.requests == [LIMITS, LIMITS]
    client.close()
    assert shop.held == {"hld_1": 5}
    monkeypatch.undo()
    assert [lease.used for lease in parents.leases.all()] == [1]


async def test_the_async_client_leases_as_well() -> None:
    shop = Shop(limit=20)
    ran = []
    async with shop.async_client() as client:

        @client.payable(product="prd_1", lease_units=6)
        async def work(customer_ref: str) -> None:
            await asyncio.sleep(0)
            ran.append(customer_ref)

        results = await asyncio.gather(*(work("cus_1") for _ in range(30)), return_exceptions=True)
    denied = [each for each in results if isinstance(each, PaymentRequired)]
    assert len(ran) + len(denied) == 30
    assert len(ran) == shop.used == 20
    assert (shop.held, shop.outcomes()) == ({}, ["paywall"] * 10)


async def test_an_async_lease_whose_time_is_over_is_booked_without_another_call() -> None:
    shop = Shop()
    async with shop.async_client() as client:

        @client.payable(product="prd_1", lease_units=100, lease_seconds=1)
        async def work(customer_ref: str) -> str:
            await asyncio.sleep(0)
            return customer_ref

        await work("cus_1")
        await asyncio.to_thread(shop.wait_for, lambda: shop.used == 1 and not shop.held)
    assert shop.requests == [LIMITS, SETTLE]


async def test_a_call_that_is_cancelled_while_it_is_booked_is_booked() -> None:
    shop = Shop()
    async with shop.async_client() as client:

        @client.payable(product="prd_1")
        async def work(customer_ref: str) -> str:
            asyncio.get_running_loop().call_soon(task.cancel)
            return customer_ref

        task = asyncio.create_task(work("cus_1"))
        await asyncio.wait([task])
    assert shop.requests == [LIMITS, USAGES]
    assert shop.outcomes() == ["success"]
