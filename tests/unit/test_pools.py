"""Pools of threads: bounded, and apart from one another."""

import asyncio
from threading import Event

import pytest

from meterhouse.model.errors import Overloaded
from meterhouse.pools import POOLS, Pool
from meterhouse.telemetry import registry
from tests.flow.waiting import until


async def test_a_full_pool_refuses_and_works_again_afterwards() -> None:
    pool, release = Pool("test", threads=1, waiting=1), Event()
    held = [asyncio.create_task(pool.run(release.wait)) for _ in range(2)]
    await until(lambda: pool.waiting == 1)
    with pytest.raises(Overloaded, match="test"):
        await pool.run(release.wait)
    assert (pool.running, pool.waiting, pool.refused) == (1, 1, 1)
    release.set()
    assert await asyncio.gather(*held) == [True, True]
    assert await pool.run(int, "7") == 7
    await until(lambda: pool.running == 0)


async def test_a_cancelled_caller_takes_queued_work_back() -> None:
    done: list[int] = []
    pool, release = Pool("test", threads=1, waiting=5), Event()
    first = asyncio.create_task(pool.run(release.wait))
    second = asyncio.create_task(pool.run(done.append, 1))
    await until(lambda: pool.waiting == 1)
    second.cancel()
    await asyncio.wait((second,))
    assert (pool.running, pool.waiting) == (1, 0)
    release.set()
    await first
    await pool.run(int)
    assert done == []


async def test_work_that_fails_leaves_its_place() -> None:
    pool = Pool("test", threads=1, waiting=0)
    for _ in range(3):
        await until(lambda: pool.running == 0)
        with pytest.raises(ValueError, match="x"):
            await pool.run(int, "x")


def test_every_pool_has_its_metrics() -> None:
    for pool in POOLS:
        for name in ("meterhouse_pool_running", "meterhouse_pool_waiting", "meterhouse_pool_refused_total"):
            assert registry.get_sample_value(name, {"pool": pool.name}) is not None
    assert len({pool.name for pool in POOLS}) == len(POOLS)
