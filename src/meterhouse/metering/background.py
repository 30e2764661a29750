"""Work that the server repeats in the background for as long as it runs."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from meterhouse.model.errors import MeterhouseError

_logger = structlog.get_logger()


async def repeat(name: str, work: Callable[[], Awaitable[float]], after_failure_seconds: float = 1.0) -> None:
    """Do work for ever. It returns how many seconds to pause before the next time.

    A failure of any kind is logged and ends one try alone: nothing else would start the work again.
    """
    while True:
        try:
            pause_seconds = await work()
        except MeterhouseError as error:
            pause_seconds = after_failure_seconds
            _logger.warning("background_failed", work=name, error=str(error))
        except Exception:
            pause_seconds = after_failure_seconds
            _logger.exception("background_failed", work=name)
        await asyncio.sleep(pause_seconds)
