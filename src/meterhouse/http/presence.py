"""Cancels a read when its caller disconnects: nobody would see the answer."""

import asyncio

from meterhouse import telemetry
from meterhouse.http.edge import ASGIApp, ASGIScope, Message, Receive, Send


def given_up_with_caller(app: ASGIApp) -> ASGIApp:
    """Return the application; a GET is cancelled there when its connection ends before its answer does.

    The body of a GET is not handed on: no route reads one.
    """

    async def watched(scope: ASGIScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            await _Watched(app, scope, receive, send).run()
        else:
            await app(scope, receive, send)

    return watched


class _Watched:
    def __init__(self, app: ASGIApp, scope: ASGIScope, receive: Receive, send: Send) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._is_read = False
        self._answered = asyncio.Event()

    async def run(self) -> None:
        answer = asyncio.ensure_future(self._app(self._scope, self._request, self._note))
        gone = asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done() and self._answered.is_set():  # work after the answer is still finished
                await answer
        finally:
            if not answer.done():
                telemetry.abandoned_requests.inc()
                answer.cancel()
            gone.cancel()
            await asyncio.wait((answer, gone))
        if not answer.cancelled():
            answer.result()

    async def _request(self) -> Message:
        if self._is_read:  # a streamed answer looks for the end of its connection
            await self._answered.wait()
            return {"type": "http.disconnect"}
        self._is_read = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _note(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._answered.set()
        await self._send(message)

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
