"""Meters on SQLite."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from meterhouse.model.audit import Action, Write
from meterhouse.model.errors import MeterCounted, MeterNameTaken, MeterNotFound, ReferenceTaken
from meterhouse.model.event import to_microseconds
from meterhouse.model.meter import (
    Meter,
    MeterDetails,
    MeterStatus,
    NewMeter,
    archived,
    changed,
    check_sources,
    created,
    default_meters,
)
from meterhouse.model.once import Once
from meterhouse.model.ref import Prefix
from meterhouse.model.tenant import Caller
from meterhouse.stores.embedded.catalog import plans
from meterhouse.stores.embedded.catalog.writes import free_ref, note, once_only
from meterhouse.stores.embedded.database import Database

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

    async def named(self, scope_id: int, name: str) -> Meter | None:
        return find(self._database.reader(), scope_id, "name", name)

    async def all(self, scope_id: int) -> Sequence[Meter]:
        rows = self._database.reader().execute(
            f"SELECT {_COLUMNS} FROM meter WHERE scope_id = ? ORDER BY is_default DESC, name", (scope_id,)
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
            if by := _counted_by(connection, caller.scope.id, before.name):
                raise MeterCounted(f"Meters count its events: {', '.join(by)}; archive those first.")
            plans.deactivate_measuring(connection, caller, ref, at)
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
    check_sources([find(connection, scope_id, "name", name) for name in new.meter_names or ()])
    meter = created(new, ref, now_us)
    _insert(connection, scope_id, meter)
    note(connection, caller, now_us, Write(Action.METER_CREATED, ref, None, meter))
    return meter


def create_defaults(connection: sqlite3.Connection, scope_id: int, now_us: int) -> None:
    """Give a new scope its default meters, inside a transaction. 0006_meters.sql made those of older ones."""
    for meter in default_meters(now_us):
        _insert(connection, scope_id, meter)


def _insert(connection: sqlite3.Connection, scope_id: int, meter: Meter) -> None:
    connection.execute(
        f"INSERT INTO meter (scope_id, {_COLUMNS}) VALUES (?{', ?' * len(_FIELDS)})",
        (scope_id, *msgspec.structs.astuple(meter)),
    )


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
    fields = dict(zip(_FIELDS, row, strict=True))
    fields["is_default"] = bool(fields["is_default"])
    return msgspec.convert(fields, Meter)


def _counted_by(connection: sqlite3.Connection, scope_id: int, name: str) -> list[str]:
    """Return the refs of the active meters that count another one's events."""
    rows = connection.execute(
        "SELECT ref FROM meter WHERE scope_id = ? AND status = 'active'"
        " AND ? IN (SELECT value FROM json_each(meter_names)) ORDER BY ref",
        (scope_id, name),
    )
    return [ref for (ref,) in rows.fetchall()]
