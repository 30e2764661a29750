"""`/v1/session`: signing in, who is signed in, signing out."""

from typing import Any, Final

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Struct

from meterhouse.http import cookies
from meterhouse.http.auth import Authenticator, SignedIn
from meterhouse.http.render import iso
from meterhouse.http.sign_in import SignIn
from meterhouse.model.errors import Forbidden, ValidationFailed
from meterhouse.model.tenant import Environment

AnyRequest = Request[Any, Any, Any]  # Any: the framework's user, auth and state, unused
_OWN_PAGE: Final = (b"same-origin", b"none")
_MAX_EMAIL: Final = 320


class NewSession(Struct, kw_only=True):
    """Either the token of a sign-in link, or email and password."""

    token: str | None = None
    email: str | None = None
    password: str | None = None


class ProviderAnswer(Struct):
    reference: str
    name: str


class SessionAnswer(Struct, rename="camel"):
    """csrf_token: the X-CSRF-Token of every write. email: null for who came with a link.

    expires_at: at the latest; 12 idle hours end a session sooner.
    """

    provider: ProviderAnswer
    csrf_token: str
    environments: tuple[Environment, ...]
    email: str | None
    expires_at: str


class SessionRoutes:
    """public_url: where browsers reach the server; empty: where a request came to."""

    def __init__(self, sign_in: SignIn, authenticator: Authenticator, public_url: str) -> None:
        self._is_public_https = public_url.startswith("https://")
        self._sign_in = sign_in
        self._authenticator = authenticator

    async def create(self, request: AnyRequest, data: JSONBody[NewSession]) -> Response[SessionAnswer]:
        """Sign in: the answer sets a cookie that serves instead of a key."""
        if dict(request.scope["headers"]).get(b"sec-fetch-site", b"none") not in _OWN_PAGE:
            raise Forbidden("A page of another site cannot sign anybody in here.")
        match data:
            case NewSession(token=str(token), email=None, password=None):
                signed_in = await self._sign_in.with_link(token)
            case NewSession(token=None, email=str(email), password=str(password)) if len(email) <= _MAX_EMAIL:
                signed_in = await self._sign_in.with_password(email, password, _address(request))
            case _:
                raise ValidationFailed.of("", "must have either token, or email and password")
        cookie = cookies.set_cookie(signed_in.secret, https=self._is_https(request))
        return Response(_answer(signed_in), status_code=201, headers={"set-cookie": cookie})

    async def get(self, signed_in: NamedDependency[SignedIn]) -> Response[SessionAnswer]:
        """Say who is signed in, and the CSRF token of the session."""
        return Response(_answer(signed_in))

    async def delete(self, request: AnyRequest, signed_in: NamedDependency[SignedIn]) -> Response[None]:
        """Sign out: the cookie opens nothing any more."""
        await self._authenticator.sign_out(signed_in.secret)
        cookie = cookies.clear_cookie(https=self._is_https(request))
        return Response(None, status_code=204, headers={"set-cookie": cookie})

    def _is_https(self, request: AnyRequest) -> bool:
        """Whether the browser's side is: the public URL says so, or a proxy on this machine does
        (X-Forwarded-Proto)."""
        return self._is_public_https or request.scope["scheme"] == "https"


def _answer(signed_in: SignedIn) -> SessionAnswer:
    session = signed_in.session
    return SessionAnswer(
        provider=ProviderAnswer(session.provider.ref, session.provider.name),
        csrf_token=cookies.csrf_token(signed_in.secret),
        environments=tuple(session.scopes),
        email=session.email,
        expires_at=iso(session.expires_at),
    )


def _address(request: AnyRequest) -> str:
    """Return the browser's address: a proxy on this machine tells it (X-Forwarded-For)."""
    return "" if request.client is None else request.client.host
