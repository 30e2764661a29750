"""API keys on SQLite."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from meterhouse.model.audit import Action, Write
from meterhouse.model.errors import KeyNotFound
from meterhouse.model.event import to_microseconds
from meterhouse.model.key import ApiKey, IssuedKey, digest, hint, new_secret
from meterhouse.model.once import Once
from meterhouse.model.ref import Prefix
from meterhouse.model.tenant import Caller, Environment, Rights
from meterhouse.stores.embedded.catalog.writes import free_ref, note, once_only
from meterhouse.stores.embedded.database import Database

_COLUMNS: Final = (
    "api_key.ref, name, environment, hint, created_at, last_used_at, revoked_at, rights, expires_at"
)
_KEYS: Final = f"SELECT {_COLUMNS} FROM api_key JOIN scope ON scope.id = scope_id"


class SqliteKeys:
    """now: the server's clock, an aware datetime."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def create(
        self,
        caller: Caller,
        name: str,
        once: Once | None = None,
        *,
        rights: Rights = Rights.FULL,
        expires_at: int | None = None,
    ) -> IssuedKey:
        now_us = to_microseconds(self._now())
        issued: list[IssuedKey] = []

        def work(connection: sqlite3.Connection) -> ApiKey:
            issued.append(create(connection, caller, name, now_us, rights, expires_at))
            return issued[0].key  # what `once` keeps: without the secret

        key = await self._database.write(
            lambda connection: once_only(connection, caller.scope.id, once, ApiKey, lambda: work(connection))
        )
        return issued[0] if issued else IssuedKey(key, None)

    async def all(self, scope_id: int) -> Sequence[ApiKey]:
        return await self._database.scan(self._all, scope_id)

    async def revoke(self, caller: Caller, ref: str, once: Once | None = None) -> ApiKey:
        now_us = to_microseconds(self._now())
        return await self._database.write(
            lambda connection: once_only(
                connection, caller.scope.id, once, ApiKey, lambda: _revoke(connection, caller, ref, now_us)
            )
        )

    def _all(self, scope_id: int) -> Sequence[ApiKey]:
        rows = self._database.reader().execute(
            f"{_KEYS} WHERE scope_id = ? ORDER BY created_at DESC, api_key.ref DESC", (scope_id,)
        )
        return [_key(row) for row in rows]


def create(
    connection: sqlite3.Connection,
    caller: Caller,
    name: str,
    now_us: int,
    rights: Rights = Rights.FULL,
    expires_at: int | None = None,
) -> IssuedKey:
    """Make a key, inside a transaction."""
    secret = new_secret(caller.scope.environment)
    key = ApiKey(
        ref=free_ref(Prefix.KEY, lambda ref: _is_taken(connection, ref)),
        name=name,
        environment=caller.scope.environment,
        hint=hint(secret),
        created_at=now_us,
        rights=rights,
        expires_at=expires_at,
    )
    connection.execute(
        "INSERT INTO api_key (ref, scope_id, sha256, hint, name, created_at, rights, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (key.ref, caller.scope.id, digest(secret), key.hint, name, now_us, rights, expires_at),
    )
    note(connection, caller, now_us, Write(Action.KEY_CREATED, key.ref, None, key))
    return IssuedKey(key, secret)


def _revoke(connection: sqlite3.Connection, caller: Caller, ref: str, now_us: int) -> ApiKey:
    scope_id = caller.scope.id
    row = connection.execute(f"{_KEYS} WHERE scope_id = ? AND api_key.ref = ?", (scope_id, ref)).fetchone()
    if row is None:
        raise KeyNotFound
    before = _key(row)
    if before.revoked_at is not None:
        return before
    after = msgspec.structs.replace(before, revoked_at=now_us)
    connection.execute("UPDATE api_key SET revoked_at = ? WHERE ref = ?", (now_us, ref))
    note(connection, caller, now_us, Write(Action.KEY_REVOKED, after.ref, before, after))
    return after


def _is_taken(connection: sqlite3.Connection, ref: str) -> bool:
    return connection.execute("SELECT 1 FROM api_key WHERE ref = ?", (ref,)).fetchone() is not None


def _key(row: Sequence[object]) -> ApiKey:
    fields = dict(zip(ApiKey.__struct_fields__, row, strict=True))
    enums = {"environment": Environment(str(fields["environment"])), "rights": Rights(str(fields["rights"]))}
    return msgspec.convert(fields | enums, ApiKey)
