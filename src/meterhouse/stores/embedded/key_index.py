"""Which idempotency keys the log holds, for ever: RocksDB, its own write-ahead log off.

The log is the truth and this is an index of it. Each write carries the position of the log it has
reached, in the same atomic batch; on opening, the log gives it again whatever came after that.
Why RocksDB and not a B-tree: docs/decisions/0003-key-index.md.
"""

import struct
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options, Rdict, WriteBatch
from rocksdict import WriteOptions as RocksWriteOptions

from meterhouse.model.errors import LogUnavailable

_ENTRY: Final = struct.Struct(">Q8s")
_POSITION: Final = b"position"  # 8 bytes, so never equal to a hash of 16
_MEMTABLE_BYTES: Final = 16 * 1024 * 1024  # what a crash leaves to be replayed
_CACHE_BYTES: Final = 16 * 1024 * 1024
_POSITIONS_UNWRITTEN: Final = 1_000
_BLOCK_BYTES: Final = 16 * 1024
_BLOOM_BITS: Final = 10


class Entry(NamedTuple):
    """The event that has a key, and what it means."""

    event_number: int
    fingerprint: bytes


class KeyIndex:
    """Not for use by several threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._options = RocksWriteOptions()
        self._options.disable_wal = True  # type: ignore[method-assign, assignment]  # its stub is wrong
        self.position: int
        """The log position up to which every key is here."""
        self._written: int
        self._open()

    def get(self, hashes: Collection[bytes]) -> Mapping[bytes, Entry]:
        """Return the entries of those keys that are here. Raises LogUnavailable: it could not be read."""
        wanted = sorted(hashes)  # neighbours share blocks: a third of the time of random order
        try:
            found = self._db.get([*wanted])
        except Exception as error:  # rocksdict has no narrower class
            raise LogUnavailable(f"The key index could not be read: {error}") from error
        return {
            hashed: Entry._make(_ENTRY.unpack(value))
            for hashed, value in zip(wanted, found or (), strict=True)
            if value is not None
        }

    def reopen(self) -> None:
        """After a write failed: RocksDB refuses all others until it is opened again.

        `position` may go back, to what had reached the disk. Raises LogUnavailable: try again later.
        """
        with suppress(Exception):  # it may be closed already, and what it cannot flush the log still has
            self._db.close()
        try:
            self._open()
        except Exception as error:  # rocksdict has no narrower class
            raise LogUnavailable(f"The key index could not be opened: {error}") from error

    def put(self, entries: Mapping[bytes, Entry], position: int) -> None:
        """Add the keys of the log up to `position`, all or none. Again is a no-op.

        Raises LogUnavailable: nothing was added, `position` is as it was; see `reopen`.
        """
        if not entries and position - self._written < _POSITIONS_UNWRITTEN:
            self.position = position  # without keys there is nothing to lose, and little to replay
            return
        batch = WriteBatch(raw_mode=True)
        for hashed in sorted(entries):
            batch.put(hashed, _ENTRY.pack(*entries[hashed]))
        batch.put(_POSITION, position.to_bytes(8, "big"))
        try:
            self._db.write(batch, self._options)
        except Exception as error:  # rocksdict has no narrower class
            raise LogUnavailable(f"The key index could not be written: {error}") from error
        self.position = self._written = position

    def _open(self) -> None:
        options = _options()
        # Options given for the database alone are forgotten for its keys when it is opened again, and with
        # them the Bloom filters: look-ups took 45 µs a key instead of 9 at 10 M keys.
        self._db = Rdict(str(self._path), options, column_families={"default": options})
        found = self._db.get(_POSITION)
        self.position = self._written = int.from_bytes(found, "big") if found else 0

    def close(self) -> None:
        """Write to disk what is still in memory, so that opening has nothing to replay."""
        with suppress(Exception):  # what could not be written is replayed
            self._db.close()


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
