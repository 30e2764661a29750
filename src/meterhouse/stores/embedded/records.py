"""How records lie in the log: msgpack, in a zstd frame where that is smaller; the first bytes tell which."""

from collections.abc import Sequence
from typing import Final

import msgspec
import zstandard
from msgspec import Struct
from msgspec.structs import astuple

from meterhouse.model.entry import Entry
from meterhouse.model.event import Columns, Kind, LogRecord, MeterColumns
from meterhouse.model.identity import KeySpace, fingerprints, key_hashes, keyed_rows
from meterhouse.stores.embedded.key_index import Entry as Known

Scopes = Sequence[tuple[int, int]]
"""`(scope_id, count)` runs over the rows, in order."""

_COMPRESSION_LEVEL: Final = 1
_encode: Final = msgspec.msgpack.Encoder().encode


class UsageBody(Struct, array_like=True):
    """Usage events."""

    scopes: tuple[tuple[int, int], ...]
    events: Columns


class MeterBody(Struct, array_like=True):
    """Meter events, and every change of the ledger that was committed with them, in order.

    identities: key hash, number and fingerprint of what was done under an idempotency key.
    """

    scopes: tuple[tuple[int, int], ...]
    events: Columns
    metered: MeterColumns
    entries: list[Entry]
    identities: list[tuple[bytes, int, bytes]]


_decode_usage: Final = msgspec.msgpack.Decoder(UsageBody).decode
_decode_meter: Final = msgspec.msgpack.Decoder(MeterBody).decode


class Packer:
    """Not for use by several threads at once."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL)

    def pack(self, body: UsageBody | MeterBody) -> bytes:
        plain = _encode(body)
        packed = self._compressor.compress(plain)
        return packed if len(packed) < len(plain) else plain


def unpack(kind: Kind, body: bytes) -> UsageBody | MeterBody:
    plain = zstandard.decompress(body) if body.startswith(zstandard.FRAME_HEADER) else body
    return _decode_usage(plain) if kind is Kind.USAGE else _decode_meter(plain)


def is_whole(body: UsageBody | MeterBody, events: int) -> bool:
    """Whether each column has a value for each of this many events, and the scopes share them out."""
    *columns, buffered_at = astuple(body.events)
    if isinstance(body, MeterBody):
        columns += astuple(body.metered)
    return (
        all(len(column) == events for column in columns)
        and len(buffered_at) <= events
        and sum(count for _, count in body.scopes) == events
    )


def to_record(
    position: int, kind: Kind, received_at: int, first_number: int, body: UsageBody | MeterBody
) -> LogRecord:
    """Return a row of the log as everybody but the ledger reads it."""
    metered = body.metered if isinstance(body, MeterBody) else None
    return LogRecord(position, kind, received_at, first_number, body.scopes, body.events, metered)


def identities(scope_id: int, events: Columns, keyed: Sequence[int]) -> list[tuple[int, bytes, bytes]]:
    """Return row, key hash and fingerprint of the usage events that have a key."""
    keys = [key for key in events.idempotency_key if key is not None]
    return list(
        zip(keyed, key_hashes(scope_id, KeySpace.USAGE, keys), fingerprints(events, keyed), strict=True)
    )


def keys_of(first_number: int, unpacked: UsageBody | MeterBody) -> dict[bytes, Known]:
    """Return the index entries of a record's keys."""
    if isinstance(unpacked, MeterBody):
        return {hashed: Known(number, meaning) for hashed, number, meaning in unpacked.identities}
    entries: dict[bytes, Known] = {}
    start = 0
    for scope_id, count in unpacked.scopes:
        events = unpacked.events.rows(range(start, start + count))
        for row, hashed, meaning in identities(scope_id, events, keyed_rows(events)):
            entries[hashed] = Known(first_number + start + row, meaning)
        start += count
    return entries
