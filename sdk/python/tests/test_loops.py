"""One async client in several event loops: one after another, at the same time, and after their end."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from meterhouse_sdk import AsyncMeterhouse, BulkResult
from sdk.python.tests.shop import Shop
from sdk.python.tests.stand_in import KEY, WAIT_SECONDS, StandInOnPort

EVENT = {"type": "usage.loop", "customer_ref": "cus_1", "units": 1}


@pytest.fixture
def stand_in() -> Iterator[StandInOnPort]:
    with StandInOnPort() as stand_in:
        yield stand_in


async def publish(client: AsyncMeterhouse) -> BulkResult:
    return await client.create_events([EVENT])  # type: ignore[list-item]  # a dict of an event


def test_a_client_works_in_one_loop_after_another(stand_in: StandInOnPort) -> None:
    client = AsyncMeterhouse(KEY, stand_in.url)
    for _ in range(4):
        assert asyncio.run(publish(client)).results[0].status == "stored"
    asyncio.run(client.aclose())
    assert sorted(stand_in.sent.values()) == [1] * 4


def test_a_client_works_in_several_loops_at_the_same_time(stand_in: StandInOnPort) -> None:
    client = AsyncMeterhouse(KEY, stand_in.url)
    begun = threading.Barrier(4)

    async def many() -> None:
        begun.wait(WAIT_SECONDS)
        await asyncio.gather(*(publish(client) for _ in range(8)))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(asyncio.run, many()) for _ in range(4)]:
            done.result()
    asyncio.run(client.aclose())
    assert sorted(stand_in.sent.values()) == [1] * 32


def test_a_paywall_works_in_one_loop_after_another() -> None:
    shop = Shop()
    client = shop.async_client()

    @client.payable(product="prd_1", lease_units=10)
    async def leased(customer_ref: str) -> str:
        return customer_ref

    async def burst() -> None:
        await asyncio.gather(*(leased("cus_1") for _ in range(7)))

    for _ in range(4):
        asyncio.run(burst())
    asyncio.run(client.aclose())
    assert (shop.used, shop.held) == (28, {})


def test_a_lease_is_settled_after_the_end_of_the_loop_that_used_it() -> None:
    shop = Shop()
    client = shop.async_client()

    @client.payable(product="prd_1", lease_units=10, lease_seconds=1)
    async def leased(customer_ref: str) -> str:
        return customer_ref

    asyncio.run(leased("cus_1"))
    shop.wait_for(lambda: shop.used == 1 and shop.held == {})
    asyncio.run(client.aclose())


def test_a_client_that_is_dropped_leaves_no_socket_open(stand_in: StandInOnPort) -> None:
    """A socket that is left to Python's collector is a ResourceWarning, and an error in these tests."""
    asyncio.run(publish(AsyncMeterhouse(KEY, stand_in.url)))
    gc.collect()


async def test_a_call_that_is_cancelled_ends_its_request() -> None:
    shop = Shop()
    begun = threading.Event()
    ended: list[BaseException] = []

    async def sleep(_: float) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            ended.append(error)
            raise

    shop.away = {"limits"}
    client = shop.async_client(sleep)
    task = asyncio.create_task(client.check_limits(customer_ref="cus_1", product_ref="prd_1"))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await client.aclose()
    assert len(ended) == 1


PROGRAM = """
import asyncio, os, sys
from meterhouse_sdk import AsyncMeterhouse

client = AsyncMeterhouse()

async def publish(key):
    event = {"type": "usage.loop", "customer_ref": "cus_1", "units": 1, "idempotency_key": key}
    await client.create_events([event])

async def leaves():
    task = asyncio.ensure_future(publish("left"))
    await asyncio.sleep(0)
    task.cancel()

asyncio.run(publish("parent"))
child = os.fork()
asyncio.run(publish("child" if child == 0 else "parent again"))
if child:
    assert os.waitpid(child, 0)[1] == 0
    asyncio.run(leaves())
"""


def test_a_process_and_its_child_end_without_warnings_and_finish_what_they_began(
    stand_in: StandInOnPort,
) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", PROGRAM],
        env=os.environ | {"METERHOUSE_API_KEY": KEY, "METERHOUSE_URL": stand_in.url},
        timeout=WAIT_SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert set(stand_in.events) == {"parent", "child", "parent again", "left"}
