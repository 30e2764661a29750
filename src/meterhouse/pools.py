"""Threads, in one pool for each purpose: slow work of one kind never takes the threads of another."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import Lock
from typing import Final, ParamSpec, TypeVar

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from meterhouse.model.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")


class Pool:
    """A number of threads, and a bounded queue before them.

    name: the label of its metrics. threads: work that runs at once. waiting: work that may wait for a thread.
    """

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self.name = name
        self.refused = 0
        self.threads = threads
        self._most = threads + waiting
        self._unfinished = 0
        self._counting = Lock()
        self._executor = ThreadPoolExecutor(threads, f"meterhouse-{name}")

    @property
    def running(self) -> int:
        return min(self._unfinished, self.threads)

    @property
    def waiting(self) -> int:
        return max(self._unfinished - self.threads, 0)

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of `work`, which runs in a thread of the pool. Its errors are raised here.

        A caller that is cancelled takes queued work back; work that runs already runs to its end.
        Raises Overloaded: the queue is full, and nothing was done.
        """
        with self._counting:
            if self._unfinished >= self._most:
                self.refused += 1
                raise Overloaded(f"Too many requests wait for {self.name}; send the same request again.")
            self._unfinished += 1
        try:
            running = self._executor.submit(copy_context().run, partial(work, *args, **kwargs))
        except BaseException:
            self._end(None)
            raise
        running.add_done_callback(self._end)
        return await asyncio.wrap_future(running)

    def _end(self, _: Future[T] | None) -> None:
        with self._counting:
            self._unfinished -= 1


LOOKUPS: Final = Pool("lookups", threads=2, waiting=1_000)
"""Reads by an index that requests wait for: the refs of a bulk, the account of a sign-in."""
PAGES: Final = Pool("pages", threads=2, waiting=1_000)
"""Lists of the catalog."""
SEARCHES: Final = Pool("searches", threads=1, waiting=50)
"""Looking for a text in every row."""
LEDGER: Final = Pool("ledger", threads=2, waiting=1_000)
"""Balances and totals of many customers."""
CONSUMER: Final = Pool("consumer", threads=2, waiting=1_000)
"""Following the log into the warehouse."""
CALLS: Final = Pool("calls", threads=16, waiting=50)
"""Requests to other servers, such as a payment processor."""
PASSWORDS: Final = Pool("passwords", threads=2, waiting=20)
"""Hashing, two at a time: a hash takes 64 MB."""
BODIES: Final = Pool("bodies", threads=2, waiting=200)
"""Decompression of large bodies."""
MALFORMED: Final = Pool("malformed", threads=1, waiting=50)
"""Finding the faults of large bodies that cannot be read: a second or two each."""
MAINTENANCE: Final = Pool("maintenance", threads=2, waiting=1_000)
"""Repairs."""
POOLS: Final = (LOOKUPS, PAGES, SEARCHES, LEDGER, CONSUMER, CALLS, PASSWORDS, BODIES, MALFORMED, MAINTENANCE)


class _Load(Collector):
    def collect(self) -> Iterator[Metric]:
        running = GaugeMetricFamily(
            "meterhouse_pool_running", "Work that a thread of the pool does now.", labels=["pool"]
        )
        waiting = GaugeMetricFamily(
            "meterhouse_pool_waiting", "Work that waits for a thread of the pool.", labels=["pool"]
        )
        refused = CounterMetricFamily(
            "meterhouse_pool_refused", "Work that was refused, because the queue was full.", labels=["pool"]
        )
        for pool in POOLS:
            running.add_metric([pool.name], pool.running)
            waiting.add_metric([pool.name], pool.waiting)
            refused.add_metric([pool.name], pool.refused)
        yield from (running, waiting, refused)


REGISTRY.register(_Load())
