"""Sessions on SQLite, and the links that open them."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from meterhouse.model.audit import Action, Write
from meterhouse.model.clock import CLOCK_SLACK_US, is_ahead
from meterhouse.model.errors import NotSignedIn
from meterhouse.model.event import to_microseconds
from meterhouse.model.operator import (
    LINK_LIFE_US,
    SESSION_IDLE_US,
    SESSION_LIFE_US,
    OpenSession,
    Session,
    actor_of,
    canonical,
)
from meterhouse.model.tenant import Provider
from meterhouse.stores.embedded.catalog.operators import forget_failures, note_in_both, provider_ref
from meterhouse.stores.embedded.catalog.providers import scopes
from meterhouse.stores.embedded.database import Database, Job

_USE_NOTED_US: Final = 60_000_000
_SESSIONS: Final = (
    "SELECT session.provider_ref, operator_ref, operator.email, opened_at, used_at, sha256 FROM session"
    " LEFT JOIN operator ON operator.ref = operator_ref"
)
_ID_CHARACTERS: Final = 12  # of the hexadecimal SHA-256, from which nobody makes the secret


class _Row(Struct, frozen=True):
    provider_ref: str
    operator_ref: str | None
    email: str | None
    opened_at: int
    used_at: int
    sha256: bytes

    @property
    def expires_at(self) -> int:
        return self.opened_at + SESSION_LIFE_US

    @property
    def ends_at(self) -> int:
        return min(self.expires_at, self.used_at + SESSION_IDLE_US)

    def is_open(self, now_us: int) -> bool:
        return now_us < self.ends_at and not is_ahead(self.opened_at, now_us)

    @property
    def id(self) -> str:
        return self.sha256.hex()[:_ID_CHARACTERS]


class SqliteSessions:
    """Looks every session up: http.auth remembers them. now: the server's clock, an aware datetime."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def add_link(self, provider: str, link_sha256: bytes, actor: str) -> None:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> None:
            of_provider = provider_ref(connection, provider)
            connection.execute(
                "DELETE FROM sign_in_link WHERE NOT expires_at BETWEEN ? AND ?", _link_expiries(now_us)
            )
            connection.execute(
                "INSERT INTO sign_in_link (sha256, provider_ref, expires_at) VALUES (?, ?, ?)",
                (link_sha256, of_provider, now_us + LINK_LIFE_US),
            )
            write = Write(Action.LINK_CREATED, of_provider, None, None)
            note_in_both(connection, of_provider, actor, now_us, write)

        await self._database.write(work)

    async def open_with_link(self, link_sha256: bytes, sha256: bytes) -> Session:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> Session:
            row = connection.execute(
                "DELETE FROM sign_in_link WHERE sha256 = ? AND expires_at BETWEEN ? AND ?"
                " RETURNING provider_ref",
                (link_sha256, *_link_expiries(now_us)),
            ).fetchone()
            if row is None:
                raise NotSignedIn
            return _open(connection, _Row(row[0], None, None, now_us, now_us, sha256))

        return await self._database.write(work)

    async def open_for(self, email: str, sha256: bytes, address: str) -> Session:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> Session:
            row = connection.execute(
                "SELECT provider_ref, ref, email FROM operator WHERE email = ?", (canonical(email),)
            ).fetchone()
            if row is None:
                raise NotSignedIn
            forget_failures(connection, email, address)
            of_provider, operator_ref, kept = row
            return _open(connection, _Row(of_provider, operator_ref, kept, now_us, now_us, sha256))

        return await self._database.write(work)

    async def find(self, sha256: bytes) -> Session | None:
        connection = self._database.reader()
        now_us = to_microseconds(self._now())
        row = _row(connection, sha256, now_us)
        if row is None:
            return None
        if abs(now_us - row.used_at) >= _USE_NOTED_US:  # it may have been used while the clock was ahead
            self._note_use(sha256, now_us)
        return _session(connection, row)

    async def end(self, sha256: bytes) -> None:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> None:
            row = _row(connection, sha256, now_us)
            if row is not None:
                _end(connection, row, actor_of(row.email), now_us)

        await self._database.write(work)

    async def all(self) -> Sequence[OpenSession]:
        return [
            OpenSession(
                id=row.id,
                provider_ref=row.provider_ref,
                email=row.email,
                opened_at=row.opened_at,
                used_at=row.used_at,
                expires_at=row.ends_at,
            )
            for row in _all_open(self._database.reader(), to_microseconds(self._now()))
        ]

    async def end_listed(self, id_: str | None, actor: str) -> int:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> int:
            found = [row for row in _all_open(connection, now_us) if id_ in (None, row.id)]
            for row in found:
                _end(connection, row, actor, now_us)
            return len(found)

        return await self._database.write(work)

    def _note_use(self, sha256: bytes, now_us: int) -> None:
        """Nobody waits for it: a use that could not be written is written with a later one."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE session SET used_at = ? WHERE sha256 = ?", (now_us, sha256))

        self._database.submit(Job(work=write, deliver=lambda _: None))


def _link_expiries(now_us: int) -> tuple[int, int]:
    """Return the earliest and the latest expiry of a link that is open now."""
    return now_us + 1, now_us + LINK_LIFE_US + CLOCK_SLACK_US


def _open(connection: sqlite3.Connection, row: _Row) -> Session:
    """Keep a new session, and forget those that nobody can use any more."""
    connection.execute(
        "DELETE FROM session WHERE NOT opened_at BETWEEN ? AND ? OR used_at <= ?",
        (
            row.opened_at - SESSION_LIFE_US + 1,
            row.opened_at + CLOCK_SLACK_US,
            row.opened_at - SESSION_IDLE_US,
        ),
    )
    connection.execute(
        "INSERT INTO session (sha256, provider_ref, operator_ref, opened_at, used_at) VALUES (?, ?, ?, ?, ?)",
        (row.sha256, row.provider_ref, row.operator_ref, row.opened_at, row.used_at),
    )
    _note(connection, row, actor_of(row.email), Action.SESSION_OPENED, row.opened_at)
    return _session(connection, row)


def _end(connection: sqlite3.Connection, row: _Row, actor: str, now_us: int) -> None:
    connection.execute("DELETE FROM session WHERE sha256 = ?", (row.sha256,))
    _note(connection, row, actor, Action.SESSION_ENDED, now_us)


def _note(connection: sqlite3.Connection, row: _Row, actor: str, action: Action, now_us: int) -> None:
    write = Write(action, row.operator_ref or row.provider_ref, None, None)
    note_in_both(connection, row.provider_ref, actor, now_us, write)


def _all_open(connection: sqlite3.Connection, now_us: int) -> list[_Row]:
    """Return the open sessions, the newest first."""
    rows = (_Row(*found) for found in connection.execute(f"{_SESSIONS} ORDER BY opened_at DESC, sha256"))
    return [row for row in rows if row.is_open(now_us)]


def _row(connection: sqlite3.Connection, sha256: bytes, now_us: int) -> _Row | None:
    """Return an open session."""
    found = connection.execute(f"{_SESSIONS} WHERE sha256 = ?", (sha256,)).fetchone()
    row = None if found is None else _Row(*found)
    return row if row is not None and row.is_open(now_us) else None


def _session(connection: sqlite3.Connection, row: _Row) -> Session:
    ref, name, created_at = connection.execute(
        "SELECT ref, name, created_at FROM provider WHERE ref = ?", (row.provider_ref,)
    ).fetchone()
    return Session(
        provider=Provider(ref=ref, name=name, created_at=created_at),
        scopes={scope.environment: scope for scope in scopes(connection, ref)},
        email=row.email,
        expires_at=row.expires_at,
    )
