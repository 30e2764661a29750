"""Whether key index, ledger and warehouse, made from the log, agree with it. Only while no server runs."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Final

import duckdb

from meterhouse.model.errors import LogUnavailable
from meterhouse.model.finding import Finding, Health
from meterhouse.model.question import Aggregate
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.checks import books
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.rebuild import total
from meterhouse.stores.embedded.warehouse.store import DuckWarehouse, read_all

_KEYS: Final = "key index"
_LEDGER: Final = "ledger"
_WAREHOUSE: Final = "warehouse"


def unseen(why: str, remedy: str) -> list[Finding]:
    """Return what `check` would have looked at."""
    return [Finding(subject, Health.UNSEEN, why, remedy) for subject in (_KEYS, _LEDGER, _WAREHOUSE)]


async def check(data: Path, memory_megabytes: int, threads: int) -> AsyncIterator[Finding]:
    """Yield what is found. A warehouse of another version is set aside, as a start would do."""
    try:
        last = books.last_position(data)
        for subject, path, opened in ((_KEYS, "keys", KeyIndex), (_LEDGER, "ledger", Accounts)):
            yield _follower(subject, data / path, opened, last)
        yield await _warehouse(data, last, memory_megabytes, threads)
    except sqlite3.DatabaseError:
        for finding in unseen("the log they belong to cannot be read", ""):
            yield finding


def _follower(subject: str, path: Path, opened: type[KeyIndex | Accounts], last: int) -> Finding:
    if not path.exists():
        return Finding(subject, Health.OK, "absent: the next start makes it from the log")
    again = "The next start sets it aside and makes it again from the log."
    try:
        with closing(opened(path, heal=False)) as found:
            position = found.position
            found.follower.verify()
    except LogUnavailable as error:
        return Finding(subject, Health.PROBLEM, f"cannot be read: {error.__cause__}", again)
    except Exception as error:  # noqa: BLE001 - rocksdict has no narrower class
        return Finding(subject, Health.PROBLEM, f"cannot be opened: {error}", again)
    if position > last:
        sentence = f"it is at position {position}, and the log ends at {last}: it would count too much"
        return Finding(subject, Health.PROBLEM, sentence, f"Was a backup of the log restored? {again}")
    if position < last:
        return Finding(subject, Health.OK, f"at position {position} of {last}: the next start adds the rest")
    return Finding(subject, Health.OK, f"at position {position}, where the log ends")


async def _warehouse(data: Path, last: int, memory_megabytes: int, threads: int) -> Finding:
    path = data / "warehouse.duckdb"
    if not path.exists():
        return Finding(_WAREHOUSE, Health.OK, "absent: the next start makes it from the log")
    rebuild = f"meterhouse rebuild --data {data}"
    try:
        read_all(path, memory_megabytes, threads)
    except duckdb.Error as error:
        return Finding(_WAREHOUSE, Health.PROBLEM, f"cannot be read: {error}", rebuild)
    with closing(DuckWarehouse(path, memory_megabytes, threads)) as opened:
        position = await opened.position()
        if position > last:
            sentence = f"it is at position {position}, and the log ends at {last}"
            return Finding(_WAREHOUSE, Health.PROBLEM, sentence, f"Was a backup restored? {rebuild}")
        held = [await total(opened, scope_id, Aggregate.COUNT) for scope_id in books.scope_ids(data)]
    events, expected = sum(held), books.events_to(data, position)
    if events != expected:
        sentence = f"it holds {events} events, and the log {expected} up to the same position"
        return Finding(_WAREHOUSE, Health.PROBLEM, sentence, rebuild)
    if position < last:
        sentence = f"at position {position} of {last}: the next start adds the rest"
        return Finding(_WAREHOUSE, Health.OK, sentence)
    return Finding(_WAREHOUSE, Health.OK, f"{events} events, as many as the log")
