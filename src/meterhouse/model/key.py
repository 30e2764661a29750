"""API keys: 256 random bits, of which Meterhouse keeps the SHA-256 alone."""

import secrets
import string
from hashlib import sha256
from typing import Final

from msgspec import Struct

from meterhouse.model.tenant import Environment, Rights

MAX_NAME: Final = 100
_ALPHABET: Final = string.ascii_letters + string.digits  # one double click selects a whole key
_HINT_CHARACTERS: Final = 4
_CHARACTERS: Final = 43 + _HINT_CHARACTERS  # log2(62 ** 43) = 256.03 bits beside those that are shown


class ApiKey(Struct, frozen=True, kw_only=True):
    """hint: the secret's last four characters. Times: microseconds since 1970, None: not yet.

    expires_at: from then on the key opens nothing; None for never.
    """

    ref: str
    name: str
    environment: Environment
    hint: str
    created_at: int
    last_used_at: int | None = None
    revoked_at: int | None = None
    rights: Rights = Rights.FULL
    expires_at: int | None = None


class IssuedKey(Struct, frozen=True):
    """secret: shown this once. None when the request repeats an earlier one: nobody knows it any more."""

    key: ApiKey
    secret: str | None


def new_secret(environment: Environment) -> str:
    return f"sk_{environment}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS))


def digest(secret: str) -> bytes:
    """Return what a key is filed under."""
    return sha256(secret.encode()).digest()


def hint(secret: str) -> str:
    return secret[-_HINT_CHARACTERS:]
