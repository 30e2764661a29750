"""Turns are shared fairly among those who ask."""

import asyncio

import pytest

from meterhouse.http.turns import Turns
from meterhouse.model.errors import Overloaded


async def queued(turns: Turns, order: list[str], *askers: str) -> list[asyncio.Task[None]]:
    """Ask for turns while the only one is taken; each notes its asker in `order` when it comes."""

    async def ask(asker: str) -> None:
        async with turns.turn(asker):
            order.append(asker)

    tasks = [asyncio.create_task(ask(asker)) for asker in askers]
    await asyncio.sleep(0)
    return tasks


async def test_askers_take_turns() -> None:
    turns, order = Turns(1, 100), list[str]()
    async with turns.turn("first"):
        tasks = await queued(turns, order, "crowd", "crowd", "crowd", "one")
    await asyncio.gather(*tasks)
    assert order == ["crowd", "one", "crowd", "crowd"]


async def test_too_many_waiting_refuses_the_asker_with_the_most() -> None:
    turns, order = Turns(1, 3), list[str]()
    async with turns.turn("first"):
        tasks = await queued(turns, order, "crowd", "crowd", "crowd", "one")
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), type(None), Overloaded, type(None)]
    assert order == ["crowd", "one", "crowd"]


async def test_a_cancelled_request_loses_no_turn() -> None:
    turns, order = Turns(1, 100), list[str]()
    async with turns.turn("first"):
        gone, late, stays = await queued(turns, order, "gone", "late", "stays")
        gone.cancel()
        await asyncio.sleep(0)
    late.cancel()  # at the moment of its turn
    await stays
    assert order == ["stays"]
    for task in (gone, late):
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(10), turns.turn("again"):
        pass
