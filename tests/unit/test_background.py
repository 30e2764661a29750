"""Work that the server repeats in the background."""

import asyncio
import sqlite3
from contextlib import suppress

from meterhouse.metering.background import repeat
from meterhouse.model.errors import LogUnavailable


async def test_a_failure_of_any_kind_ends_one_try_alone() -> None:
    failures: list[Exception] = [LogUnavailable(), sqlite3.OperationalError("disk I/O error"), KeyError("x")]
    worked = asyncio.Event()

    async def work() -> float:
        if failures:
            raise failures.pop()
        worked.set()
        return 0

    running = asyncio.create_task(repeat("test", work, after_failure_seconds=0))
    async with asyncio.timeout(10):
        await worked.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert not failures
