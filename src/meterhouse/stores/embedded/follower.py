"""A RocksDB that is made from the log and follows it: what it lost in a crash, the log gives again.

Its own write-ahead log is off. Each write carries the position of the log it has reached, in the same atomic
batch, so what is on disk is always the state at one position. Why RocksDB and not a table: random writes to a
B-tree of millions of rows cost a page each; docs/decisions/0003-key-index.md, 0007-ledger.md.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog
from rocksdict import Options, Rdict, WriteBatch
from rocksdict import WriteOptions as RocksWriteOptions

from meterhouse.model.errors import LogUnavailable

_POSITION: Final = b"position"  # 8 bytes; followers choose keys of other lengths
_POSITIONS_UNWRITTEN: Final = 1_000
_logger = structlog.get_logger()


class Follower:
    """Reading is safe from any thread; writing and reopening are the log's writer's alone.

    name: for complaints. options: of the database and of its keys.
    """

    def __init__(self, path: Path, name: str, options: Options) -> None:
        self._path = path
        self._name = name
        self._options = options
        self._write_options = RocksWriteOptions()
        self._write_options.disable_wal = True  # type: ignore[method-assign, assignment]  # its stub is wrong
        self.position: int
        """The log position up to which everything is here."""
        self._written: int
        self._open()

    def get(self, key: bytes) -> bytes | None:
        """Raises LogUnavailable: it could not be read."""
        try:
            found: bytes | None = self._db.get(key)
        except Exception as error:  # rocksdict has no narrower class
            raise self._unavailable("read", error) from error
        return found

    def get_all(self, keys: Collection[bytes]) -> Sequence[bytes | None]:
        """Return the values of keys, in their order. Raises LogUnavailable: it could not be read."""
        try:
            return self._db.get([*keys]) or ()
        except Exception as error:  # rocksdict has no narrower class
            raise self._unavailable("read", error) from error

    def scan(self, start: bytes, end: bytes, *, backwards: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values from `start` (included) to `end` (excluded), or from the end backwards.

        Raises LogUnavailable: it could not be read.
        """
        try:
            found: Iterator[tuple[Any, Any]] = self._db.items(backwards, end if backwards else start)
            for key, value in found:
                if backwards and key >= end:
                    continue
                if key < start if backwards else key >= end:
                    return
                yield key, value
        except Exception as error:  # rocksdict has no narrower class
            raise self._unavailable("read", error) from error

    def put(self, entries: Mapping[bytes, bytes], position: int) -> None:
        """Take what the log says up to `position`, all or nothing. Again is a no-op.

        Raises LogUnavailable: nothing was taken, `position` is as it was; see `reopen`.
        """
        if not entries and position - self._written < _POSITIONS_UNWRITTEN:
            self.position = position  # there is nothing to lose, and little to replay
            return
        batch = WriteBatch(raw_mode=True)
        for key in sorted(entries):
            batch.put(key, entries[key])
        batch.put(_POSITION, position.to_bytes(8, "big"))
        try:
            self._db.write(batch, self._write_options)
        except Exception as error:  # rocksdict has no narrower class
            raise self._unavailable("written", error) from error
        self.position = self._written = position

    def reopen(self) -> None:
        """After a write failed: RocksDB refuses all others until it is opened again.

        `position` may go back, to what had reached the disk. Raises LogUnavailable: try again later.
        """
        with suppress(Exception):  # it may be closed already, and what it cannot flush the log still has
            self._db.close()
        try:
            self._open()
        except Exception as error:  # rocksdict has no narrower class
            raise self._unavailable("opened", error) from error

    def close(self) -> None:
        """Write to disk what is still in memory, so that opening has nothing to replay."""
        with suppress(Exception):  # what could not be written is replayed
            self._db.close()

    def _unavailable(self, done: str, error: Exception) -> LogUnavailable:
        """Log why it could not be read, written or opened; the answer does not say it."""
        _logger.error("follower_failed", follower=self._name, not_done=done, error=str(error))
        return LogUnavailable()

    def _open(self) -> None:
        # Options given for the database alone are forgotten for its keys when it is opened again, and with
        # them the Bloom filters: look-ups took 45 µs a key instead of 9 at 10 M keys.
        self._db = Rdict(str(self._path), self._options, column_families={"default": self._options})
        found = self._db.get(_POSITION)
        self.position = self._written = int.from_bytes(found, "big") if found else 0
