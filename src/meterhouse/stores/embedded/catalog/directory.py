"""Directory and Identities on SQLite: what is asked for every request, so mostly answered from memory."""

import sqlite3
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec

from meterhouse import pools
from meterhouse.model.event import to_microseconds
from meterhouse.model.tenant import Caller, Environment, Rights, Scope
from meterhouse.stores.embedded.database import Database, Job

_LOOK_SECONDS: Final = 0.5  # a deletion by another process is noticed within a second
_REMEMBERED_REFS: Final = 250_000  # some 25 MB
_INLINE_REFS: Final = 100  # looking up more takes long enough to let other requests go first
_USE_NOTED_SECONDS: Final = 60

_Table = Literal["customer", "product"]


class SqliteDirectory:
    """Remembers refs that exist until any deletion, by whichever process; never remembers a no."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[_Table, int], set[str]] = {}
        self._remembered = 0
        self._forgotten = 0
        self._generation = -1
        self._next_look = 0.0

    async def known_customers(self, scope_id: int, refs: Collection[str]) -> Collection[str]:
        return await self._those_known("customer", scope_id, refs)

    async def known_products(self, scope_id: int, refs: Collection[str]) -> Collection[str]:
        return await self._those_known("product", scope_id, refs)

    async def refs_of_externals(self, scope_id: int, externals: Collection[str]) -> Mapping[str, str]:
        """Nothing is remembered: a customer may be given another external ref at any time."""
        if len(externals) <= _INLINE_REFS:
            return self._look_up_externals(scope_id, externals)
        return await pools.LOOKUPS.run(self._look_up_externals, scope_id, externals)

    def _look_up_externals(self, scope_id: int, externals: Collection[str]) -> Mapping[str, str]:
        return dict(
            self._database.reader().execute(
                "SELECT external_ref, ref FROM customer WHERE scope_id = ? AND deleted_at IS NULL"
                " AND external_ref IN (SELECT value FROM json_each(?))",
                (scope_id, msgspec.json.encode(externals)),
            )
        )

    def forget(self, table: _Table, scope_id: int, ref: str) -> None:
        """This process deleted it: no request that comes later may find it."""
        self._forgotten += 1
        self._known.get((table, scope_id), set()).discard(ref)

    async def _those_known(self, table: _Table, scope_id: int, refs: Collection[str]) -> Collection[str]:
        if time.monotonic() >= self._next_look:
            self._look_for_deletions()
        known = self._known.setdefault((table, scope_id), set())
        if known.issuperset(refs):
            return refs
        missing = [ref for ref in refs if ref not in known]
        if len(missing) <= _INLINE_REFS:
            found = self._look_up(table, scope_id, missing)
            self._remember(known, found)
        else:
            forgotten = self._forgotten
            found = await pools.LOOKUPS.run(self._look_up, table, scope_id, missing)
            if forgotten == self._forgotten:  # else one of them may just have been deleted
                self._remember(known, found)
        unknown = set(missing).difference(found)
        return {ref for ref in refs if ref not in unknown}

    def _look_up(self, table: _Table, scope_id: int, refs: Collection[str]) -> list[str]:
        if len(refs) == 1:  # as for a request about one customer: a quarter of the time
            (ref,) = refs
            found = self._database.reader().execute(
                f"SELECT 1 FROM {table} WHERE scope_id = ? AND ref = ? AND deleted_at IS NULL",
                (scope_id, ref),
            )
            return [] if found.fetchone() is None else [ref]
        return [
            ref
            for (ref,) in self._database.reader().execute(
                f"SELECT ref FROM {table} WHERE scope_id = ? AND deleted_at IS NULL"
                " AND ref IN (SELECT value FROM json_each(?))",
                (scope_id, msgspec.json.encode(refs)),
            )
        ]

    def _remember(self, known: set[str], found: Collection[str]) -> None:
        if self._remembered + len(found) > _REMEMBERED_REFS:
            self._forget_all()
        known.update(found)
        self._remembered += len(found)

    def _look_for_deletions(self) -> None:
        self._next_look = time.monotonic() + _LOOK_SECONDS
        (generation,) = self._database.reader().execute("SELECT number FROM catalog_generation").fetchone()
        if generation != self._generation:
            self._generation = generation
            self._forget_all()

    def _forget_all(self) -> None:
        self._forgotten += 1
        self._remembered = 0
        for known in self._known.values():
            known.clear()


class SqliteIdentities:
    """Looks every key up: http.auth is what remembers them."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._noted_at: dict[str, int] = {}

    async def key_caller(self, key_sha256: bytes) -> Caller | None:
        found = (
            self._database.reader()
            .execute(
                "SELECT api_key.ref, last_used_at, scope.id, provider_ref, environment, rights"
                " FROM api_key JOIN scope ON scope.id = scope_id"
                " WHERE sha256 = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)",
                (key_sha256, to_microseconds(self._now())),
            )
            .fetchone()
        )
        if found is None:
            return None
        ref, last_used_at, scope_id, provider_ref, environment, rights = found
        self._note_use(ref, last_used_at or 0)
        return Caller(Scope(scope_id, provider_ref, Environment(environment)), f"key:{ref}", Rights(rights))

    def _note_use(self, ref: str, last_used_at: int) -> None:
        """Write the time of use, at most once a minute. Nobody waits for it."""
        now_us = to_microseconds(self._now())
        noted_at = max(last_used_at, self._noted_at.get(ref, 0))
        if abs(now_us - noted_at) < _USE_NOTED_SECONDS * 1_000_000:  # else noted while the clock was ahead
            return
        self._noted_at[ref] = now_us

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE api_key SET last_used_at = ? WHERE ref = ?", (now_us, ref))

        # A use that could not be written is written with a later one.
        self._database.submit(Job(work=write, deliver=lambda _: None))
