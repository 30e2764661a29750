"""The `Idempotency-Key` header (design §6.1)."""

from collections.abc import Mapping

from meterhouse.model.errors import ValidationFailed
from meterhouse.model.once import MAX_KEY


def header_key(headers: Mapping[bytes, bytes], most: int = MAX_KEY) -> str | None:
    """Return the header's key, None where the request has no such header.

    most: the longest key accepted, in characters; a bulk derives longer keys from it.
    Raises ValidationFailed: the header is empty, too long, or not UTF-8.
    """
    given = headers.get(b"idempotency-key")
    if given is None:
        return None
    try:
        key = given.decode()
    except UnicodeDecodeError:
        raise ValidationFailed.of("idempotencyKey", "the header must be UTF-8 text") from None
    if not 0 < len(key) <= most:
        why = "" if most == MAX_KEY else ": the key of each row is the header, # and the row's number"
        raise ValidationFailed.of("idempotencyKey", f"must have 1 to {most} characters{why}")
    return key
