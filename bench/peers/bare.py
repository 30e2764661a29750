"""The least an ASGI application can do: decode the same body, answer a constant. Stores nothing."""

import sys

import msgspec
import uvicorn

from bench.peers.body import Body, Limit, Usage

_DECODE = {
    "/v1/sdk/events": msgspec.json.Decoder(Body).decode,
    "/v1/sdk/usages": msgspec.json.Decoder(Usage).decode,
    "/v1/sdk/limits": msgspec.json.Decoder(Limit).decode,
}
_ANSWER = b'{"eventId":"evt_0123456789abcdef"}'
_HEAD = {
    "type": "http.response.start",
    "status": 201,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_ANSWER))],
}
_BODY = {"type": "http.response.body", "body": _ANSWER}


async def app(scope, receive, send):  # type: ignore[no-untyped-def]  # as small as ASGI gets
    if scope["method"] == "POST":
        _DECODE[scope["path"]]((await receive())["body"])
    await send(_HEAD)
    await send(_BODY)


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False, lifespan="off")
