"""What the framework's routes share with the hot ones: who is calling, and the body's bounds and types."""

from decimal import Decimal
from typing import Any, Final, cast

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler

from meterhouse.http import body, edge
from meterhouse.http.auth import Authenticator, SignedIn
from meterhouse.ingest.decode import guarded
from meterhouse.model.errors import ValidationFailed
from meterhouse.model.once import key_fault
from meterhouse.model.tenant import Caller

Connection = ASGIConnection[Any, Any, Any, Any]  # Any: the framework's user, auth and state, unused


class ApiRequest(Request[Any, Any, Any]):
    """A request whose body is read as on the hot routes, and decoded into the route's own type.

    Strictly: the framework would take "5" for 5. Numbers in free-form objects keep all their digits.
    """

    _whole: bytes | None = None

    async def body(self) -> bytes:
        if self._whole is None:
            request = edge.Request(
                dict(self.scope["headers"]),
                cast(edge.Receive, self.receive),  # the framework's ASGI types are narrower than ASGI's
                self.scope["query_string"],
            )
            self._whole = await body.read(request, body.SINGLE_BYTES)
            if self._whole:
                body.media_type(request)
        return self._whole

    async def json(self) -> Any:  # Any: whatever type the route declares
        field = self.route_handler.parsed_data_field
        wanted = field.annotation if field else Any
        decoder = msgspec.json.Decoder(wanted, float_hook=Decimal)
        return guarded(decoder.decode, await self.body(), wanted)


OPEN: Final = {"open": True}
"""Marks the routes that need no key."""
SESSION: Final = {"session": True}
"""Marks the routes that are about the session itself: no key will do, and no environment is named."""
_READS: Final = ("GET", "HEAD")


class Access:
    """Lets no request through that does not say who it is, but for routes marked OPEN."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def guard(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Note who asks, before the body is looked at. Raises what `Authenticator` raises."""
        if OPEN.items() <= handler.opt.items():
            return
        scope = connection.scope
        headers, query = dict(scope["headers"]), scope["query_string"]
        writes = scope.get("method") not in _READS
        if SESSION.items() <= handler.opt.items():
            scope["state"]["signed_in"] = await self._authenticator.signed_in(headers, writes=writes)
        else:
            scope["state"]["caller"] = await self._authenticator.caller(headers, query, writes=writes)


def dependencies() -> dict[str, Provide]:
    """Return what a route may ask for by name: who is calling, the idempotency key, the session itself."""
    return {
        "caller": Provide(caller_of, sync_to_thread=False),
        "key": Provide(idempotency_key, sync_to_thread=False),
        "signed_in": Provide(signed_in_of, sync_to_thread=False),
    }


def caller_of(request: Request[Any, Any, Any]) -> Caller:
    """Return who `Access.guard` found."""
    caller: Caller = request.scope["state"]["caller"]
    return caller


def signed_in_of(request: Request[Any, Any, Any]) -> SignedIn:
    """Return the session that `Access.guard` found, on routes marked SESSION."""
    signed_in: SignedIn = request.scope["state"]["signed_in"]
    return signed_in


def idempotency_key(request: Request[Any, Any, Any]) -> str | None:
    """Return the Idempotency-Key header, None for none. Raises ValidationFailed."""
    given = dict(request.scope["headers"]).get(b"idempotency-key")
    if given is None:
        return None
    try:
        key = given.decode()
    except UnicodeDecodeError:
        raise ValidationFailed.of("idempotencyKey", "the header must be UTF-8 text") from None
    if fault := key_fault(None, key):
        raise ValidationFailed.of("idempotencyKey", fault)
    return key
