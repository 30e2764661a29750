"""Hosted sessions on SQLite. Ended ones are deleted after a day."""

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec

from meterhouse.model.errors import IdempotencyConflict
from meterhouse.model.event import to_microseconds
from meterhouse.model.hosted import LIFETIME_US, Choice, Hosted, HostedStatus, NewHosted
from meterhouse.model.once import Once
from meterhouse.model.period import DAY_US
from meterhouse.ports.selling import SessionIds
from meterhouse.stores.embedded.catalog.writes import once_only, replace_answer
from meterhouse.stores.embedded.database import Database

_FIELDS: Final = Hosted.__struct_fields__  # each is a column of the same name
_COLUMNS: Final = ", ".join(_FIELDS)
_CHOICE: Final = Choice.__struct_fields__
_ID_BYTES: Final = 16


class SqliteHostedSessions:
    """now: the server's clock, an aware datetime."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def open(
        self, scope_id: int, new: NewHosted, once: Once | None = None, ids: SessionIds | None = None
    ) -> str:
        now_us = to_microseconds(self._now())
        session = Hosted(
            **msgspec.structs.asdict(new),
            scope_id=scope_id,
            status=HostedStatus.ACTIVE,
            created_at=now_us,
            updated_at=now_us,
            expires_at=now_us + LIFETIME_US,
        )
        if once is None or ids is None:
            session_id = secrets.token_hex(_ID_BYTES)
            await self._database.write(lambda connection: _insert(connection, session_id, session))
            return session_id
        return await self._database.write(lambda connection: _open_once(connection, once, ids, session))

    async def find(self, session_id: str) -> Hosted | None:
        return _find(self._database.reader(), session_id)

    def now(self) -> int:
        return to_microseconds(self._now())

    async def choose(self, session_id: str, choice: Choice) -> Hosted | None:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> Hosted | None:
            session = _find(connection, session_id)
            if session is None or session.status_at(now_us) is not HostedStatus.ACTIVE:
                return None
            connection.execute(
                f"UPDATE hosted_session SET ({', '.join(_CHOICE)}, updated_at) = (?, ?, ?, ?, ?)"
                " WHERE sha256 = ?",
                (*msgspec.structs.astuple(choice), now_us, _digest(session_id)),
            )
            return _find(connection, session_id)

        return await self._database.write(work)

    async def use(self, session_id: str) -> bool:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> bool:
            session = _find(connection, session_id)
            if session is None or session.status_at(now_us) is not HostedStatus.ACTIVE:
                return False
            connection.execute(
                "UPDATE hosted_session SET status = ?, updated_at = ? WHERE sha256 = ?",
                (HostedStatus.USED, now_us, _digest(session_id)),
            )
            return True

        return await self._database.write(work)


def end_all_of(connection: sqlite3.Connection, scope_id: int, customer_ref: str, now_us: int) -> None:
    """End the links of a deleted customer: they must not open what the next owner of its ref has."""
    connection.execute(
        "UPDATE hosted_session SET expires_at = min(expires_at, :now)"
        " WHERE scope_id = :scope AND customer_ref = :customer",
        {"now": now_us, "scope": scope_id, "customer": customer_ref},
    )


def _find(connection: sqlite3.Connection, session_id: str) -> Hosted | None:
    row: Sequence[object] | None = connection.execute(
        f"SELECT {_COLUMNS} FROM hosted_session WHERE sha256 = ?", (_digest(session_id),)
    ).fetchone()
    return None if row is None else msgspec.convert(dict(zip(_FIELDS, row, strict=True)), Hosted)


def _open_once(connection: sqlite3.Connection, once: Once, ids: SessionIds, session: Hosted) -> str:
    """Return the id that the key has, of a new session where the key is new or its session has expired."""

    def insert(opening: int) -> str:
        _insert(connection, ids(opening), session)
        return _kept(ids(opening), opening)

    kept = once_only(connection, session.scope_id, once, str, lambda: insert(0))
    opening = _opening(kept)
    if kept != _kept(ids(opening), opening):
        raise IdempotencyConflict
    found = _find(connection, ids(opening))
    if found is not None and found.status_at(session.created_at) is not HostedStatus.EXPIRED:
        return ids(opening)
    replace_answer(connection, session.scope_id, once, insert(opening + 1))
    return ids(opening + 1)


def _insert(connection: sqlite3.Connection, session_id: str, session: Hosted) -> None:
    connection.execute("DELETE FROM hosted_session WHERE expires_at < ?", (session.created_at - DAY_US,))
    connection.execute(
        f"INSERT INTO hosted_session (sha256, {_COLUMNS}) VALUES (?{', ?' * len(_FIELDS)})",
        (_digest(session_id), *msgspec.structs.astuple(session)),
    )


def _kept(session_id: str, opening: int) -> str:
    """Return the answer that is kept for a key. opening: how often it was opened again, 0 at first."""
    digest = _digest(session_id).hex()
    return f"{digest} {opening}" if opening else digest


def _opening(kept: str) -> int:
    return int(kept.partition(" ")[2] or 0)


def _digest(session_id: str) -> bytes:
    return sha256(session_id.encode()).digest()
