"""Passwords of operators, as argon2id hashes. Each call takes some 50 ms and 64 MB: use a thread."""

from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

MIN_CHARACTERS: Final = 12
MAX_CHARACTERS: Final = 1_000


def fault(password: str) -> str | None:
    """Return what is wrong with a new password, None where it will do."""
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        return f"must have {MIN_CHARACTERS} to {MAX_CHARACTERS} characters"
    return None


def hashed(password: str) -> str:
    """Return what to keep. The same password gives another hash each time."""
    return PasswordHasher().hash(password)


def matches(password: str, kept: str | None) -> bool:
    """Whether `kept` is a hash of the password. None never matches, and takes as long."""
    try:
        PasswordHasher().verify(kept or _nobodys(), password)
    except VerifyMismatchError:
        return False
    return kept is not None


@cache
def _nobodys() -> str:
    return hashed("")
