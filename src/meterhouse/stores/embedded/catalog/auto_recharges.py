"""Auto-recharge on SQLite."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from meterhouse.model.audit import Action, Write
from meterhouse.model.auto_recharge import AutoRecharge, RechargeStatus, saved, with_method
from meterhouse.model.errors import CustomerNotFound
from meterhouse.model.event import to_microseconds
from meterhouse.model.payment import Payment
from meterhouse.model.tenant import Caller
from meterhouse.stores.embedded.catalog.writes import note
from meterhouse.stores.embedded.database import Database

_decode: Final = msgspec.json.Decoder(AutoRecharge).decode


class SqliteAutoRecharges:
    """now: the server's clock, an aware datetime."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def get(self, scope_id: int, customer_ref: str) -> AutoRecharge | None:
        return _find(self._database.reader(), scope_id, customer_ref)

    async def save(
        self,
        caller: Caller,
        customer_ref: str,
        change: Callable[[AutoRecharge | None, int], AutoRecharge | None],
    ) -> AutoRecharge | None:
        now_us = to_microseconds(self._now())
        return await self._database.write(
            lambda connection: _save(connection, caller, customer_ref, change, now_us)
        )

    async def watched(self, after: tuple[int, str] | None, most: int) -> Sequence[tuple[int, AutoRecharge]]:
        rows = self._database.reader().execute(
            "SELECT scope_id, body FROM auto_recharge WHERE watched = 1 AND (scope_id, customer_ref) > (?, ?)"
            " ORDER BY scope_id, customer_ref LIMIT ?",
            (*(after or (-1, "")), most),
        )
        return [(scope_id, _decode(body)) for scope_id, body in rows.fetchall()]


def begin_with(connection: sqlite3.Connection, caller: Caller, payment: Payment, now_us: int) -> None:
    """Switch on what a paid top-up asked for, inside the transaction that gives its credits."""
    if (terms := payment.recharge_terms) is None:
        return
    before = _find(connection, caller.scope.id, payment.customer_ref)
    after = saved(before, payment.customer_ref, terms, now_us, enabled=True)
    if payment.method is not None:
        after = with_method(after, payment.method, now_us)
    _write(connection, caller, before, after)


def forget(connection: sqlite3.Connection, scope_id: int, customer_ref: str) -> None:
    """Delete that of a customer that is deleted: the next owner of its ref is charged nothing."""
    connection.execute(
        "DELETE FROM auto_recharge WHERE scope_id = ? AND customer_ref = ?", (scope_id, customer_ref)
    )


def _save(
    connection: sqlite3.Connection,
    caller: Caller,
    customer_ref: str,
    change: Callable[[AutoRecharge | None, int], AutoRecharge | None],
    now_us: int,
) -> AutoRecharge | None:
    scope_id = caller.scope.id
    known = connection.execute(
        "SELECT 1 FROM customer WHERE scope_id = ? AND ref = ? AND deleted_at IS NULL",
        (scope_id, customer_ref),
    ).fetchone()
    if known is None:
        raise CustomerNotFound.named(customer_ref)
    before = _find(connection, scope_id, customer_ref)
    after = change(before, now_us)
    if after is not None and after != before:
        _write(connection, caller, before, after)
    return after


def _write(
    connection: sqlite3.Connection, caller: Caller, before: AutoRecharge | None, after: AutoRecharge
) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO auto_recharge (scope_id, customer_ref, watched, body) VALUES (?, ?, ?, ?)",
        (caller.scope.id, after.customer_ref, after.is_watched, msgspec.json.encode(after).decode()),
    )
    if (action := _action(before, after)) is not None:
        note(connection, caller, after.updated_at, Write(action, after.customer_ref, before, after))


def _action(before: AutoRecharge | None, after: AutoRecharge) -> Action | None:
    """Return what the audit says of a change; None for the steps of a charge, which have their payment."""
    if before is None or (before.enabled, before.terms) != (after.enabled, after.terms):
        return Action.AUTO_RECHARGE_SAVED if after.enabled else Action.AUTO_RECHARGE_DISABLED
    if after.status is RechargeStatus.FAILED and before.status is not RechargeStatus.FAILED:
        return Action.AUTO_RECHARGE_FAILED
    return None


def _find(connection: sqlite3.Connection, scope_id: int, customer_ref: str) -> AutoRecharge | None:
    row = connection.execute(
        "SELECT body FROM auto_recharge WHERE scope_id = ? AND customer_ref = ?", (scope_id, customer_ref)
    ).fetchone()
    return None if row is None else _decode(row[0])
