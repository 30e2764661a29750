"""Doing a write once: the same idempotency key again answers the first result again (design §6.1)."""

from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct

MAX_KEY: Final = 256
MAX_BULK_KEY: Final = MAX_KEY - len("#9999")
"""Characters of the header of a bulk, which has up to 10 000 rows; see `row_key`."""
_FINGERPRINT_BYTES: Final = 16
_encode: Final = msgspec.json.Encoder(order="sorted", decimal_format="number").encode


def key_fault(own: str | None, header: str | None) -> str | None:
    """Return what is wrong with the key of a body, or of its header where it has none itself."""
    if own is not None and header is not None and own != header:
        return "differs from the Idempotency-Key header; send one of them"
    key = own if own is not None else header
    return None if key is None or 0 < len(key) <= MAX_KEY else f"must have 1 to {MAX_KEY} characters"


def row_key(own: str | None, header: str | None, row: int) -> str | None:
    """Return the key of a bulk's row: its own, else `<header>#<row>`, None without either."""
    return own if own is not None or header is None else f"{header}#{row}"


class Once(Struct, frozen=True):
    """A key is its operation's own: the same key may serve another operation.

    fingerprint: differs where two requests mean different things.
    """

    operation: str
    key: str
    fingerprint: bytes

    @classmethod
    def of(cls, operation: str, key: str | None, *meaning: object) -> "Once | None":
        """None when the caller brought no key. `meaning` is what makes two requests the same.

        Structs in it leave out what was not said, so that a field added later changes no fingerprint.
        """
        if key is None:
            return None
        return cls(operation, key, blake2b(_encode(meaning), digest_size=_FINGERPRINT_BYTES).digest())
