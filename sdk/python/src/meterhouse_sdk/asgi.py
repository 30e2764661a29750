"""A paywall in front of any ASGI application: customers without access are answered 402.

app = PaywallMiddleware(app, client=AsyncMeterhouse(), product="prd_api", customer_ref=signed_in)
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from meterhouse_sdk._call import Call
from meterhouse_sdk._client import AsyncMeterhouse, Meterhouse
from meterhouse_sdk._exit import handle_sigterm
from meterhouse_sdk._refusal import REFUSALS, RETRY_SECONDS, refusal
from meterhouse_sdk._terms import Customer, OnUntracked, Terms
from meterhouse_sdk._turnstile import AsyncTurnstile, Recorder, for_asyncio

Scope = MutableMapping[str, Any]  # Any: as ASGI has it
Message = MutableMapping[str, Any]  # Any: as ASGI has it
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
FindRef = Callable[[Scope], str | None]
_HEADER: Final = b"x-customer-ref"
_FILES: Final = ("http.response.pathsend", "http.response.zerocopysend")
_BODIES: Final = ("http.response.body", *_FILES)


def header_ref(scope: Scope) -> str | None:
    """Return the header X-Customer-Ref. For behind a gateway: a client that sets it decides who pays."""
    found = next((value for name, value in scope["headers"] if name == _HEADER), b"")
    return found.decode("latin-1") or None


class PaywallMiddleware:
    """Lets HTTP requests through for customers within their limits, and counts 1 unit for each success.

    A success is an answer below 300, complete or cut by its reader after the first byte. It is booked
    before the last byte is sent. Redirects, 304 and HEAD count nothing. Answers of 400 and above, and
    exceptions, count nothing and are recorded with the outcome "fail". OPTIONS and websockets pass freely.
    Denied: 402 with the body of `PaymentRequired`; 401 without a customer; 503 where the server does not say.

    customer_ref: finds the customer in the ASGI scope; see `Meterhouse.payable` for it and the rest.
    applies: which requests are sold; the others pass freely.
    """

    def __init__(  # noqa: PLR0913 - the parts of a paywall
        self,
        app: Application,
        *,
        client: AsyncMeterhouse | Meterhouse,
        product: str,
        customer_ref: FindRef | None = None,
        external_ref: FindRef | None = None,
        applies: Callable[[Scope], bool] = lambda _: True,
        lease_units: int | None = None,
        lease_seconds: int = 30,
        on_untracked: OnUntracked | None = None,
    ) -> None:
        if customer_ref is not None and external_ref is not None:
            raise TypeError("PaywallMiddleware takes one of customer_ref and external_ref, not both")
        self._app = app
        self._turnstile = turnstile_of(client)
        self._find = external_ref or customer_ref or header_ref
        self._is_external = external_ref is not None
        self._applies = applies
        self._terms = Terms(
            product_ref=product,
            lease_units=lease_units,
            lease_seconds=lease_seconds,
            on_untracked=on_untracked,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "OPTIONS" or not self._applies(scope):
            await self._app(scope, receive, send)
            return
        customer = Customer(self._find(scope), self._is_external)
        try:
            call = Call(await self._turnstile.enter(self._terms, customer))
        except REFUSALS as error:
            await _answer(send, *refusal(error))
            return
        call.sells = scope["method"] != "HEAD"
        recorder = Recorder(self._turnstile, call)
        answer = _Answer(recorder, send)
        try:
            await self._app(scope, receive, answer.send)
        except BaseException as error:
            await recorder.end(asyncio.CancelledError() if answer.is_cut else error)
            raise
        await recorder.end(asyncio.CancelledError())  # without a last byte: the reader has left


class _Answer:
    """Notes how far an answer is sent, and records the call before its last byte. is_cut: the reader left."""

    def __init__(self, recorder: Recorder, send: Send) -> None:
        self._recorder = recorder
        self._send = send
        self.is_cut = False

    async def send(self, message: Message) -> None:
        call = self._recorder.call
        if message["type"] == "http.response.start":
            call.status = message["status"]
        is_body = message["type"] in _BODIES
        if is_body and not message.get("more_body", False):
            await self._recorder.end(None)
        try:
            await self._send(message)
        except OSError:
            self.is_cut = True
            raise
        if is_body and (message["type"] in _FILES or message.get("body")):
            call.delivered = True


def turnstile_of(client: AsyncMeterhouse | Meterhouse) -> AsyncTurnstile:
    handle_sigterm()
    return for_asyncio(client._turnstile)  # noqa: SLF001 - the client's own, and not for callers


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:  # Any: JSON
    content = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    if status == 503:
        headers.append((b"retry-after", RETRY_SECONDS.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
