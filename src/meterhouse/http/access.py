"""Shared by the framework's routes and the hot ones: authentication, bounds and types of bodies."""

from decimal import Decimal
from typing import Any, cast

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler

from meterhouse.http import body, edge
from meterhouse.http.auth import Authenticator, SignedIn
from meterhouse.http.idempotency import header_key
from meterhouse.http.routing import CREDENTIAL, NEEDS, Credential
from meterhouse.ingest.decode import guarded
from meterhouse.model.tenant import Caller

Connection = ASGIConnection[Any, Any, Any, Any]  # Any: the framework's user, auth and state, unused


class ApiRequest(Request[Any, Any, Any]):
    """A request whose body is read as on the hot routes, and decoded strictly into the route's own type.

    The framework itself would accept "5" for 5. Numbers in free-form objects keep all their digits.
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


class Access:
    """Refuses every request that lacks the credential of its route."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def guard(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Note the caller, before the body is read. Raises what `Authenticator` raises."""
        credential: Credential = handler.opt[CREDENTIAL]
        scope = connection.scope
        headers, query = dict(scope["headers"]), scope["query_string"]
        writes = scope.get("method") != "GET"
        if credential is Credential.SESSION:
            scope["state"]["signed_in"] = await self._authenticator.signed_in(headers, writes=writes)
        elif credential is Credential.KEY:
            scope["state"]["caller"] = await self._authenticator.caller(
                headers, query, writes=writes, needs=handler.opt[NEEDS]
            )


def dependencies() -> dict[str, Provide]:
    """Return the arguments that a handler may name: `caller`, `key` (of idempotency) and `signed_in`."""
    return {
        "caller": Provide(caller_of, sync_to_thread=False),
        "key": Provide(idempotency_key, sync_to_thread=False),
        "signed_in": Provide(signed_in_of, sync_to_thread=False),
    }


def caller_of(request: Request[Any, Any, Any]) -> Caller:
    """Return the caller that `Access.guard` noted, on routes with Credential.KEY."""
    caller: Caller = request.scope["state"]["caller"]
    return caller


def signed_in_of(request: Request[Any, Any, Any]) -> SignedIn:
    """Return the session that `Access.guard` noted, on routes with Credential.SESSION."""
    signed_in: SignedIn = request.scope["state"]["signed_in"]
    return signed_in


def idempotency_key(request: Request[Any, Any, Any]) -> str | None:
    """Return the Idempotency-Key header, None for none. Raises ValidationFailed."""
    return header_key(dict(request.scope["headers"]))
