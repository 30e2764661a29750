"""Work that goes on beside a test until it is told to stop."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

_LONGEST_SECONDS = 120


@contextmanager
def going_on(works: Sequence[Callable[[], None]], stop: threading.Event) -> Iterator[None]:
    """Do each in a thread of its own; at the end tell them to stop, and wait until they have."""
    stop.clear()
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(_LONGEST_SECONDS)
            assert not thread.is_alive()
