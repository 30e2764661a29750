"""Idempotency keys of imported rows: the same row of the same file is the same event, for ever.

By default the text of a row identifies it, with its ordinal among the rows of the same text. So a file
that is imported again, has grown or has another name adds only the new rows. Columns that identify the
events of a file replace the text: then a row may also gain columns or move to another file.
"""

from array import array
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final, Protocol
from urllib.parse import quote

from meterhouse.cli.importing.rows import Row, name_in

MAX_DISTINCT_ROWS: Final = 80_000_000
_MAX_KEY: Final = 256
_DIGEST_BYTES: Final = 16
_SHARDS: Final = 256  # each grows alone, so that none of them makes the import pause
_FIRST_SLOTS: Final = 256
_STEP: Final = 0x9E3779B97F4A7C15  # odd, so that the ordinals of a row spread over the table
_64_BITS: Final = 2**64 - 1

KeyOf = Callable[[str | None], str]
"""Gives the key of a row's event; of a second event of the row where its type is given."""


class TooManyRows(RuntimeError):
    """The count of equal rows takes memory for each different row, and the limit is reached."""


class Keys(Protocol):
    """Gives the rows of one file their keys, in their order."""

    def of(self, row: Row) -> KeyOf:
        """Raises ValueError with the end of a sentence: the row has no key. Raises TooManyRows."""

    def skip(self, row: Row) -> None:
        """Note a row that needs no key. Raises TooManyRows."""


class TextKeys:
    """Keys from the rows' texts. source: tells apart files whose rows may look the same."""

    def __init__(self, source: str = "") -> None:
        self._source = source
        self._ordinals = Ordinals()

    def of(self, row: Row) -> KeyOf:
        digest = row_digest(row.raw, self._source)
        ordinal = self._ordinals.next(digest)
        return lambda also: event_key(digest, ordinal, also)

    def skip(self, row: Row) -> None:
        self._ordinals.next(row_digest(row.raw, self._source))


class ColumnKeys:
    """Keys that the columns hold, as they are where that fits; source: comes before them, with a colon.

    Several columns are separated by a space, which only the last may contain. absent: as in `name_in`.
    """

    def __init__(self, columns: Sequence[str], source: str = "", absent: str | None = None) -> None:
        self._columns = columns
        self._prefix = f"{quote(source, safe='')}:" if source else ""
        self._absent = absent

    def of(self, row: Row) -> KeyOf:
        parts = [name_in(row.values, column, self._absent) for column in self._columns]
        for column, part in zip(self._columns[:-1], parts, strict=False):
            if any(map(str.isspace, part)):
                raise ValueError(f"{column} has white space, so the key would not be clear: {part!r:.60}")
        key = self._prefix + " ".join(parts)

        def key_of(also: str | None) -> str:
            if also is None and len(key) <= _MAX_KEY:
                return key
            hashed = f"key-{_text(row_digest(key.encode('utf-8', 'surrogatepass')))}"
            return hashed if also is None else f"{hashed}-{also}"

        return key_of

    def skip(self, row: Row) -> None:
        pass


def row_digest(raw: bytes, source: str = "") -> bytes:
    """Return 128 bits that tell rows apart. source: tells apart files whose rows may look the same."""
    return blake2b(raw, digest_size=_DIGEST_BYTES, key=source.encode()[:64]).digest()


def event_key(digest: bytes, ordinal: int, also: str | None = None) -> str:
    """also: the type of a second event of the same row."""
    key = f"row-{_text(digest)}-{ordinal}"
    return key if also is None else f"{key}-{also}"


def _text(digest: bytes) -> str:
    return urlsafe_b64encode(digest).decode().rstrip("=")


class Ordinals:
    """Counts equal rows in 11 to 22 bytes a row, as there is room to grow: 1.1 GB at the limit.

    A row and its ordinal become one 64-bit number in a set. A number of a row that is not in the set has
    not been given out, so two rows whose hashes collide still get keys of their own.
    """

    def __init__(self, limit: int = MAX_DISTINCT_ROWS) -> None:
        self._shards = [_Numbers() for _ in range(_SHARDS)]
        self._limit = limit
        self._rows = 0

    def next(self, digest: bytes) -> int:
        """Return how many rows with this digest came before. Raises TooManyRows."""
        if self._rows == self._limit:
            raise TooManyRows(
                f"More than {self._limit} rows would have to be told apart; "
                "split the file where its time changes, and import the parts."
            )
        self._rows += 1
        first = int.from_bytes(digest[:8], "big")
        if self._add(first):
            return 0
        present, absent = 0, 1  # double until one is absent, then halve: logarithmic in the equal rows
        while self._has(first, absent):
            present, absent = absent, absent * 2
        while absent - present > 1:
            middle = (present + absent) // 2
            if self._has(first, middle):
                present = middle
            else:
                absent = middle
        self._add(first + absent * _STEP & _64_BITS)
        return absent

    def _has(self, first: int, ordinal: int) -> bool:
        number = first + ordinal * _STEP & _64_BITS
        return self._shards[number % _SHARDS].has(number)

    def _add(self, number: int) -> bool:
        return self._shards[number % _SHARDS].add(number)


class _Numbers:
    """A set of 64-bit numbers in a flat array, at most three quarters full. 0 marks a free slot."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * _FIRST_SLOTS))
        self._used = 0

    def has(self, number: int) -> bool:
        number = number or 1
        return self._slots[self._slot(number)] == number

    def add(self, number: int) -> bool:
        """Return whether it is new."""
        number = number or 1
        slot = self._slot(number)
        if self._slots[slot]:
            return False
        self._slots[slot] = number
        self._used += 1
        if self._used * 4 > len(self._slots) * 3:
            self._grow()
        return True

    def _slot(self, number: int) -> int:
        """Return where the number is, or the free slot where it belongs."""
        slots = self._slots
        mask = len(slots) - 1
        slot = (number // _SHARDS) & mask
        while slots[slot] and slots[slot] != number:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", bytes(16 * len(old)))
        for number in old:
            if number:
                self._slots[self._slot(number)] = number
