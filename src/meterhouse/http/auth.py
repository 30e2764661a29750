"""Who is calling: an API key decides provider and environment; a session the provider, its query the rest."""

import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, Generic, TypeVar
from urllib.parse import parse_qs

from msgspec import Struct

from meterhouse.http import cookies
from meterhouse.model.errors import (
    Forbidden,
    InvalidKey,
    KeyEnvironmentMismatch,
    NotSignedIn,
    RightMissing,
    ValidationFailed,
)
from meterhouse.model.key import digest
from meterhouse.model.operator import Session
from meterhouse.model.tenant import Caller, Environment, Rights
from meterhouse.ports import Identities, Sessions

_REMEMBERED_SECONDS: Final = 0.5  # a key is revoked everywhere within a second
_REMEMBERED: Final = 10_000
_BEARER: Final = b"bearer "
K = TypeVar("K")
V = TypeVar("V")

Headers = Mapping[bytes, bytes]


class SignedIn(Struct, frozen=True):
    """An open session, and the secret its browser has."""

    session: Session
    secret: str


class Authenticator:
    """Remembers a good key or session for half a second; a bad one is looked up each time."""

    def __init__(self, identities: Identities, sessions: Sessions) -> None:
        self._identities = identities
        self._sessions = sessions
        self._keys = _Memory[bytes, Caller]()
        self._signed_in = _Memory[str, Session]()

    async def caller(
        self, headers: Headers, query: bytes, *, writes: bool, needs: Rights = Rights.FULL
    ) -> Caller:
        """Return who owns the bearer key, or without one who is signed in.

        needs: the rights that the route needs of a key.
        Raises InvalidKey, also for an expired key; RightMissing; KeyEnvironmentMismatch where the query names
        another environment than the key's.
        With a session NotSignedIn; ValidationFailed where the query names no environment; see `signed_in`.
        """
        authorization = headers.get(b"authorization")
        if authorization is None and cookies.secret_of(headers) is not None:
            signed_in = await self.signed_in(headers, writes=writes)
            return signed_in.session.caller(_environment(query))
        caller = self._keys.get(authorization or b"") or await self._of_key(authorization or b"")
        if b"environment=" in query or b"%" in query:  # its name may be escaped
            for asked in _asked(query):
                if asked != caller.scope.environment:
                    raise KeyEnvironmentMismatch(caller.scope.environment, asked)
        if not caller.rights.permit(needs):
            raise RightMissing(caller.rights, needs)
        return caller

    async def signed_in(self, headers: Headers, *, writes: bool) -> SignedIn:
        """Return the session of the cookie.

        Raises NotSignedIn; Forbidden for a write without its CSRF token.
        """
        secret = cookies.secret_of(headers)
        if secret is None:
            raise NotSignedIn
        session = self._signed_in.get(secret)
        if session is None:
            session = await self._sessions.find(digest(secret))
            if session is None:
                raise NotSignedIn
            self._signed_in.keep(secret, session)
        if writes and not cookies.has_csrf_token(headers, secret):
            raise Forbidden(
                f"With a session, a write needs the header {cookies.CSRF_HEADER}: GET /v1/session has it."
            )
        return SignedIn(session, secret)

    async def sign_out(self, secret: str) -> None:
        """End a session; here at once, in every process within a second."""
        await self._sessions.end(digest(secret))
        self._signed_in.forget(secret)

    async def _of_key(self, authorization: bytes) -> Caller:
        if authorization[: len(_BEARER)].lower() != _BEARER:
            raise InvalidKey
        secret = authorization[len(_BEARER) :].strip()
        caller = await self._identities.key_caller(sha256(secret).digest())
        if caller is None:
            raise InvalidKey
        self._keys.keep(authorization, caller)
        return caller


class _Memory(Generic[K, V]):
    """What was found, for half a second. Bounded."""

    def __init__(self) -> None:
        self._found: dict[K, tuple[V, float]] = {}

    def get(self, key: K) -> V | None:
        found = self._found.get(key)
        if found is None:
            return None
        if time.monotonic() < found[1]:
            return found[0]
        del self._found[key]
        return None

    def keep(self, key: K, value: V) -> None:
        if len(self._found) >= _REMEMBERED:
            self._found.clear()
        self._found[key] = (value, time.monotonic() + _REMEMBERED_SECONDS)

    def forget(self, key: K) -> None:
        self._found.pop(key, None)


def _asked(query: bytes) -> list[str]:
    """Return every environment that the query names."""
    return parse_qs(query.decode("latin-1")).get("environment", [])


def _environment(query: bytes) -> Environment:
    asked = _asked(query)
    if len(asked) != 1 or asked[0] not in set(Environment):
        raise ValidationFailed.of("environment", "with a session, the query must name it: sandbox or live")
    return Environment(asked[0])
