"""Providers and their scopes on SQLite."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from meterhouse.model.audit import Action, Write
from meterhouse.model.errors import ProviderNameTaken, ProviderNotFound
from meterhouse.model.event import to_microseconds
from meterhouse.model.merchant import Merchant
from meterhouse.model.ref import Prefix
from meterhouse.model.tenant import Caller, Environment, Provider, Scope
from meterhouse.stores.embedded.catalog.meters import create_defaults
from meterhouse.stores.embedded.catalog.writes import free_ref, note
from meterhouse.stores.embedded.database import Database


class SqliteProviders:
    """now: the server's clock, an aware datetime."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def create(self, name: str, actor: str) -> Provider:
        now_us = to_microseconds(self._now())
        return await self._database.write(lambda connection: create(connection, name, actor, now_us))

    async def all(self) -> Sequence[Provider]:
        rows = self._database.reader().execute(
            "SELECT ref, name, created_at FROM provider ORDER BY created_at, ref"
        )
        return [Provider(ref=ref, name=name, created_at=created_at) for ref, name, created_at in rows]

    async def scope(self, name: str, environment: Environment) -> Scope:
        row = (
            self._database.reader()
            .execute(
                "SELECT scope.id, provider.ref FROM scope JOIN provider ON provider.ref = provider_ref"
                " WHERE (provider.name = ?1 OR provider.ref = ?1) AND environment = ?2"
                " ORDER BY provider.ref = ?1 DESC",
                (name, environment),
            )
            .fetchone()
        )
        if row is None:
            raise ProviderNotFound
        return Scope(row[0], row[1], environment)

    async def scope_by_id(self, scope_id: int) -> Scope:
        row = (
            self._database.reader()
            .execute("SELECT provider_ref, environment FROM scope WHERE id = ?", (scope_id,))
            .fetchone()
        )
        if row is None:
            raise ProviderNotFound
        return Scope(scope_id, row[0], Environment(row[1]))

    async def merchant(self, provider_ref: str) -> Merchant:
        return _merchant(self._database.reader(), provider_ref)

    async def show_as(self, caller: Caller, merchant: Merchant) -> None:
        now_us = to_microseconds(self._now())
        await self._database.write(lambda connection: _show_as(connection, caller, merchant, now_us))


def create(connection: sqlite3.Connection, name: str, actor: str, now_us: int) -> Provider:
    """Make a provider with both scopes and their meters, inside a transaction. Raises ProviderNameTaken."""
    if connection.execute("SELECT 1 FROM provider WHERE name = ?", (name,)).fetchone() is not None:
        raise ProviderNameTaken
    ref = free_ref(
        Prefix.PROVIDER,
        lambda ref: connection.execute("SELECT 1 FROM provider WHERE ref = ?", (ref,)).fetchone() is not None,
    )
    provider = Provider(ref=ref, name=name, created_at=now_us)
    connection.execute("INSERT INTO provider (ref, name, created_at) VALUES (?, ?, ?)", (ref, name, now_us))
    for environment in Environment:
        connection.execute("INSERT INTO scope (provider_ref, environment) VALUES (?, ?)", (ref, environment))
    for scope in scopes(connection, ref):
        create_defaults(connection, scope.id, now_us)
        note(connection, Caller(scope, actor), now_us, Write(Action.PROVIDER_CREATED, ref, None, provider))
    return provider


def scopes(connection: sqlite3.Connection, provider_ref: str) -> Sequence[Scope]:
    """Return the scopes of a provider: sandbox, then live."""
    rows = connection.execute(
        "SELECT id, environment FROM scope WHERE provider_ref = ? ORDER BY environment DESC", (provider_ref,)
    )
    return [Scope(scope_id, provider_ref, Environment(environment)) for scope_id, environment in rows]


def _show_as(connection: sqlite3.Connection, caller: Caller, merchant: Merchant, now_us: int) -> None:
    ref = caller.scope.provider_ref
    write = Write(Action.PROVIDER_UPDATED, ref, _merchant(connection, ref), merchant)
    connection.execute(
        "UPDATE provider SET merchant = ? WHERE ref = ?", (msgspec.json.encode(merchant).decode(), ref)
    )
    for scope in scopes(connection, ref):
        note(connection, Caller(scope, caller.actor), now_us, write)


def _merchant(connection: sqlite3.Connection, provider_ref: str) -> Merchant:
    row = connection.execute("SELECT name, merchant FROM provider WHERE ref = ?", (provider_ref,)).fetchone()
    if row is None:
        raise ProviderNotFound
    name, merchant = row
    if merchant is None:
        return Merchant(display_name=name, legal_name=name)
    return msgspec.json.decode(merchant, type=Merchant)
