"""The session's cookie, and the token that shows that a write comes from a page of ours."""

import hmac
from collections.abc import Mapping
from typing import Final

from meterhouse.model.operator import SESSION_LIFE_US

NAME: Final = "meterhouse_session"
CSRF_HEADER: Final = "X-CSRF-Token"
_CSRF: Final = b"meterhouse csrf token"
_LIFE_SECONDS: Final = SESSION_LIFE_US // 1_000_000


def secret_of(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the session's secret, None where the request has no session cookie."""
    for pair in headers.get(b"cookie", b"").split(b";"):
        name, _, value = pair.strip().partition(b"=")
        if name == NAME.encode() and value:
            return value.decode("latin-1")
    return None


def set_cookie(secret: str, *, https: bool) -> str:
    """Return the Set-Cookie that signs a browser in.

    Strict: the link opens a page that has no need of the cookie yet; every request with it is that page's.
    """
    return _cookie(secret, _LIFE_SECONDS, https=https)


def clear_cookie(*, https: bool) -> str:
    return _cookie("", 0, https=https)


def csrf_token(secret: str) -> str:
    """Return the session's token: nobody can make it without the secret, nor the secret of it."""
    return hmac.digest(secret.encode(), _CSRF, "sha256").hex()


def has_csrf_token(headers: Mapping[bytes, bytes], secret: str) -> bool:
    given = headers.get(CSRF_HEADER.lower().encode(), b"")
    return hmac.compare_digest(given, csrf_token(secret).encode())


def _cookie(value: str, max_age_seconds: int, *, https: bool) -> str:
    secure = "; Secure" if https else ""
    return f"{NAME}={value}; Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite=Strict{secure}"
