"""Waiting for what a background task of the server does."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

_LONGEST_SECONDS = 30.0
_BETWEEN_SECONDS = 0.02


async def until_equal(question: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    """Return once the question's answer is the wanted one. Raises AssertionError with the last answer."""
    end = time.monotonic() + _LONGEST_SECONDS
    while (found := await question()) != wanted:
        assert time.monotonic() < end, f"waited in vain for {wanted}: the last answer was {found}"
        await asyncio.sleep(_BETWEEN_SECONDS)  # between two looks; the answer decides, not the clock


async def until(condition: Callable[[], bool]) -> None:
    """Return once the condition is true. Raises AssertionError."""

    async def question() -> bool:
        return condition()

    await until_equal(question, wanted=True)
