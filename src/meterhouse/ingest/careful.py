"""Reading malformed bodies beside the event loop: to tell each fault can take a second or two."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from meterhouse.ingest.bulk import is_surely_small
from meterhouse.model.errors import ValidationFailed

T = TypeVar("T")

_one_at_a_time: Final = ThreadPoolExecutor(1, "malformed-body")


async def carefully(body: bytes, read: Callable[[bytes], T], explain: Callable[[bytes], T]) -> T:
    """Return what `read` makes of the body or, where it raises ValidationFailed, what `explain` makes of it.

    explain: takes long for a large body that is malformed. Those are read one at a time in a thread of
    their own, so that other requests are answered meanwhile.
    """
    try:
        return read(body)
    except ValidationFailed:
        if is_surely_small(body):
            return explain(body)
    return await asyncio.get_running_loop().run_in_executor(_one_at_a_time, explain, body)
