"""What is asked about one customer costs as much with many others as with few."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from meterhouse.consume.runner import Runner
from meterhouse.metering.payment_sweep import PaymentSweep
from meterhouse.metering.recharge_sweep import RechargeSweep
from meterhouse.metering.sweep import ExpirySweep
from meterhouse.settings import Settings
from meterhouse.stores.embedded.database import Database
from meterhouse.wiring import open_service
from tests.conftest import Client, speak_to
from tests.flow.answers import ok
from tests.flow.shop import FREE, PRODUCT, activate, grant, limits, plan, settle, track

FEW, MANY = 5, 300
STEP = 20
"""SQLite counts its steps by so many."""
connect = Database._connect


class Steps:
    """How many steps SQLite took, on any connection. Going through everybody's rows takes some for each."""

    def __init__(self) -> None:
        self.count = 0

    def watch(self, database: Database) -> sqlite3.Connection:
        connection = connect(database)
        connection.set_progress_handler(self._step, STEP)
        return connection

    def _step(self) -> int:
        self.count += STEP
        return 0


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[tuple[Steps, Client]]:
    steps = Steps()

    def watched_connection(database: Database) -> sqlite3.Connection:
        return steps.watch(database)

    async def rest(*_: object) -> None:
        """Replace a sweep or the log's reader: their steps belong to no request."""

    with ExitStack() as stack:
        stack.enter_context(patch.object(Database, "_connect", watched_connection))
        for background in (ExpirySweep, PaymentSweep, RechargeSweep, Runner):
            stack.enter_context(patch.object(background, "run", rest))
        async with open_service(Settings(data=str(tmp_path / "watched"))) as service:
            assert service.first_start is not None
            yield steps, speak_to(service, service.first_start.secret)


async def make(client: Client, ref: str, plan_ref: str | None = None) -> None:
    body = {"reference": ref, "email": f"{ref}@example.com", "name": ref.replace("_", " ")}
    ok(await client.post("/v1/sdk/customers", json=body), 201)
    if plan_ref is not None:
        await activate(client, plan_ref, ref)


async def intend(client: Client, ref: str, plan_ref: str) -> str:
    """Ask for a payment; return its ref."""
    body = {"customerRef": ref, "productRef": PRODUCT, "planRef": plan_ref}
    made = await client.post("/v1/sdk/payment-intents", json=body, headers={"Idempotency-Key": f"pay {ref}"})
    return str(ok(made, 201)["processorPaymentId"])


async def live(client: Client, ref: str, plans: tuple[str, str, str]) -> AsyncIterator[str]:
    """Do for one customer whatever concerns one; yield the name of what was done."""
    free, other, paid = plans
    about = {"customerRef": ref, "productRef": PRODUCT}

    async def get(path: str, **parameters: str) -> Any:
        return ok(await client.get(path, params=parameters))

    async def post(path: str, **body: Any) -> Any:
        answer = await client.post(path, json=body)
        return ok(answer, answer.status_code)

    await make(client, ref)
    yield "create"
    for name, ref_of_plan in (("first", free), ("another", other), ("back", free)):
        bought = (await activate(client, ref_of_plan, ref))["purchaseRef"]
        yield f"activate the {name}"
    await track(client, customerRef=ref)
    yield "track"
    await limits(client, customerRef=ref)
    yield "limits"
    await settle(client, await limits(client, customerRef=ref, reserve={"units": 1}), 1)
    yield "hold"
    await grant(client, 5, ref)
    yield "credits"
    payment = await intend(client, ref, paid)
    yield "payment intent"
    hosted = (await post("/v1/sdk/checkout-sessions", **about))["sessionId"]
    yield "checkout"
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "get": lambda: get(f"/v1/sdk/customers/{ref}"),
        "find by email": lambda: get("/v1/sdk/customers", email=f"{ref}@example.com"),
        "purchases": lambda: get(f"/v1/sdk/purchases/customer/{ref}"),
        "purchases of a product": lambda: get("/v1/sdk/purchases", **about),
        "purchase": lambda: get(f"/v1/sdk/purchases/{bought}"),
        "cancel": lambda: post(f"/v1/sdk/purchases/{bought}/cancel"),
        "reactivate": lambda: post(f"/v1/sdk/purchases/{bought}/reactivate"),
        "user info": lambda: post("/v1/sdk/user-info", **about),
        "checkout page": lambda: get(f"/v1/checkout-sessions/{hosted}"),
        "payment": lambda: get(f"/v1/sdk/payment-intents/{payment}"),
        "first payments": lambda: get("/v1/sdk/payment-intents", limit="5"),
        "card": lambda: get("/v1/sdk/payment-method", customerRef=ref),
        "periods": lambda: get(f"/v1/purchases/{bought}/periods"),
        "credit history": lambda: get(f"/v1/customers/{ref}/credits"),
        "first of the audit": lambda: get("/v1/audit", limit="5"),
        "session": lambda: post("/v1/sdk/customers/customer-sessions", **about),
        "balance": lambda: get(f"/v1/sdk/customers/{ref}/balance"),
        "first customers": lambda: get("/v1/customers", limit="5"),
        "first customers by name": lambda: get("/v1/customers", limit="5", sort="name"),
        "delete": lambda: client.delete(f"/v1/sdk/customers/{ref}"),
    }
    for name, call in calls.items():
        await call()
        yield name


async def cost(watched: tuple[Steps, Client], ref: str, plans: tuple[str, str, str]) -> dict[str, int]:
    steps, client = watched
    found: dict[str, int] = {}
    before = steps.count
    async for name in live(client, ref, plans):
        found[name] = steps.count - before
        before = steps.count
    return found


async def test_one_customer_costs_the_same_among_many_others(watched: tuple[Steps, Client]) -> None:
    _, client = watched
    paid = await plan(client, name="Paid", price=900)
    plans = (await plan(client, **FREE), await plan(client, name="Other", limit=5), paid)
    for number in range(FEW):
        await make(client, f"cus_few{number}", plans[number % 2])
    few = await cost(watched, "cus_one", plans)
    for number in range(MANY):
        ref = f"cus_many{number}"
        await make(client, ref, plans[number % 2])
        about = {"customerRef": ref, "productRef": PRODUCT}
        ok(await client.post("/v1/sdk/checkout-sessions", json=about), 201)
        await intend(client, ref, paid)
        await grant(client, 5, ref)
        await limits(client, customerRef=ref, reserve={"units": 1})
    many = await cost(watched, "cus_two", plans)
    assert few["get"] > 0
    grown = {name: many[name] - few[name] for name in few}
    assert {name: steps for name, steps in grown.items() if steps > MANY} == {}
