"""What the server says of itself: structured logs on stderr, Prometheus metrics at /metrics."""

import logging
import sys
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

import structlog
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

_BOUNDS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _Requests(Collector):
    """Requests by route and status, and how long they took. Counts in plain numbers, since it is asked to
    for every request, and the library's own counters would cost more than deciding what to answer."""

    def __init__(self) -> None:
        self._answered: dict[tuple[str, int], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_BOUNDS_SECONDS) + 1))
        self._seconds: dict[str, float] = defaultdict(float)

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request. `route` is a template or a fixed path, never one with a ref in it."""
        self._answered[route, status] += 1
        self._buckets[route][bisect_left(_BOUNDS_SECONDS, seconds)] += 1
        self._seconds[route] += seconds

    def collect(self) -> Iterator[Metric]:
        answered = CounterMetricFamily(
            "meterhouse_http_requests", "Requests answered.", labels=["route", "status"]
        )
        for (route, status), count in self._answered.items():
            answered.add_metric([route, str(status)], count)
        yield answered
        seconds = HistogramMetricFamily(
            "meterhouse_http_request_seconds",
            "Time from a request's headers to its answer.",
            labels=["route"],
        )
        bounds = [*map(str, _BOUNDS_SECONDS), "+Inf"]
        for route, buckets in self._buckets.items():
            cumulative = list(zip(bounds, map(float, accumulate(buckets)), strict=True))
            seconds.add_metric([route], cumulative, self._seconds[route])
        yield seconds


_requests = _Requests()
REGISTRY.register(_requests)
observe_request: Final = _requests.observe
http_connections = Gauge("meterhouse_http_connections", "Connections that are open.")
http_connections_most = Gauge("meterhouse_http_connections_most", "Connections that may be open.")
http_request_bytes = Gauge(
    "meterhouse_http_request_bytes", "Bytes in memory of requests that have no answer yet."
)
http_turned_away = Counter(
    "meterhouse_http_turned_away", "Requests and connections that the front ended, by reason.", ["reason"]
)
consumer_position = Gauge(
    "meterhouse_consumer_position", "Log position up to which a consumer has handled events.", ["consumer"]
)
log_position = Gauge("meterhouse_log_position", "Position of the newest record of the log.")
clock_difference = Gauge(
    "meterhouse_clock_difference_seconds",
    "How far the machine's clock has jumped ahead (below 0: back) and is not followed yet.",
)
clock_behind = Gauge(
    "meterhouse_clock_behind_seconds", "How far the server's clock is behind the newest record of the log."
)
consumer_events = Counter("meterhouse_consumer_events", "Events a consumer has handled.", ["consumer"])
consumer_failures = Counter(
    "meterhouse_consumer_failures",
    "Batches a consumer could not handle and tried again.",
    ["consumer"],
)
rebuild_progress = Gauge(
    "meterhouse_rebuild_progress_ratio",
    "Share of the log that a projection holds that is being made again; 1 once it is whole.",
    ["projection"],
)
rebuilds = Counter(
    "meterhouse_rebuilds", "Times a projection was set aside and begun again from the log.", ["projection"]
)
abandoned_requests = Counter(
    "meterhouse_http_abandoned", "Reads that were given up, because the caller went away."
)
queries_running = Gauge("meterhouse_queries_running", "Questions that the warehouse answers now.")
queries_waiting = Gauge("meterhouse_queries_waiting", "Questions that wait for their turn.")
queries_refused = Counter("meterhouse_queries_refused", "Questions that got no turn in time.")
query_waiting_seconds = Histogram(
    "meterhouse_query_waiting_seconds", "How long a question waited for its turn.", buckets=_BOUNDS_SECONDS
)
query_running_seconds = Histogram(
    "meterhouse_query_running_seconds", "How long the warehouse took to answer.", buckets=_BOUNDS_SECONDS
)


def configure_logs(*, as_json: bool) -> None:
    """Log to stderr, one line an event: JSON for machines, or aligned text for a terminal."""
    text = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(
                (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
                if as_json
                else (text,)
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # the stderr of the moment
    )


registry = REGISTRY
