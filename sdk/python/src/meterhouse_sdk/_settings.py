"""Where the server is and who calls: from arguments, else from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from meterhouse_sdk._errors import AuthenticationError

DEFAULT_URL: Final = "http://127.0.0.1:8080"  # never a public host
_KEY_NAMES: Final = ("METERHOUSE_API_KEY", "SOLVAPAY_SECRET_KEY")
_URL_NAMES: Final = ("METERHOUSE_URL", "SOLVAPAY_API_BASE_URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a client needs to know. The API key decides provider and environment; it is never shown.

    timeout_seconds: to connect, and for each read and write after that.
    max_retries: attempts after the first.
    """

    api_key: str = field(repr=False)
    base_url: str = DEFAULT_URL
    timeout_seconds: float = 30.0
    max_retries: int = 3

    @classmethod
    def resolve(
        cls,
        environment: Mapping[str, str],
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout_seconds: float = 30.0,
        max_retries: int = 3,
    ) -> "Settings":
        """Fill in what is None: METERHOUSE_API_KEY and METERHOUSE_URL first, then the names that the
        clients of the hosted service read; an empty variable counts as absent.

        Raises AuthenticationError: there is no key. Raises ValueError: a value cannot be right.
        """
        key = api_key or _first(environment, _KEY_NAMES)
        if not key:
            raise AuthenticationError(f"No API key: give api_key=, or set {_KEY_NAMES[0]}.")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValueError("The API key has characters that no key has; was it copied whole?")
        url = (base_url or _first(environment, _URL_NAMES) or DEFAULT_URL).rstrip("/")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError(f"The base URL must be like {DEFAULT_URL}, not {url!r}.")
        if timeout_seconds <= 0 or max_retries < 0:
            raise ValueError("timeout_seconds must be above 0, max_retries 0 or more.")
        return cls(api_key=key, base_url=url, timeout_seconds=timeout_seconds, max_retries=max_retries)


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((text for name in names if (text := environment.get(name, "").strip())), None)
