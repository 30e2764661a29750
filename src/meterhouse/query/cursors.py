"""Cursors: where a page of a list ended, as opaque text that belongs to its question."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import Final, TypeVar

import msgspec

from meterhouse.model.errors import ValidationFailed

T = TypeVar("T")
_FINGERPRINT_BYTES: Final = 6


def write_cursor(place: object, *question: object) -> str:
    """Return an opaque text for the place where a page of this question ended."""
    packed = msgspec.msgpack.encode((_fingerprint(question), place))
    return urlsafe_b64encode(packed).decode().rstrip("=")


def read_cursor(cursor: str | None, place: type[T], *question: object) -> T | None:
    """Return the place in a cursor, None for none.

    Raises ValidationFailed: it is not ours, or belongs to another question.
    """
    if cursor is None:
        return None
    try:
        packed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        fingerprint, raw = msgspec.msgpack.decode(packed, type=tuple[bytes, msgspec.Raw])
        found = msgspec.msgpack.decode(raw, type=place)
    except (ValueError, msgspec.DecodeError):
        raise ValidationFailed.of("cursor", "must be the nextCursor of an earlier answer") from None
    if fingerprint != _fingerprint(question):
        raise ValidationFailed.of("cursor", "belongs to a question with other filters; send those, or none")
    return found


def _fingerprint(question: tuple[object, ...]) -> bytes:
    return blake2b(msgspec.json.encode(question), digest_size=_FINGERPRINT_BYTES).digest()
