"""Questions take turns, run for a bounded time, and end with their callers.

The slow question is a real one of DuckDB, which would run for hours.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from meterhouse import telemetry
from meterhouse.model.question import UsageQuestion, UsageRow
from meterhouse.model.tenant import Caller, Environment
from meterhouse.settings import Settings
from meterhouse.stores.embedded.warehouse.source import View
from meterhouse.stores.embedded.warehouse.store import DuckWarehouse
from meterhouse.wiring import Service, open_service
from tests.conftest import Client, speak_to
from tests.flow.answers import error, ok
from tests.flow.shop import CUSTOMER
from tests.flow.waiting import until, until_equal

HOURS = "SELECT sum(sin(a.range) * cos(b.range)) FROM range(10_000_000) a, range(10_000_000) b"
SLOW = {"type": "slow.question"}


@pytest.fixture
def _slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the question about `slow.question` take hours; every other one is as it was."""
    quick = DuckWarehouse.usage

    async def usage(self: DuckWarehouse, question: UsageQuestion) -> Sequence[UsageRow]:
        if SLOW["type"] not in str(question.filter):
            return await quick(self, question)

        def work(view: View) -> Sequence[UsageRow]:
            view.connection.execute(HOURS)
            return []

        return await self._ask(work)

    monkeypatch.setattr(DuckWarehouse, "usage", usage)


@pytest.fixture
async def hurried(tmp_path: Path) -> AsyncIterator[Service]:
    """A server whose questions wait a second for their turn."""
    settings = Settings(data=str(tmp_path), query_wait_seconds=1, queries_at_once=3)
    async with open_service(settings) as opened:
        yield opened


def running() -> float:
    return telemetry.registry.get_sample_value("meterhouse_queries_running") or 0


def waiting() -> float:
    return telemetry.registry.get_sample_value("meterhouse_queries_waiting") or 0


async def ask(client: Client, **parameters: str) -> Any:
    return await client.get("/v1/usage", params=parameters)


async def give_up(asked: Sequence["asyncio.Task[Any]"]) -> None:
    for each in asked:
        each.cancel()
    await asyncio.wait(asked)
    await until(lambda: running() == 0)


@pytest.mark.usefixtures("_slow")
async def test_slow_questions_of_one_environment_hold_up_no_other(hurried: Service) -> None:
    assert hurried.first_start is not None
    client = speak_to(hurried, hurried.first_start.secret)
    scope = await hurried.catalog.providers.scope("default", Environment.LIVE)
    live = speak_to(hurried, (await hurried.catalog.keys.create(Caller(scope, "cli"), "live")).secret)
    slow = [asyncio.create_task(ask(client, **SLOW)) for _ in range(2)]
    await until(lambda: running() == 2)
    ok(await ask(live))
    ok(await client.get("/ready"))
    ok(await client.get("/health"))
    event = {"type": "a.b", "units": 1, "customerRef": CUSTOMER}
    ok(await client.post("/v1/sdk/events", json=event), 201)
    refused = await ask(client)
    assert "waited 1 s" in error(refused, 503, "overloaded")["message"]
    assert refused.headers["retry-after"] == "1"
    assert (running(), any(each.done() for each in slow)) == (2, False)
    await give_up(slow)
    await until_equal(lambda: total(client), 1)


async def total(client: Client) -> Any:
    return ok(await ask(client))["total"]


@pytest.mark.usefixtures("_slow")
async def test_time_in_the_queue_is_no_time_of_the_question(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = [asyncio.create_task(ask(client, **SLOW)) for _ in range(2)]
    await until(lambda: running() == 2)
    monkeypatch.setattr("meterhouse.query.bounds.TIMEOUT_SECONDS", 5.0)
    queued = asyncio.create_task(ask(client))
    await until(lambda: waiting() == 1)
    assert not queued.done()
    await give_up(slow)
    ok(await queued)


@pytest.mark.usefixtures("_slow")
async def test_a_question_that_runs_too_long_ends(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meterhouse.query.bounds.TIMEOUT_SECONDS", 0.2)
    error(await ask(client, **SLOW), 400, "query_too_large")
    assert running() == 0


@pytest.mark.usefixtures("_slow")
async def test_a_question_ends_when_its_caller_goes_away(service: Service) -> None:
    assert service.first_start is not None
    gone = asyncio.Event()
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/v1/usage", "raw_path": b"/v1/usage", "root_path": "", "query_string": b"type=slow.question",
        "headers": [(b"authorization", f"Bearer {service.first_start.secret}".encode())],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    asked = asyncio.create_task(_call(service, scope, receive, send))
    await until(lambda: running() == 1)
    before = telemetry.registry.get_sample_value("meterhouse_http_abandoned_total") or 0
    gone.set()
    await asked
    assert (running(), sent) == (0, [])
    assert telemetry.registry.get_sample_value("meterhouse_http_abandoned_total") == before + 1


async def _call(service: Service, scope: Any, receive: Any, send: Any) -> None:
    await service.app(scope, receive, send)
