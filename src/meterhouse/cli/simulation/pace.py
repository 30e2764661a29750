"""When to send: what is past as fast as the server takes it, or at a given speed; then as it happens."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec import Struct

from meterhouse.cli.simulation.traffic import Sending

_MOST_EVENTS: Final = 5_000
_GATHER_SECONDS: Final = 0.2
_SECOND_US: Final = 1_000_000


class Clock(Struct, frozen=True):
    """now: microseconds since 1970. sleep: seconds."""

    now: Callable[[], int]
    sleep: Callable[[float], None]


def batches(
    sendings: Iterable[Sending], start_us: int, speed: float | None, clock: Clock
) -> Iterator[list[Sending]]:
    """Yield what is due, in order; between batches, wait until something is.

    speed: how many times faster than it happened the past is sent, from `start_us` on; None: at once.
    """
    began_us = clock.now()

    def due_until() -> int:
        now = clock.now()
        return now if speed is None else min(now, start_us + int((now - began_us) * speed))

    batch: list[Sending] = []
    until = due_until()
    for sending in sendings:
        if sending.at > until:
            if batch:
                yield batch
                batch = []
            while sending.at > (until := due_until()):
                faster = speed if speed is not None and until < clock.now() else 1.0
                clock.sleep(max(_GATHER_SECONDS, min(1.0, (sending.at - until) / _SECOND_US / faster)))
        batch.append(sending)
        if len(batch) == _MOST_EVENTS:
            yield batch
            batch = []
    if batch:
        yield batch
