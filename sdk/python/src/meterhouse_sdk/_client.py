"""The two ways to drive the protocol, blocking and async. Nothing is decided here.

Their methods are listed in `_operations`.
"""

import asyncio
import os
import time
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import closing
from email.utils import formatdate
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx

from meterhouse_sdk._background import background, finished
from meterhouse_sdk._operations import AwaitingOperations, BlockingOperations
from meterhouse_sdk._payable import Payable
from meterhouse_sdk._protocol import Flow, Lost, Operation, Reply, Request, RetryPolicy, Wait, carried_out
from meterhouse_sdk._settings import Settings
from meterhouse_sdk._turnstile import AwaitingTurnstile, BlockingTurnstile
from meterhouse_sdk._version import __version__

T = TypeVar("T")
_CONNECT_SECONDS: Final = 5.0


class Meterhouse(BlockingOperations, Payable):
    """A client of one Meterhouse server. For threads; one for the whole program is enough.

    Arguments that are None come from the environment, see `Settings`. Connections are opened when
    needed, and a forked child opens its own. `transport` stands in for the network in tests.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        max_retries: int = 3,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.settings = Settings.resolve(
            os.environ,
            api_key=api_key,
            base_url=base_url,
            timeout_seconds=timeout_seconds,
            max_retries=max_retries,
        )
        self._policy = RetryPolicy(max_retries=max_retries)
        self._transport = transport
        self._sleep = sleep
        # Now, since it imports modules: a fork while another thread imports them would break the child.
        self._http, self._pid = self._connect(), os.getpid()
        self._turnstile: BlockingTurnstile = BlockingTurnstile(self)

    def carry_out(self, operation: Operation[T]) -> T:
        """Drive an operation to its end. The methods above do; you need it for operations of your own."""
        with closing(carried_out(operation, self._policy)) as flow:
            outcome: Reply | Lost | None = None
            while True:
                try:
                    step = flow.send(outcome)
                except StopIteration as stop:
                    result: T = stop.value
                    return result
                if isinstance(step, Wait):
                    self._sleep(step.seconds)
                    outcome = None
                else:
                    outcome = self._exchange(step)

    def _exchange(self, request: Request) -> Reply | Lost:
        http = self._connected()
        try:
            response = http.send(_built(request, http, self.settings))
        except httpx.RequestError as error:
            return Lost(error)
        return _reply(response)

    def without_retries(self) -> "Meterhouse":
        """Return a client of the same server, with connections of its own, that tries everything once."""
        return Meterhouse(
            self.settings.api_key,
            self.settings.base_url,
            timeout_seconds=self.settings.timeout_seconds,
            max_retries=0,
            transport=None if self._transport is None else _Shared(self._transport),
        )

    def _connected(self) -> httpx.Client:
        if self._pid != os.getpid():  # forked: two users of one socket mix up answers
            self._http, self._pid = self._connect(), os.getpid()
        return self._http

    def _connect(self) -> httpx.Client:
        return httpx.Client(timeout=_timeout(self.settings), transport=self._transport)

    def close(self) -> None:
        """Settle the leases and close the connections. The client cannot be used after that."""
        self._turnstile.close()
        if self._pid == os.getpid():
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncMeterhouse(AwaitingOperations, Payable):
    """`Meterhouse` for asyncio: the same methods, awaited; `events` is an async iterator.

    One client serves every event loop of the program, at the same time or one after another: it sends
    requests from a loop of the SDK's own, in a thread. `transport` and `sleep` are awaited there.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        max_retries: int = 3,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.settings = Settings.resolve(
            os.environ,
            api_key=api_key,
            base_url=base_url,
            timeout_seconds=timeout_seconds,
            max_retries=max_retries,
        )
        self._policy = RetryPolicy(max_retries=max_retries)
        self._transport = transport
        self._sleep = sleep
        self._http, self._pid = self._connect(), os.getpid()
        self._turnstile: AwaitingTurnstile = AwaitingTurnstile(self)

    async def carry_out(self, operation: Operation[T]) -> T:
        """Drive an operation to its end. The methods above do; you need it for operations of your own."""
        return await background.run(self._begun(operation))

    def _start(self, operation: Operation[T]) -> Future[T]:
        """Drive an operation to its end, also when the caller is cancelled or its event loop is closed."""
        return background.keep(self._begun(operation))

    def _begun(self, operation: Operation[T]) -> Coroutine[Any, Any, T]:  # Any: as `async def` has it
        """Run the operation up to its first request here, so that its arguments are read in this thread."""
        flow = carried_out(operation, self._policy)
        try:
            return self._driven(flow, next(flow))
        except StopIteration as stop:
            return _returned(stop.value)

    async def _driven(self, flow: Flow[T], step: Request | Wait) -> T:
        with closing(flow):
            while True:
                outcome: Reply | Lost | None = None
                if isinstance(step, Wait):
                    await self._sleep(step.seconds)
                else:
                    outcome = await self._exchange(step)
                try:
                    step = flow.send(outcome)
                except StopIteration as stop:
                    result: T = stop.value
                    return result

    async def _exchange(self, request: Request) -> Reply | Lost:
        http = self._connected()
        if not http.is_closed:
            background.opened(http)
        try:
            response = await http.send(_built(request, http, self.settings))
        except httpx.RequestError as error:
            return Lost(error)
        return _reply(response)

    def _connected(self) -> httpx.AsyncClient:
        if self._pid != os.getpid():  # forked: two users of one socket mix up answers
            self._http, self._pid = self._connect(), os.getpid()
        return self._http

    def _connect(self) -> httpx.AsyncClient:
        http = httpx.AsyncClient(timeout=_timeout(self.settings), transport=self._transport)
        weakref.finalize(self, background.close, http).atexit = False  # the end of the loop closes them all
        return http

    async def aclose(self) -> None:
        """Settle the leases and close the connections. The client cannot be used after that."""
        await self._turnstile.aclose()
        if self._pid == os.getpid():
            closing = background.close(self._http)
            if closing is None:
                await self._http.aclose()  # never used: it has no connections
            else:
                await finished(closing)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


async def _returned(value: T) -> T:
    return value


class _Shared(httpx.BaseTransport):
    """Somebody else's transport: closing this leaves it open."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._transport.handle_request(request)


def _reply(response: httpx.Response) -> Reply:
    """An answer without `Date` was written when it was received (RFC 9110, 6.6.1)."""
    response.headers.setdefault("date", formatdate(usegmt=True))
    return Reply(response.status_code, response.headers, response.content)


def _timeout(settings: Settings) -> httpx.Timeout:
    seconds = settings.timeout_seconds
    return httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))


def _built(request: Request, http: httpx.Client | httpx.AsyncClient, settings: Settings) -> httpx.Request:
    headers = {
        "Authorization": f"Bearer {settings.api_key}",
        "Accept": "application/json",
        "User-Agent": f"meterhouse-sdk-python/{__version__}",
    }
    if request.body:
        headers["Content-Type"] = request.content_type
    if request.content_encoding is not None:
        headers["Content-Encoding"] = request.content_encoding
    sent = http.build_request(
        request.method,
        settings.base_url + request.path,
        params=request.params or None,
        headers=headers,
        content=request.body or None,
    )
    if request.idempotency_key is not None:
        sent.headers["Idempotency-Key"] = request.idempotency_key
    return sent
