"""`meterhouse verify`: compares key index and ledger with the log.

Each is made again from the log in a directory of its own, and compared key by key.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from meterhouse.model.event import event_id
from meterhouse.stores.embedded import chain
from meterhouse.stores.embedded.accounts.fold import fold
from meterhouse.stores.embedded.accounts.layout import OF_THIS_LEDGER, described
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.follower import Follower
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.records import keys_of

SCRATCH: Final = "verify.tmp"
_END: Final = b"\xff" * 32
Report = Callable[[int], None]
"""Is told the positions of the log that are done."""


def check_not_ahead(projection: str, position: int, last: int) -> None:
    """Raises RuntimeError: a projection has a record that the log, which ends at `last`, has not."""
    if position > last:
        raise RuntimeError(
            f"The {projection} is at position {position}, and the log ends at {last}: the log has lost its "
            "end. Keep the directory, and restore the last backup (docs/operating.md)."
        )


def check_keys(reader: sqlite3.Connection, index: KeyIndex, scratch: Path, report: Report) -> int:
    """Return how many keys log and index have. Raises RuntimeError, naming the first difference."""
    with closing(KeyIndex(scratch / "keys")) as made:
        for stored in chain.records(reader, 0):
            made.put(keys_of(stored.first_number, stored.body()), stored.position)
            report(stored.position)
        keys = 0
        for key, expected, found in _pairs(made.follower, index.follower):
            keys += 1
            if expected != found:
                raise RuntimeError(_key_differs(reader, key, expected, found))
    return keys


def check_ledger(reader: sqlite3.Connection, accounts: Accounts, scratch: Path, report: Report) -> int:
    """Return how many rows the ledger has. Raises RuntimeError, naming the first difference."""
    with closing(Accounts(scratch / "ledger")) as made:
        fold(reader, made, report)
        rows = 0
        for key, expected, found in _pairs(made.follower, accounts.follower):
            rows += 1
            if expected != found:
                which = _how(expected, found)
                raise RuntimeError(
                    f"The ledger differs from the log: {described(key, expected or found or b'')} {which}. "
                    "`meterhouse rebuild --ledger` makes it again."
                )
    return rows


def _pairs(one: Follower, other: Follower) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    """Yield each key that either has, in order, with the values of both."""
    nothing: tuple[bytes | None, bytes] = (None, b"")
    left, right = _rows(one), _rows(other)
    a, b = next(left, nothing), next(right, nothing)
    while (key := min((each[0] for each in (a, b) if each[0] is not None), default=None)) is not None:
        yield key, a[1] if a[0] == key else None, b[1] if b[0] == key else None
        a, b = next(left, nothing) if a[0] == key else a, next(right, nothing) if b[0] == key else b


def _rows(follower: Follower) -> Iterator[tuple[bytes, bytes]]:
    return (each for each in follower.scan(b"", _END) if each[0] not in OF_THIS_LEDGER)


def _how(expected: bytes | None, found: bytes | None) -> str:
    if found is None:
        return "is missing"
    return "is not in the log" if expected is None else "has another value"


def _key_differs(reader: sqlite3.Connection, key: bytes, expected: bytes | None, found: bytes | None) -> str:
    number = int.from_bytes((expected or found or b"")[:8], "big")
    (position,) = reader.execute(
        "SELECT max(position) FROM log WHERE first_number <= ?", (number,)
    ).fetchone()
    near = f"{event_id(number)}, record {position} of the log"
    return (
        f"The key index differs from the log: the key {key.hex()} ({near}) {_how(expected, found)}. "
        "Delete the directory `keys`: the next start makes it again."
    )
