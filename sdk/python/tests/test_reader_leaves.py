"""A reader who leaves a stream early has got something: it counts, at once, whatever becomes of the task."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from meterhouse_sdk import AsyncMeterhouse, Meterhouse
from meterhouse_sdk.asgi import Application, Message, PaywallMiddleware, Receive, Scope, Send
from sdk.python.tests.serving import read, served
from sdk.python.tests.shop import LIMITS, USAGES, Shop
from tests.e2e.wait import until

LEASES = pytest.mark.parametrize("lease_units", [None, 10])
Either = Meterhouse | AsyncMeterhouse
Opens = Callable[[Shop], Either]
CLIENTS = pytest.mark.parametrize("opens", [Shop.client, Shop.async_client], ids=["blocking", "async"])
HTTP: Scope = {
    "type": "http",
    "method": "GET",
    "path": "/",
    "headers": [(b"x-customer-ref", b"cus_1")],
    "asgi": {"version": "3.0", "spec_version": "2.4"},
}
ROUTED: Scope = {
    "asgi": {"spec_version": "2.3"},
    "query_string": b"",
    "root_path": "",
    "raw_path": b"/",
    "http_version": "1.1",
}


@pytest.fixture(autouse=True)
def _without_automatic_collections() -> Iterator[None]:
    """Python's collector would close a generator, some time."""
    gc.disable()
    yield
    gc.enable()


async def close(client: Either) -> None:
    if isinstance(client, AsyncMeterhouse):
        await client.aclose()
    else:
        await asyncio.to_thread(client.close)


async def never() -> Any:  # Any: a message
    await asyncio.Event().wait()


async def waits() -> AsyncIterator[str]:
    """Send something, then wait for something that does not come."""
    yield "token "
    yield "token "
    await asyncio.Event().wait()


def streaming(content: Callable[[], Any]) -> FastAPI:  # Any: an iterator, or an async one
    app = FastAPI()
    app.add_api_route("/", lambda: StreamingResponse(content()), response_model=None)
    return app


@CLIENTS
@LEASES
def test_a_stream_behind_the_middleware_that_is_cut_counts(opens: Opens, lease_units: int | None) -> None:
    shop = Shop()
    client = opens(shop)
    sold = PaywallMiddleware(
        streaming(waits),
        client=client,
        product="prd_1",
        customer_ref=lambda _: "cus_1",
        lease_units=lease_units,
    )
    with served(sold) as port:
        read(port, "/", until=b"token")
        if lease_units is None:
            shop.wait_for(lambda: shop.outcomes() == ["success"])
    asyncio.run(close(client))
    assert (shop.used, shop.held) == (1, {})


async def delivers(app: Application, shop: Shop, send: Send) -> None:
    """Run an application behind the paywall until it is cancelled, or ends by itself."""
    client = shop.async_client()
    task = asyncio.ensure_future(PaywallMiddleware(app, client=client, product="prd_1")(HTTP, never, send))
    with suppress(asyncio.CancelledError, OSError):
        await task
    await client.aclose()


def sending(*messages: Message, cancels: bool) -> Application:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        if cancels:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await never()

    return app


def started(status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": []}


def body(content: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


PART, EMPTY = body(b"token", more=True), body(b"", more=True)


@pytest.mark.parametrize(
    ("messages", "cancels", "outcomes"),
    [
        ([], True, ["fail"]),
        ([started()], True, ["fail"]),
        ([started(), EMPTY], True, ["fail"]),
        ([started(), PART], True, ["success"]),
        ([started(), PART], False, ["success"]),
        ([started(), {"type": "http.response.pathsend", "path": "/f"}], True, ["success"]),
        ([started(), body(b"token", more=False)], True, ["success"]),
        ([started(500), PART], True, ["fail"]),
        ([started(302), PART], True, []),
        ([started()], False, ["fail"]),
    ],
)
async def test_only_a_delivered_byte_counts(
    messages: list[Message], outcomes: list[str], *, cancels: bool
) -> None:
    shop = Shop()

    async def send(_: Message) -> None: ...

    await delivers(sending(*messages, cancels=cancels), shop, send)
    assert shop.outcomes() == outcomes


@pytest.mark.parametrize(("sent", "outcomes"), [(0, ["fail"]), (1, ["fail"]), (2, ["success"])])
async def test_a_send_that_fails_after_the_first_byte_counts(sent: int, outcomes: list[str]) -> None:
    """The framework sees a broken connection, and makes an error of its own of it."""
    shop, left = Shop(), [sent]

    async def send(_: Message) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError

    async def tokens() -> AsyncIterator[str]:
        while True:
            yield "token"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(Exception):
            await StreamingResponse(tokens())(scope, receive, send)
        raise RuntimeError("the application's own")

    with pytest.raises(RuntimeError):
        await delivers(app, shop, send)
    shop.wait_for(lambda: shop.outcomes() == outcomes)


async def test_an_application_that_fails_while_it_streams_counts_nothing() -> None:
    shop = Shop()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(started())
        await send(PART)
        raise ZeroDivisionError

    async def send(_: Message) -> None: ...

    with pytest.raises(ZeroDivisionError):
        await delivers(app, shop, send)
    assert shop.outcomes() == ["fail"]


@CLIENTS
@LEASES
def test_a_payable_async_generator_that_is_cut_counts(opens: Opens, lease_units: int | None) -> None:
    shop = Shop()
    client = opens(shop)

    @client.payable(product="prd_1", lease_units=lease_units)
    async def answer(customer_ref: str) -> AsyncIterator[str]:
        async for token in waits():
            yield f"{customer_ref} {token}"

    with served(streaming(lambda: answer("cus_1"))) as port:
        read(port, "/", until=b"token")
        if lease_units is None:
            shop.wait_for(lambda: shop.outcomes() == ["success"])
    asyncio.run(close(client))
    assert (shop.used, shop.held) == (1, {})


def full(*_: object) -> Iterator[str]:
    """More than the connection takes: what sends it waits for a reader who does not read."""
    while True:
        yield "token " * 10_000


async def cut_while_sending(app: FastAPI) -> None:
    """Have an application wait for a reader who does not read, and who leaves then."""
    sends, leaves = asyncio.Event(), asyncio.Event()

    async def receive() -> Message:
        await leaves.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message.get("body"):
            sends.set()
            await never()

    task = asyncio.ensure_future(app({**HTTP, **ROUTED}, receive, send))
    await sends.wait()
    leaves.set()
    await task


@CLIENTS
async def test_a_payable_async_generator_that_waits_for_its_reader_counts(opens: Opens) -> None:
    """It is left suspended, and nobody closes it."""
    shop = Shop()
    client = opens(shop)
    answer = client.payable(product="prd_1", customer_ref=lambda: "cus_1")(waits)
    await cut_while_sending(streaming(answer))
    await asyncio.to_thread(shop.wait_for, lambda: shop.outcomes() == ["success"])
    await close(client)


@LEASES
def test_a_payable_generator_in_a_thread_pool_that_is_cut_counts(lease_units: int | None) -> None:
    shop = Shop()
    with shop.client() as client:
        answer = client.payable(product="prd_1", customer_ref=lambda: "cus_1", lease_units=lease_units)(full)
        with served(streaming(answer)) as port:
            read(port, "/", until=b"token")
            shop.wait_for(lambda: lease_units is not None or shop.outcomes() == ["success"])
    assert (shop.used, shop.held) == (1, {})


async def test_a_payable_generator_that_is_cancelled_before_its_first_value_counts_nothing() -> None:
    shop = Shop()
    client = shop.async_client()
    begun = asyncio.Event()

    @client.payable(product="prd_1")
    async def answer(customer_ref: str) -> AsyncIterator[str]:
        begun.set()
        await never()
        yield customer_ref

    task = asyncio.ensure_future(anext(answer("cus_1")))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await client.aclose()
    assert shop.outcomes() == ["fail"]


def held_in_threads(client: Meterhouse, made: list[str]) -> Iterator[str]:
    with client.hold(customer_ref="cus_1", product_ref="prd_1", units=4_096) as hold:
        try:
            for text in full():
                made.append(text)
                yield text
        finally:
            hold.settle(len(made))


async def held_async(client: AsyncMeterhouse, made: list[str]) -> AsyncIterator[str]:
    async with client.hold(customer_ref="cus_1", product_ref="prd_1", units=4_096) as hold:
        try:
            async for text in waits():
                made.append(text)
                yield text
        finally:
            await hold.settle(len(made))


@pytest.mark.parametrize(
    ("opens", "content"),
    [(Shop.client, held_in_threads), (Shop.async_client, held_async)],
    ids=["threads", "async"],
)
def test_a_hold_of_a_stream_that_is_cut_is_settled(
    opens: Opens, content: Callable[[Either, list[str]], Any]
) -> None:  # Any: an iterator, or an async one
    shop, made = Shop(), list[str]()
    client = opens(shop)
    with served(streaming(lambda: content(client, made))) as port:
        read(port, "/", until=b"token")
        shop.wait_for(lambda: shop.held == {} and shop.used > 0)
    assert shop.used == len(made)
    asyncio.run(close(client))


async def test_a_hold_of_a_stream_that_waits_for_its_reader_is_settled() -> None:
    shop, made = Shop(), list[str]()
    async with shop.async_client() as client:
        await cut_while_sending(streaming(lambda: held_async(client, made)))
        await asyncio.to_thread(shop.wait_for, lambda: shop.held == {} and shop.used == 1)


def test_a_wsgi_server_that_closes_a_payable_generator_counts_it() -> None:
    shop = Shop()
    with shop.client() as client:
        answer = client.payable(product="prd_1", customer_ref=lambda: "cus_1")(full)()
        next(answer)
        answer.close()  # type: ignore[attr-defined]  # it is a generator
    assert shop.outcomes() == ["success"]


RECORDINGS: dict[str, Callable[[AsyncMeterhouse], Awaitable[object]]] = {
    "track_usage": lambda client: client.track_usage(customer_ref="cus_1", units=4),
    "settle": lambda client: client.settle("hld_1", 4),
}


@pytest.mark.parametrize("name", RECORDINGS)
async def test_a_cancelled_scope_ends_no_recording(name: str) -> None:
    """In a cancelled scope of anyio every `await` is cancelled, also the first one of a `finally`."""
    shop = Shop()
    async with shop.async_client() as client:
        await client.reserve(customer_ref="cus_1", product_ref="prd_1", units=10)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await RECORDINGS[name](client)
        assert scope.cancelled_caught
        await asyncio.to_thread(shop.wait_for, lambda: shop.used == 4)


async def test_a_recording_that_fails_after_its_caller_is_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = Shop()
    shop.away = {"usages"}
    async with shop.async_client() as client:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await client.track_usage(customer_ref="cus_1", units=4, idempotency_key="key-of-it")
        await asyncio.to_thread(until, lambda: "key-of-it" in caplog.text, "the log has it")


class Slow(httpx.AsyncBaseTransport):
    """Answers when it is told to."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.asked, self.go = threading.Event(), threading.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.set()
        await asyncio.to_thread(self.go.wait)
        return self._shop(request)


@LEASES
async def test_a_call_that_is_cancelled_while_it_is_let_in_takes_nothing(lease_units: int | None) -> None:
    shop = Shop()
    slow = Slow(shop)
    client = AsyncMeterhouse("sk_sandbox_1", "http://h", transport=slow)

    @client.payable(product="prd_1", lease_units=lease_units)
    async def work(customer_ref: str) -> str:
        return customer_ref

    task = asyncio.create_task(work("cus_1"))
    await asyncio.to_thread(slow.asked.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    slow.go.set()
    await asyncio.to_thread(shop.wait_for, lambda: LIMITS in shop.requests)
    assert await work("cus_1") == "cus_1"
    await client.aclose()
    assert (shop.used, shop.held) == (1, {})


async def test_a_reservation_whose_caller_is_cancelled_is_given_back() -> None:
    shop = Shop()
    slow = Slow(shop)
    client = AsyncMeterhouse("sk_sandbox_1", "http://h", transport=slow)
    task = asyncio.create_task(client.reserve(customer_ref="cus_1", product_ref="prd_1", units=10))
    await asyncio.to_thread(slow.asked.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    slow.go.set()
    await asyncio.to_thread(shop.wait_for, lambda: len(shop.ended) == 1)
    assert (shop.used, shop.held) == (0, {})
    await client.aclose()


def test_a_loop_that_ends_while_a_call_is_recorded_ends_no_recording() -> None:
    shop = Shop()
    slow = Slow(shop)
    client = AsyncMeterhouse("sk_sandbox_1", "http://h", transport=slow)

    @client.payable(product="prd_1")
    async def answer(customer_ref: str) -> AsyncIterator[str]:
        slow.go.clear()
        yield customer_ref

    async def reads_some() -> None:
        reading = answer("cus_1")
        await anext(reading)
        leaving = asyncio.ensure_future(reading.aclose())  # type: ignore[attr-defined]  # it is one
        await asyncio.sleep(0)
        leaving.cancel()

    slow.go.set()
    asyncio.run(reads_some())
    assert USAGES not in shop.requests
    slow.go.set()
    shop.wait_for(lambda: shop.outcomes() == ["success"])
    asyncio.run(client.aclose())
