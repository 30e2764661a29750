"""A RocksDB that is made from the log and follows it: what it lost in a crash, the log gives again.

Its own write-ahead log is off. Each write carries the position of the log it has reached, in the same atomic
batch, so what is on disk is always the state at one position. Why RocksDB and not a table: random writes to a
B-tree of millions of rows cost a page each; docs/decisions/0003-key-index.md, 0007-ledger.md.
Damage is healed by making it again from the log: `healing`, docs/decisions/0016-healing.md.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
from rocksdict import Options, Rdict, WriteBatch
from rocksdict import WriteOptions as RocksWriteOptions

from meterhouse.model.errors import LogUnavailable
from meterhouse.stores.embedded.set_aside import set_aside

_POSITION: Final = b"position"  # 8 bytes; followers choose keys of other lengths
_POSITIONS_UNWRITTEN: Final = 1_000
_DAMAGE: Final = ("corruption", "no such file")
_NOT_OPENED: Final = (
    "lock file",
    "lock hold",
    "permission denied",
    "no space left",
    "disk quota exceeded",
    "file too large",
    "read-only file system",
    "too many open files",
    "cannot allocate memory",
)
"""Errors of opening that the files are not to blame for."""
_logger = structlog.get_logger()


class Follower:
    """Reading is safe from any thread; everything else is the log's writer's alone, or the healer's while
    it is not whole.

    name: of the part, for operators. options: of the database and of its keys.
    unavailable: the error that reading and writing raise. heal: set aside a database that
    cannot be opened; False: opening raises RocksDB's error.
    """

    def __init__(
        self, path: Path, name: str, options: Options, unavailable: type[LogUnavailable], *, heal: bool
    ) -> None:
        self.path = path
        self.name = name
        self.whole = True
        """False while it lacks records of the log because it is being made again, or is damaged."""
        self.damage: str | None = None
        """Why it is of no more use; None while it is."""
        self.unavailable: Final = unavailable
        self._options = options
        self._write_options = RocksWriteOptions()
        self._write_options.disable_wal = True  # type: ignore[method-assign, assignment]  # its stub is wrong
        self.position: int
        """The log position up to which everything is here."""
        self.mark: int
        """The first event number of the record at `position`, by which it is known; 0: not known."""
        self._written: int
        try:
            self._open()
        except Exception as error:  # rocksdict has no narrower class
            if not heal:
                raise
            if any(words in str(error).lower() for words in _NOT_OPENED):
                raise RuntimeError(f"The {name} in {path} cannot be opened: {error}") from None
            self.begin_again(str(error))

    def require_whole(self) -> None:
        """Raise `unavailable` while records of the log are missing here."""
        if not self.whole:
            raise self.unavailable

    def get(self, key: bytes) -> bytes | None:
        """Raises LogUnavailable: it could not be read."""
        db = self._db
        try:
            found: bytes | None = db.get(key)
        except Exception as error:  # rocksdict has no narrower class
            raise self._failed("read", error, db) from error
        return found

    def get_all(self, keys: Collection[bytes]) -> Sequence[bytes | None]:
        """Return the values of keys, in their order. Raises LogUnavailable: it could not be read."""
        db = self._db
        try:
            return db.get([*keys]) or ()
        except Exception as error:  # rocksdict has no narrower class
            raise self._failed("read", error, db) from error

    def scan(self, start: bytes, end: bytes, *, backwards: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values from `start` (included) to `end` (excluded), or from the end backwards.

        Raises LogUnavailable: it could not be read.
        """
        db = self._db
        try:
            found = db.iter()
            if backwards:
                found.seek_for_prev(end)
            else:
                found.seek(start)
            while found.valid():
                key = found.key()
                if key < start if backwards else key >= end:
                    return
                if not backwards or key < end:
                    yield key, found.value()
                if backwards:
                    found.prev()
                else:
                    found.next()
            found.status()  # `items` of rocksdict ends at a damaged block as it does at the last key
        except Exception as error:  # rocksdict has no narrower class
            raise self._failed("read", error, db) from error

    def put(self, entries: Mapping[bytes, bytes], position: int, mark: int = 0) -> None:
        """Apply changes of the log up to `position`, all or nothing. A repeat is a no-op. mark: see `mark`.

        Raises LogUnavailable: nothing was taken, `position` is as it was; see `reopen`.
        """
        if not entries and position - self._written < _POSITIONS_UNWRITTEN:
            self.position, self.mark = position, mark  # there is nothing to lose, and little to replay
            return
        batch = WriteBatch(raw_mode=True)
        for key in sorted(entries):
            batch.put(key, entries[key])
        batch.put(_POSITION, position.to_bytes(8, "big") + mark.to_bytes(8, "big"))
        db = self._db
        try:
            db.write(batch, self._write_options)
        except Exception as error:  # rocksdict has no narrower class
            raise self._failed("written", error, db) from error
        self.position = self._written = position
        self.mark = mark

    def reopen(self) -> None:
        """After a write failed: RocksDB refuses all others until it is opened again.

        `position` may go back, to what had reached the disk. Raises LogUnavailable: try again later.
        """
        with suppress(Exception):  # it may be closed already, and what it cannot flush the log still has
            self._db.close()
        try:
            self._open()
        except Exception as error:  # rocksdict has no narrower class
            if not any(words in str(error).lower() for words in _NOT_OPENED):
                self.lose(str(error))
            raise self._failed("opened", error, None) from error

    def begin_again(self, why: str) -> None:
        """Set the files aside and open an empty database. why: for the operator, in the server's log.

        Raises LogUnavailable: the disk refuses it.
        """
        _logger.error("projection_set_aside", projection=self.name, path=str(self.path), why=why)
        if hasattr(self, "_db"):
            self.close()
        try:
            set_aside(self.path)
            self._open()
        except Exception as error:  # rocksdict has no narrower class
            raise self._failed("begun again", error, None) from error
        self.damage = None

    def verify(self) -> None:
        """Read every block and compare its checksum. Raises LogUnavailable, its cause naming the file."""
        for _ in self.scan(b"", b"\xff" * 64):
            pass

    def close(self) -> None:
        """Write to disk what is still in memory, so that opening has nothing to replay."""
        with suppress(Exception):  # what could not be written is replayed
            self._db.close()

    def _failed(self, done: str, error: Exception, db: Rdict | None) -> LogUnavailable:
        """Log why it could not be read, written or opened; the answer does not say it.

        db: the database that failed; another one than the present one was closed by a recovery.
        """
        _logger.error("follower_failed", follower=self.name, not_done=done, error=str(error))
        if db is not None and db is self._db and any(words in str(error).lower() for words in _DAMAGE):
            self.lose(str(error))
        return self.unavailable()

    def lose(self, why: str) -> None:
        """Let nobody use it any more: it is damaged. It is to be begun again."""
        self.damage = self.damage or why
        self.whole = False

    def _open(self) -> None:
        # Options given for the database alone are forgotten for its keys when it is opened again, and with
        # them the Bloom filters: look-ups took 45 µs a key instead of 9 at 10 M keys.
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._db = Rdict(str(self.path), self._options, column_families={"default": self._options})
        found = self._db.get(_POSITION) or b""
        self.position = self._written = int.from_bytes(found[:8], "big")
        self.mark = int.from_bytes(found[8:], "big")
