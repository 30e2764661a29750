"""Purchases on SQLite."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from meterhouse import pools
from meterhouse.model.audit import Action, Write
from meterhouse.model.errors import PurchaseNotFound
from meterhouse.model.event import to_microseconds
from meterhouse.model.once import Once
from meterhouse.model.purchase import (
    Origin,
    Purchase,
    PurchaseQuestion,
    PurchaseStatus,
    Sale,
    bought,
    cancelled,
    expired,
    paid,
    reactivated,
    resumed,
)
from meterhouse.model.ref import Prefix
from meterhouse.model.tenant import Caller
from meterhouse.stores.embedded.catalog.writes import free_ref, kept_answer, note, once_only
from meterhouse.stores.embedded.database import Database

_FIELDS: Final = Purchase.__struct_fields__  # each is a column of the same name, but the snapshot
_COLUMNS: Final = ", ".join("snapshot_id" if field == "snapshot" else field for field in _FIELDS)
_ALL: Final = ", ".join("plan_snapshot.body" if field == "snapshot" else field for field in _FIELDS)
_SELECT: Final = f"SELECT {_ALL} FROM purchase JOIN plan_snapshot ON plan_snapshot.id = snapshot_id"
_STATUSES: Final = {str(each): each for each in PurchaseStatus}  # a call of the enum takes four times as long
_ORIGINS: Final = {str(each): each for each in Origin}
_PAGE: Final = 100
_ORDER: Final = ("created_at", "customer_ref", "product_ref", "ref")
"""Of lists, backwards. As the indexes have it, so that a provider's and a product's are not sorted."""
_IS_CURRENT: Final = "+is_current = 1"
"""The plus: SQLite looks where purchases lie, and not in the index that keeps them from being two."""
_TIME: Final = "+created_at"
"""Of one customer's purchases, which lie together. The plus: else SQLite goes by time through everybody's."""


class SqlitePurchases:
    """now: the server's clock, an aware datetime."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def activate(self, caller: Caller, sale: Sale, once: Once | None = None) -> Purchase:
        now_us = to_microseconds(self._now())
        return await self._database.write(
            lambda connection: once_only(
                connection,
                caller.scope.id,
                once,
                Purchase,
                lambda: activate(connection, caller, sale, now_us),
            )
        )

    async def activated(self, scope_id: int, once: Once) -> Purchase | None:
        kept = kept_answer(self._database.reader(), scope_id, once)
        return None if kept is None else msgspec.json.decode(kept, type=Purchase)

    async def get(self, scope_id: int, ref: str) -> Purchase | None:
        return find(self._database.reader(), scope_id, ref)

    async def cancel(
        self, caller: Caller, ref: str, reason: str | None, once: Once | None = None
    ) -> Purchase:
        return await self._change(
            caller, ref, once, Action.PURCHASE_CANCELLED, lambda before, at: cancelled(before, reason, at)
        )

    async def reactivate(self, caller: Caller, ref: str, once: Once | None = None) -> Purchase:
        return await self._change(caller, ref, once, Action.PURCHASE_REACTIVATED, reactivated)

    async def matching(self, scope_id: int, question: PurchaseQuestion) -> AsyncIterator[Sequence[Purchase]]:
        last: Purchase | None = None
        while True:
            page = await self._database.scan(_page, self._database.reader, scope_id, question, last)
            if page:
                yield page
            if len(page) < _PAGE:
                return
            last = page[-1]

    async def current(self, scope_id: int, customer_refs: Collection[str]) -> Sequence[Purchase]:
        return await pools.LOOKUPS.run(_all_current, self._database.reader, scope_id, customer_refs)

    async def _change(
        self,
        caller: Caller,
        ref: str,
        once: Once | None,
        action: Action,
        change: Callable[[Purchase, int], Purchase],
    ) -> Purchase:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> Purchase:
            before = find(connection, caller.scope.id, ref)
            if before is None:
                raise PurchaseNotFound
            after = change(before, now_us)
            _replace(connection, caller, before, after, action)
            return after

        return await self._database.write(
            lambda connection: once_only(
                connection, caller.scope.id, once, Purchase, lambda: work(connection)
            )
        )


def find(connection: sqlite3.Connection, scope_id: int, ref: str) -> Purchase | None:
    row = connection.execute(f"{_SELECT} WHERE scope_id = ? AND ref = ?", (scope_id, ref)).fetchone()
    return None if row is None else _purchase(row)


def current(
    connection: sqlite3.Connection, scope_id: int, customer_ref: str, product_ref: str
) -> Purchase | None:
    """Return the newest purchase of a customer and product; it may have ended."""
    row = connection.execute(
        f"{_SELECT} WHERE scope_id = ? AND customer_ref = ? AND product_ref = ? AND {_IS_CURRENT}",
        (scope_id, customer_ref, product_ref),
    ).fetchone()
    return None if row is None else _purchase(row)


def all_current(
    connection: sqlite3.Connection, scope_id: int, pairs: Collection[tuple[str, str]]
) -> list[Purchase]:
    """Return what `current` does for each pair of a customer and a product."""
    rows = connection.execute(
        f"SELECT {_ALL} FROM json_each(?) AS asked CROSS JOIN purchase ON scope_id = ?"
        " AND customer_ref = json_extract(asked.value, '$[0]')"
        f" AND product_ref = json_extract(asked.value, '$[1]') AND {_IS_CURRENT}"
        " CROSS JOIN plan_snapshot ON plan_snapshot.id = snapshot_id",
        (msgspec.json.encode(pairs), scope_id),
    )
    return [_purchase(row) for row in rows.fetchall()]


def insert(connection: sqlite3.Connection, scope_id: int, purchases: Iterable[Purchase]) -> None:
    """Write purchases that are new, each the current one of its customer and product."""
    connection.executemany(
        f"INSERT INTO purchase (scope_id, is_current, {_COLUMNS}) VALUES (?, 1{', ?' * len(_FIELDS)})",
        ((scope_id, *_row(connection, purchase)) for purchase in purchases),
    )


def has_purchases(connection: sqlite3.Connection, scope_id: int, product_ref: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM purchase WHERE scope_id = ? AND product_ref = ? LIMIT 1", (scope_id, product_ref)
    )
    return found.fetchone() is not None


def end_all_of(
    connection: sqlite3.Connection,
    scope_id: int,
    whose: Literal["customer_ref", "product_ref"],
    ref: str,
    now_us: int,
) -> None:
    """End the purchases of a deleted customer or product: who gets its ref again must inherit none."""
    connection.execute(
        "UPDATE purchase SET is_current = 0, status = :status, updated_at = :now,"
        " ends_at = coalesce(min(ends_at, :now), :now)"
        f" WHERE scope_id = :scope AND {whose} = :ref AND is_current = 1",
        {"status": PurchaseStatus.EXPIRED, "now": now_us, "scope": scope_id, "ref": ref},
    )


def activate(connection: sqlite3.Connection, caller: Caller, sale: Sale, now_us: int) -> Purchase:
    """See `Purchases.activate`; inside a transaction."""
    scope_id, plan = caller.scope.id, sale.plan
    before = current(connection, scope_id, sale.customer_ref, plan.product_ref)
    has_it = before is not None and before.gives_access(now_us)
    if before is not None and has_it and (before.is_of(plan) or sale.origin is Origin.FREE_DEFAULT):
        kept = paid(before, plan, now_us) if sale.paid else before
        if kept is not None:
            if kept is not before:
                _replace(connection, caller, before, kept, Action.PURCHASE_PAID)
            return kept
    former = None if sale.paid else _former(connection, scope_id, sale)
    again = None if former is None else resumed(former, plan, now_us)
    if before is not None and (again is None or again.ref != before.ref):
        over = expired(before, now_us)
        _replace(connection, caller, before, over, Action.PURCHASE_EXPIRED, is_current=False)
    if former is not None and again is not None:
        _replace(connection, caller, former, again, Action.PURCHASE_REACTIVATED)
        return again
    ref = free_ref(Prefix.PURCHASE, lambda ref: find(connection, scope_id, ref) is not None)
    # Not before the customer, whom a clock that was ahead may have made: `_former` must find it again.
    (made_at,) = connection.execute(
        "SELECT coalesce(max(created_at), 0) FROM customer WHERE scope_id = ? AND ref = ?",
        (scope_id, sale.customer_ref),
    ).fetchone()
    purchase = bought(sale, ref, max(now_us, made_at), trial=former is None)
    insert(connection, scope_id, [purchase])
    note(connection, caller, now_us, Write(Action.PURCHASE_CREATED, ref, None, purchase))
    return purchase


def newest(connection: sqlite3.Connection, scope_id: int, customer_ref: str) -> int:
    """Return when the newest purchase was made in the name of a ref, also by its last owner; 0 for never."""
    (at,) = connection.execute(
        f"SELECT coalesce(max({_TIME}), 0) FROM purchase WHERE scope_id = ? AND customer_ref = ?",
        (scope_id, customer_ref),
    ).fetchone()
    return int(at)


def _former(connection: sqlite3.Connection, scope_id: int, sale: Sale) -> Purchase | None:
    """Return the customer's last purchase of the plan, not of who had its ref before it was deleted."""
    row = connection.execute(
        f"{_SELECT} WHERE scope_id = ?1 AND customer_ref = ?2 AND product_ref = ?3 AND plan_ref = ?4"
        f" AND {_TIME} >= (SELECT created_at FROM customer WHERE scope_id = ?1 AND ref = ?2)"
        f" ORDER BY {_TIME} DESC, ref DESC LIMIT 1",
        (scope_id, sale.customer_ref, sale.plan.product_ref, sale.plan.ref),
    ).fetchone()
    found = None if row is None else _purchase(row)
    return found if found is not None and found.is_of(sale.plan) else None


def _replace(
    connection: sqlite3.Connection,
    caller: Caller,
    before: Purchase,
    after: Purchase,
    action: Action,
    *,
    is_current: bool = True,
) -> None:
    """Write a purchase as it is now. Only the current one of a customer and product ever changes."""
    connection.execute(
        f"UPDATE purchase SET ({_COLUMNS}, is_current) = (?{', ?' * len(_FIELDS)})"
        " WHERE scope_id = ? AND ref = ?",
        (*_row(connection, after), is_current, caller.scope.id, before.ref),
    )
    note(connection, caller, after.updated_at, Write(action, after.ref, before, after))


def _page(
    reader: Callable[[], sqlite3.Connection], scope_id: int, question: PurchaseQuestion, last: Purchase | None
) -> list[Purchase]:
    """Return the purchases that come after one, or the first ones."""
    conditions = ["scope_id = ?"]
    values: list[str | int] = [scope_id]
    for column in ("customer_ref", "product_ref"):
        if (ref := getattr(question, column)) is not None:
            conditions.append(f"{column} = ?")
            values.append(ref)
    columns = _ORDER if question.customer_ref is None else (_TIME, *_ORDER[1:])
    if last is not None:
        conditions.append(f"({', '.join(columns)}) < (?, ?, ?, ?)")
        values += [getattr(last, column) for column in _ORDER]
    rows = reader().execute(
        f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY {', '.join(f'{each} DESC' for each in columns)}"
        " LIMIT ?",
        [*values, _PAGE],
    )
    return [_purchase(row) for row in rows.fetchall()]


def _all_current(
    reader: Callable[[], sqlite3.Connection], scope_id: int, customer_refs: Collection[str]
) -> Sequence[Purchase]:
    rows = reader().execute(
        f"{_SELECT} WHERE scope_id = ? AND is_current = 1"
        f" AND customer_ref IN (SELECT value FROM json_each(?)) ORDER BY {_TIME} DESC, ref DESC",
        (scope_id, msgspec.json.encode(customer_refs)),
    )
    return [_purchase(row) for row in rows.fetchall()]


def _row(connection: sqlite3.Connection, purchase: Purchase) -> Sequence[object]:
    """Return the values of `_COLUMNS`; the snapshot is written where it is not there yet."""
    snapshot = (purchase.snapshot,)
    connection.execute("INSERT OR IGNORE INTO plan_snapshot (body) VALUES (?)", snapshot)
    found = connection.execute("SELECT id FROM plan_snapshot WHERE body = ?", snapshot).fetchone()
    return [
        found[0] if field == "snapshot" else value
        for field, value in zip(_FIELDS, msgspec.structs.astuple(purchase), strict=True)
    ]


def _purchase(row: Sequence[Any]) -> Purchase:
    """By position: this is read for every meter event, and by name it takes three times as long."""
    ref, customer_ref, product_ref, plan_ref, status, origin, *others = row
    return Purchase(ref, customer_ref, product_ref, plan_ref, _STATUSES[status], _ORIGINS[origin], *others)
