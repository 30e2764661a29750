"""A paywall in front of any ASGI application: who may not go on is answered 402.

app = PaywallMiddleware(app, client=AsyncMeterhouse(), product="prd_api", customer_ref=signed_in)
"""

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from meterhouse_sdk._client import AsyncMeterhouse, Meterhouse
from meterhouse_sdk._errors import CustomerNotFound, PaymentRequired, Unavailable
from meterhouse_sdk._new_usage import Outcome
from meterhouse_sdk._paywall import Admission
from meterhouse_sdk._terms import OnUntracked, Terms
from meterhouse_sdk._turnstile import AsyncTurnstile, for_asyncio, since

Scope = MutableMapping[str, Any]  # Any: as ASGI has it
Message = MutableMapping[str, Any]  # Any: as ASGI has it
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
_HEADER: Final = b"x-customer-ref"
_LAST: Final = ("http.response.body", "http.response.pathsend")
_FIRST_FAILURE: Final = 400  # statuses from here on consume nothing


def header_ref(scope: Scope) -> str | None:
    """Return the header X-Customer-Ref. Who can set it decides who pays: only for behind a gateway."""
    found = next((value for name, value in scope["headers"] if name == _HEADER), b"")
    return found.decode("latin-1") or None


class PaywallMiddleware:
    """Lets HTTP requests through for customers within their limits, and counts 1 unit for each success.

    Answers of 400 and above, and exceptions, are recorded with the outcome "fail" and count nothing. A
    usage is booked before the last byte is sent. Denied: 402 with the body of `PaymentRequired`; 401 for
    nobody's ref; 503 where the server does not say. Other protocols (websocket, lifespan) pass.

    customer_ref: finds the customer in the ASGI scope; see `Meterhouse.payable` for it and the rest.
    applies: which requests are sold; the others pass freely.
    """

    def __init__(  # noqa: PLR0913 - the parts of a paywall
        self,
        app: Application,
        *,
        client: AsyncMeterhouse | Meterhouse,
        product: str,
        customer_ref: Callable[[Scope], str | None] = header_ref,
        applies: Callable[[Scope], bool] = lambda _: True,
        lease_units: int | None = None,
        lease_seconds: int = 30,
        on_untracked: OnUntracked | None = None,
    ) -> None:
        self._app = app
        self._turnstile = turnstile_of(client)
        self._customer_ref = customer_ref
        self._applies = applies
        self._terms = Terms(
            product_ref=product,
            lease_units=lease_units,
            lease_seconds=lease_seconds,
            on_untracked=on_untracked,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._applies(scope):
            await self._app(scope, receive, send)
            return
        try:
            admission = await self._turnstile.enter(self._terms, self._customer_ref(scope))
        except (PaymentRequired, CustomerNotFound, Unavailable) as error:
            await _answer(send, *refusal(error))
            return
        counted = _Counted(self._turnstile, admission, send)
        try:
            await self._app(scope, receive, counted.send)
        finally:
            await counted.end("fail")


class _Counted:
    """Records a request once, before its last byte is sent; with `end` where none is."""

    def __init__(self, turnstile: AsyncTurnstile, admission: Admission, send: Send) -> None:
        self._turnstile = turnstile
        self._admission: Admission | None = admission
        self._send = send
        self._started = time.perf_counter()
        self._status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] in _LAST and not message.get("more_body", False):
            await self.end("success" if self._status < _FIRST_FAILURE else "fail")
        await self._send(message)

    async def end(self, outcome: Outcome) -> None:
        if self._admission is not None:
            admission, self._admission = self._admission, None
            await self._turnstile.leave(admission, outcome, since(self._started))


def turnstile_of(client: AsyncMeterhouse | Meterhouse) -> AsyncTurnstile:
    return for_asyncio(client._turnstile)  # noqa: SLF001 - the client's own, and not for callers


def refusal(
    error: PaymentRequired | CustomerNotFound | Unavailable,
) -> tuple[int, dict[str, Any]]:  # Any: JSON
    """Return status and body for a request that may not go on."""
    if isinstance(error, PaymentRequired):
        return 402, error.to_body()
    if isinstance(error, CustomerNotFound):
        return 401, {"success": False, "error": "Unauthorized", "message": "This is no customer."}
    return 503, {"success": False, "error": "Service Unavailable", "message": "Try again later."}


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:  # Any: JSON
    content = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    if status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
