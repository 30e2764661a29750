"""Meters on SQLite."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from meterhouse.model.audit import Action, Write
from meterhouse.model.errors import MeterNameTaken, MeterNotFound, ReferenceTaken
from meterhouse.model.event import to_microseconds
from meterhouse.model.meter import Meter, MeterDetails, MeterStatus, NewMeter, archived, changed, created
from meterhouse.model.once import Once
from meterhouse.model.ref import Prefix
from meterhouse.model.tenant import Caller
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.writes import free_ref, note, once_only

_FIELDS: Final = Meter.__struct_fields__  # each is a column of the same name
_COLUMNS: Final = ", ".join(_FIELDS)


class SqliteMeters:
    """now: the server's clock, an aware datetime."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def create(self, caller: Caller, new: NewMeter, once: Once | None = None) -> Meter:
        return await self._write(caller, once, lambda connection, at: _create(connection, caller, new, at))

    async def get(self, scope_id: int, ref: str) -> Meter | None:
        return find(self._database.reader(), scope_id, "ref", ref)

    async def all(self, scope_id: int) -> Sequence[Meter]:
        rows = self._database.reader().execute(
            f"SELECT {_COLUMNS} FROM meter WHERE scope_id = ? ORDER BY name", (scope_id,)
        )
        return [_meter(row) for row in rows.fetchall()]

    async def change(
        self, caller: Caller, ref: str, details: MeterDetails, once: Once | None = None
    ) -> Meter:
        def work(connection: sqlite3.Connection, at: int) -> Meter:
            before = _existing(connection, caller.scope.id, ref)
            return _replace(connection, caller, before, changed(before, details, at), Action.METER_UPDATED)

        return await self._write(caller, once, work)

    async def archive(self, caller: Caller, ref: str, once: Once | None = None) -> Meter:
        def work(connection: sqlite3.Connection, at: int) -> Meter:
            before = _existing(connection, caller.scope.id, ref)
            after = before if before.status is MeterStatus.ARCHIVED else archived(before, at)
            return _replace(connection, caller, before, after, Action.METER_ARCHIVED)

        return await self._write(caller, once, work)

    async def _write(
        self, caller: Caller, once: Once | None, work: Callable[[sqlite3.Connection, int], Meter]
    ) -> Meter:
        now_us = to_microseconds(self._now())
        return await self._database.write(
            lambda connection: once_only(
                connection, caller.scope.id, once, Meter, lambda: work(connection, now_us)
            )
        )


def _create(connection: sqlite3.Connection, caller: Caller, new: NewMeter, now_us: int) -> Meter:
    scope_id = caller.scope.id
    if find(connection, scope_id, "name", new.name or "") is not None:
        raise MeterNameTaken
    if new.reference is not None and find(connection, scope_id, "ref", new.reference) is not None:
        raise ReferenceTaken
    ref = new.reference or free_ref(
        Prefix.METER, lambda ref: find(connection, scope_id, "ref", ref) is not None
    )
    meter = created(new, ref, now_us)
    connection.execute(
        f"INSERT INTO meter (scope_id, {_COLUMNS}) VALUES (?{', ?' * len(_FIELDS)})",
        (scope_id, *msgspec.structs.astuple(meter)),
    )
    note(connection, caller, now_us, Write(Action.METER_CREATED, ref, None, meter))
    return meter


def _replace(
    connection: sqlite3.Connection, caller: Caller, before: Meter, after: Meter, action: Action
) -> Meter:
    if msgspec.structs.replace(after, updated_at=before.updated_at) == before:
        return before
    connection.execute(
        f"UPDATE meter SET ({_COLUMNS}) = (?{', ?' * (len(_FIELDS) - 1)}) WHERE scope_id = ? AND ref = ?",
        (*msgspec.structs.astuple(after), caller.scope.id, before.ref),
    )
    note(connection, caller, after.updated_at, Write(action, after.ref, before, after))
    return after


def _existing(connection: sqlite3.Connection, scope_id: int, ref: str) -> Meter:
    meter = find(connection, scope_id, "ref", ref)
    if meter is None:
        raise MeterNotFound
    return meter


def find(connection: sqlite3.Connection, scope_id: int, column: str, value: str) -> Meter | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM meter WHERE scope_id = ? AND {column} = ?", (scope_id, value)
    ).fetchone()
    return None if row is None else _meter(row)


def _meter(row: Sequence[object]) -> Meter:
    return msgspec.convert(dict(zip(_FIELDS, row, strict=True)), Meter)
