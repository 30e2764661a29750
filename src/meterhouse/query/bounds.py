"""How much one question may cost."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from meterhouse.model.errors import QueryTooLarge

T = TypeVar("T")
MAX_POINTS: Final = 10_000  # of one series
MAX_ALL_POINTS: Final = 200_000  # of all series of an answer
TIMEOUT_SECONDS: Final = 10.0


async def in_time(answer: Awaitable[T]) -> T:
    """Raises QueryTooLarge once the answer has taken 10 seconds; the question is given up."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await answer
    except TimeoutError:
        raise QueryTooLarge(
            f"The answer took more than {TIMEOUT_SECONDS:.0f} s; ask for a shorter range or fewer groups."
        ) from None
