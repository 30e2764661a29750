"""Doing a write once: the same idempotency key again answers the first result again (design §6.1)."""

from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct

MAX_KEY: Final = 256
_FINGERPRINT_BYTES: Final = 16
_encode: Final = msgspec.json.Encoder(order="sorted", decimal_format="number").encode


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
