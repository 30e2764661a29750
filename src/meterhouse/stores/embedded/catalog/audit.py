"""Audit and Tally on SQLite: what the catalog and the log noted, for reading."""

import sqlite3
from collections.abc import Sequence
from itertools import groupby, takewhile
from typing import Final

import msgspec

from meterhouse.model.audit import Action, AuditEntry
from meterhouse.model.errors import FieldError
from meterhouse.model.event import Rejection
from meterhouse.model.page import AuditPage, AuditPlace
from meterhouse.model.tally import KeptRejection, TallyHour
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.tally import KEPT_REJECTIONS

_MAX_ID: Final = 2**63 - 1


class SqliteAudit:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, scope_id: int, limit: int, after: AuditPlace | None = None) -> AuditPage:
        return await self._database.scan(self._page, scope_id, limit, after)

    async def forget(self, before: int, most: int) -> int:
        def work(connection: sqlite3.Connection) -> int:
            oldest = connection.execute("SELECT id, at FROM audit ORDER BY id LIMIT ?", (most,)).fetchall()
            old = list(takewhile(lambda entry: entry[1] < before, oldest))
            connection.executemany("DELETE FROM audit WHERE id = ?", [(id_,) for id_, _ in old])
            return len(old)

        return await self._database.write(work)

    def _page(self, scope_id: int, limit: int, after: AuditPlace | None) -> AuditPage:
        rows = self._database.reader().execute(
            "SELECT id, at, actor, action, ref, changes FROM audit WHERE scope_id = ? AND id < ?"
            " ORDER BY id DESC LIMIT ?",
            (scope_id, _MAX_ID if after is None else after.id, limit + 1),
        )
        found = tuple(
            AuditEntry(id=id_, at=at, actor=actor, action=Action(action), ref=ref, changes=changes)
            for id_, at, actor, action, ref, changes in rows
        )
        page = found[:limit]
        return AuditPage(page, AuditPlace(page[-1].id) if len(found) > limit else None)


class SqliteTally:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def hours(self, scope_id: int, start: int, end: int) -> Sequence[TallyHour]:
        return await self._database.scan(self._hours, scope_id, start, end)

    async def rejections(self, scope_id: int) -> Sequence[KeptRejection]:
        return await self._database.scan(self._rejections, scope_id)

    def _hours(self, scope_id: int, start: int, end: int) -> Sequence[TallyHour]:
        rows = self._database.reader().execute(
            "SELECT hour, code, events FROM ingest_tally"
            " WHERE scope_id = ? AND hour >= ? AND hour < ? ORDER BY hour, code",
            (scope_id, start, end),
        )
        return [
            TallyHour(hour, {code: events for _, code, events in of_hour})
            for hour, of_hour in groupby(rows, key=lambda row: int(row[0]))
        ]

    def _rejections(self, scope_id: int) -> Sequence[KeptRejection]:
        rows = self._database.reader().execute(
            "SELECT received_at, code, errors FROM rejection WHERE scope_id = ? ORDER BY id DESC LIMIT ?",
            (scope_id, KEPT_REJECTIONS),
        )
        return [
            KeptRejection(
                received_at, Rejection(code, msgspec.json.decode(errors, type=tuple[FieldError, ...]))
            )
            for received_at, code, errors in rows
        ]
