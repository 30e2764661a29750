"""Reading malformed bodies beside the event loop: to tell each fault can take a second or two."""

from collections.abc import Callable
from typing import TypeVar

from meterhouse import pools
from meterhouse.ingest.bulk import is_surely_small
from meterhouse.model.errors import ValidationFailed

T = TypeVar("T")


async def carefully(body: bytes, read: Callable[[bytes], T], explain: Callable[[bytes], T]) -> T:
    """Return the result of `read` or, where it raises ValidationFailed, the result of `explain`.

    explain: takes long for a large body that is malformed. Such bodies are read one at a time in a thread of
    their own, so that other requests are answered meanwhile. Raises Overloaded: too many of them wait.
    """
    try:
        return read(body)
    except ValidationFailed:
        if is_surely_small(body):
            return explain(body)
    return await pools.MALFORMED.run(explain, body)
