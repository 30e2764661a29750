"""Which idempotency keys the log holds, for ever: 128 bits of each, in RocksDB.

Why RocksDB and not a B-tree: docs/decisions/0003-key-index.md.
"""

import struct
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options

from meterhouse.model.errors import KeyIndexUnavailable
from meterhouse.stores.embedded.follower import Follower

_ENTRY: Final = struct.Struct(">Q8s")
_MEMTABLE_BYTES: Final = 16 * 1024 * 1024  # what a crash leaves to be replayed
_CACHE_BYTES: Final = 16 * 1024 * 1024
_BLOCK_BYTES: Final = 16 * 1024
_BLOOM_BITS: Final = 10


class Entry(NamedTuple):
    """The event that has a key, and what it means."""

    event_number: int
    fingerprint: bytes


class KeyIndex:
    """Follows the log; see `Follower`. Not for use by several threads at once."""

    def __init__(self, path: Path, *, heal: bool = True) -> None:
        self.follower = Follower(path, "key index", _options(), KeyIndexUnavailable, heal=heal)

    @property
    def position(self) -> int:
        """The log position up to which every key is here."""
        return self.follower.position

    def get(self, hashes: Collection[bytes]) -> Mapping[bytes, Entry]:
        """Return the entries of those keys that are here.

        Raises KeyIndexUnavailable: it could not be read, or lacks records of the log.
        """
        self.follower.require_whole()
        wanted = sorted(hashes)  # neighbours share blocks: a third of the time of random order
        return {
            hashed: Entry._make(_ENTRY.unpack(value))
            for hashed, value in zip(wanted, self.follower.get_all(wanted), strict=True)
            if value is not None
        }

    def put(self, entries: Mapping[bytes, Entry], position: int, mark: int = 0) -> None:
        """See `Follower.put`."""
        packed = {hashed: _ENTRY.pack(*entry) for hashed, entry in entries.items()}
        self.follower.put(packed, position, mark)

    def close(self) -> None:
        """See `Follower.close`."""
        self.follower.close()


def _options() -> Options:
    """Measured at 10 M keys; the figures are in docs/decisions/0003-key-index.md."""
    blocks = BlockBasedOptions()
    blocks.set_block_size(_BLOCK_BYTES)
    blocks.set_block_cache(Cache(_CACHE_BYTES))
    blocks.set_bloom_filter(_BLOOM_BITS, block_based=False)
    # Filters and index blocks in the cache would evict each other: four times slower.
    blocks.set_cache_index_and_filter_blocks(False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(blocks)
    options.set_write_buffer_size(_MEMTABLE_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_memtable_whole_key_filtering(True)  # most look-ups are of keys never seen
    options.set_memtable_prefix_bloom_ratio(0.1)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_bottommost_compression_type(DBCompressionType.zstd())
    options.set_level_compaction_dynamic_level_bytes(True)
    options.set_max_background_jobs(2)
    options.set_max_open_files(256)
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(1024 * 1024)
    return options
