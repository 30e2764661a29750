"""Operators on SQLite, and the passwords that were wrong."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from meterhouse import pools
from meterhouse.model.audit import Action, Write
from meterhouse.model.clock import CLOCK_SLACK_US
from meterhouse.model.errors import OperatorNotFound, OperatorTaken, ProviderNotFound
from meterhouse.model.event import to_microseconds
from meterhouse.model.key import digest
from meterhouse.model.operator import (
    FAILURES_KEPT_US,
    FREE_FAILURES,
    FREE_FAILURES_OF_ACCOUNT,
    Failures,
    Operator,
    canonical,
)
from meterhouse.model.ref import Prefix
from meterhouse.model.tenant import Caller
from meterhouse.stores.embedded.catalog.providers import scopes
from meterhouse.stores.embedded.catalog.writes import free_ref, note
from meterhouse.stores.embedded.database import Database

_COLUMNS: Final = "ref, provider_ref, email, created_at"
_SIGN_IN: Final = "sign-in"


class SqliteOperators:
    """now: the server's clock, an aware datetime."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def create(self, provider: str, email: str, password_hash: str, actor: str) -> Operator:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> Operator:
            if _with_email(connection, email) is not None:
                raise OperatorTaken
            operator = Operator(
                ref=free_ref(Prefix.OPERATOR, lambda ref: _is_taken(connection, ref)),
                provider_ref=provider_ref(connection, provider),
                email=canonical(email),
                created_at=now_us,
            )
            connection.execute(
                f"INSERT INTO operator ({_COLUMNS}, password_hash) VALUES (?, ?, ?, ?, ?)",
                (operator.ref, operator.provider_ref, operator.email, now_us, password_hash),
            )
            _note(
                connection,
                operator,
                actor,
                now_us,
                Write(Action.OPERATOR_CREATED, operator.ref, None, operator),
            )
            return operator

        return await self._database.write(work)

    async def all(self) -> Sequence[Operator]:
        rows = self._database.reader().execute(f"SELECT {_COLUMNS} FROM operator ORDER BY email")
        return [_operator(row) for row in rows]

    async def change_password(self, email: str, password_hash: str, actor: str) -> None:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> None:
            operator = _known(connection, email)
            connection.execute(
                "UPDATE operator SET password_hash = ? WHERE ref = ?", (password_hash, operator.ref)
            )
            _sign_out(connection, operator)
            write = Write(Action.OPERATOR_PASSWORD_CHANGED, operator.ref, None, None)
            _note(connection, operator, actor, now_us, write)

        await self._database.write(work)

    async def remove(self, email: str, actor: str) -> None:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> None:
            operator = _known(connection, email)
            _sign_out(connection, operator)
            connection.execute("DELETE FROM operator WHERE ref = ?", (operator.ref,))
            _note(
                connection,
                operator,
                actor,
                now_us,
                Write(Action.OPERATOR_REMOVED, operator.ref, operator, None),
            )

        await self._database.write(work)

    async def password_hash(self, email: str) -> str | None:
        row = await pools.LOOKUPS.run(
            lambda: (
                self._database.reader()
                .execute("SELECT password_hash FROM operator WHERE email = ?", (canonical(email),))
                .fetchone()
            )
        )
        return None if row is None else str(row[0])

    async def failures(self, email: str, address: str) -> Failures:
        now_us = to_microseconds(self._now())
        return await pools.LOOKUPS.run(lambda: _failures(self._database.reader(), email, address, now_us))

    async def note_failure(self, email: str, address: str) -> Failures:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> Failures:
            connection.execute("DELETE FROM failed_sign_in WHERE last_at <= ?", (now_us - FAILURES_KEPT_US,))
            connection.executemany(
                "INSERT INTO failed_sign_in (email_sha256, failures, last_at) VALUES (?1, 1, ?2)"
                " ON CONFLICT DO UPDATE SET failures = failures + 1, last_at = ?2",
                [(name, now_us) for name in _names(email, address)],
            )
            failures = _failures(connection, email, address, now_us)
            operator = _with_email(connection, email)
            if operator is not None and _begins_a_bar(failures):
                _note(
                    connection,
                    operator,
                    _SIGN_IN,
                    now_us,
                    Write(Action.OPERATOR_BARRED, operator.ref, None, None),
                )
            return failures

        return await self._database.write(work)


def provider_ref(connection: sqlite3.Connection, name: str) -> str:
    """Return the ref of the provider with this name or ref. Raises ProviderNotFound."""
    row = connection.execute(
        "SELECT ref FROM provider WHERE name = ?1 OR ref = ?1 ORDER BY ref = ?1 DESC", (name,)
    ).fetchone()
    if row is None:
        raise ProviderNotFound
    return str(row[0])


def _note(connection: sqlite3.Connection, operator: Operator, actor: str, at: int, write: Write) -> None:
    note_in_both(connection, operator.provider_ref, actor, at, write)


def note_in_both(connection: sqlite3.Connection, of_provider: str, actor: str, at: int, write: Write) -> None:
    """Add to the audit of both environments: operators and sessions belong to neither alone."""
    for scope in scopes(connection, of_provider):
        note(connection, Caller(scope, actor), at, write)


def _sign_out(connection: sqlite3.Connection, operator: Operator) -> None:
    connection.execute("DELETE FROM session WHERE operator_ref = ?", (operator.ref,))


def _known(connection: sqlite3.Connection, email: str) -> Operator:
    operator = _with_email(connection, email)
    if operator is None:
        raise OperatorNotFound
    return operator


def _with_email(connection: sqlite3.Connection, email: str) -> Operator | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM operator WHERE email = ?", (canonical(email),)
    ).fetchone()
    return None if row is None else _operator(row)


def forget_failures(connection: sqlite3.Connection, email: str, address: str) -> None:
    connection.executemany(
        "DELETE FROM failed_sign_in WHERE email_sha256 = ?", [(name,) for name in _names(email, address)]
    )


def _failures(connection: sqlite3.Connection, email: str, address: str, now_us: int) -> Failures:
    counts: list[int] = []
    for name in _names(email, address):
        row = connection.execute(
            "SELECT failures, last_at FROM failed_sign_in WHERE email_sha256 = ? AND last_at BETWEEN ? AND ?",
            (name, now_us - FAILURES_KEPT_US + 1, now_us + CLOCK_SLACK_US),
        ).fetchone()
        counts += (0, 0) if row is None else row
    return Failures(*counts)


def _names(email: str, address: str) -> tuple[bytes, bytes]:
    """Return the keys of the rows of a pair of email and address, and of the email from every address."""
    kept = canonical(email)
    return digest(f"{address}\0{kept}"), digest(kept)


def _begins_a_bar(failures: Failures) -> bool:
    return failures.count == FREE_FAILURES or failures.of_account == FREE_FAILURES_OF_ACCOUNT


def _is_taken(connection: sqlite3.Connection, ref: str) -> bool:
    return connection.execute("SELECT 1 FROM operator WHERE ref = ?", (ref,)).fetchone() is not None


def _operator(row: Sequence[object]) -> Operator:
    ref, of_provider, email, created_at = row
    assert isinstance(created_at, int)  # noqa: S101 - the column is INTEGER
    return Operator(ref=str(ref), provider_ref=str(of_provider), email=str(email), created_at=created_at)
