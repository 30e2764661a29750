"""Payments on SQLite."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final

import msgspec

from meterhouse.model.audit import Action, Write
from meterhouse.model.clock import CLOCK_SLACK_US
from meterhouse.model.errors import PaymentNotFound
from meterhouse.model.event import to_microseconds
from meterhouse.model.once import Once
from meterhouse.model.payment import (
    Card,
    Intent,
    NewPayment,
    Payment,
    PaymentStatus,
    SavedMethod,
    check_can_be_given,
    noted,
    requested,
)
from meterhouse.model.purchase import Origin, Sale
from meterhouse.model.tenant import Caller
from meterhouse.stores.embedded.catalog import auto_recharges, purchases
from meterhouse.stores.embedded.catalog.writes import kept_answer, note, once_only
from meterhouse.stores.embedded.database import Database

_FIELDS: Final = Payment.__struct_fields__  # each is a column of the same name
_COLUMNS: Final = ", ".join(_FIELDS)
_OWN: Final = (
    "created_at >= coalesce((SELECT customer.created_at FROM customer"
    " WHERE customer.scope_id = payment_intent.scope_id AND customer.ref = payment_intent.customer_ref), 0)"
)
"""Not of a deleted customer whose ref this one has: it may have been paid after that one was deleted."""


class SqlitePayments:
    """now: the server's clock, an aware datetime."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def made(self, scope_id: int, once: Once) -> Payment | None:
        reader = self._database.reader()
        kept = kept_answer(reader, scope_id, once)
        return None if kept is None else _find(reader, scope_id, msgspec.json.decode(kept, type=str))

    async def add(self, caller: Caller, new: NewPayment, intent: Intent, once: Once) -> Payment:
        scope_id, payment = caller.scope.id, requested(new, intent, to_microseconds(self._now()))

        def work(connection: sqlite3.Connection) -> str:
            connection.execute(
                f"INSERT INTO payment_intent (scope_id, {_COLUMNS}) VALUES (?{', ?' * len(_FIELDS)})",
                (scope_id, *msgspec.structs.astuple(payment)),
            )
            note(connection, caller, payment.created_at, Write(Action.PAYMENT_CREATED, payment.id, None, new))
            return payment.id

        def add(connection: sqlite3.Connection) -> Payment:
            ref = once_only(connection, scope_id, once, str, lambda: work(connection))
            return _found(connection, scope_id, ref)

        return await self._database.write(add)

    async def get(self, scope_id: int, ref: str) -> Payment | None:
        return _find(self._database.reader(), scope_id, ref)

    async def scope_of(self, ref: str) -> int | None:
        found = self._database.reader().execute("SELECT scope_id FROM payment_intent WHERE id = ?", (ref,))
        row: Sequence[int] | None = found.fetchone()
        return None if row is None else row[0]

    async def page(self, scope_id: int, limit: int, offset: int) -> Sequence[Payment]:
        return await self._database.scan(_page, self._database.reader, scope_id, limit, offset)

    async def note(self, scope_id: int, intent: Intent) -> Payment:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> Payment:
            after = noted(_found(connection, scope_id, intent.id), intent, now_us)
            _replace(connection, scope_id, after)
            return after

        return await self._database.write(work)

    async def fulfil(self, caller: Caller, ref: str) -> Payment:
        scope_id, now_us = caller.scope.id, to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> Payment:
            before = _found(connection, scope_id, ref)
            check_can_be_given(before)
            if before.fulfilled_at is not None:
                return before
            after = msgspec.structs.replace(
                before,
                purchase_ref=_purchase(connection, caller, before, now_us),
                fulfilled_at=now_us,
                updated_at=now_us,
            )
            _replace(connection, scope_id, after)
            auto_recharges.begin_with(connection, caller, after, now_us)
            note(connection, caller, now_us, Write(Action.PAYMENT_SUCCEEDED, ref, before, after))
            return after

        return await self._database.write(work)

    async def unfulfilled(self, for_us: int, but: Collection[str], most: int) -> Sequence[tuple[int, str]]:
        now_us = to_microseconds(self._now())
        found = self._database.reader().execute(
            "SELECT scope_id, id FROM payment_intent WHERE status = 'succeeded' AND fulfilled_at IS NULL"
            " AND NOT updated_at BETWEEN ? AND ?"  # a clock that was ahead may have written it
            " AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY updated_at LIMIT ?",
            (now_us - for_us + 1, now_us + CLOCK_SLACK_US, msgspec.json.encode(but), most),
        )
        return [(scope_id, ref) for scope_id, ref in found.fetchall()]

    async def method(self, scope_id: int, customer_ref: str) -> SavedMethod | None:
        found = self._database.reader().execute(
            "SELECT method_owner, method_id FROM payment_intent WHERE scope_id = ? AND customer_ref = ?"
            f" AND status = ? AND method_id IS NOT NULL AND {_OWN} ORDER BY updated_at DESC, id LIMIT 1",
            (scope_id, customer_ref, PaymentStatus.SUCCEEDED),
        )
        row = found.fetchone()
        return None if row is None else SavedMethod(*row)

    async def card(self, scope_id: int, customer_ref: str) -> Card | None:
        found = self._database.reader().execute(
            "SELECT card_brand, card_last4, card_exp_month, card_exp_year FROM payment_intent"
            " WHERE scope_id = ? AND customer_ref = ? AND status = ? AND card_last4 IS NOT NULL"
            f" AND {_OWN} ORDER BY updated_at DESC, id LIMIT 1",
            (scope_id, customer_ref, PaymentStatus.SUCCEEDED),
        )
        row = found.fetchone()
        return None if row is None else Card(*row)


def forget(connection: sqlite3.Connection, scope_id: int, customer_ref: str) -> None:
    """Forget the cards of a customer that is deleted: the next owner of its ref must not have them."""
    connection.execute(
        "UPDATE payment_intent SET (card_brand, card_last4, card_exp_month, card_exp_year, method_owner,"
        " method_id) = (NULL, NULL, NULL, NULL, NULL, NULL) WHERE scope_id = ? AND customer_ref = ?",
        (scope_id, customer_ref),
    )


def _purchase(connection: sqlite3.Connection, caller: Caller, payment: Payment, now_us: int) -> str | None:
    """Give the plan that was paid for; None where it was for none."""
    if (plan := payment.plan) is None:
        return None
    sale = Sale(customer_ref=payment.customer_ref, plan=plan, origin=Origin.CHECKOUT, paid=True)
    return purchases.activate(connection, caller, sale, now_us).ref


def _find(connection: sqlite3.Connection, scope_id: int, ref: str) -> Payment | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM payment_intent WHERE scope_id = ? AND id = ?", (scope_id, ref)
    ).fetchone()
    return None if row is None else _payment(row)


def _found(connection: sqlite3.Connection, scope_id: int, ref: str) -> Payment:
    payment = _find(connection, scope_id, ref)
    if payment is None:
        raise PaymentNotFound
    return payment


def _replace(connection: sqlite3.Connection, scope_id: int, after: Payment) -> None:
    connection.execute(
        f"UPDATE payment_intent SET ({_COLUMNS}) = (?{', ?' * (len(_FIELDS) - 1)})"
        " WHERE scope_id = ? AND id = ?",
        (*msgspec.structs.astuple(after), scope_id, after.id),
    )


def _page(
    reader: Callable[[], sqlite3.Connection], scope_id: int, limit: int, offset: int
) -> Sequence[Payment]:
    rows = reader().execute(
        f"SELECT {_COLUMNS} FROM payment_intent WHERE scope_id = ?"
        " ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
        (scope_id, limit, offset),
    )
    return [_payment(row) for row in rows.fetchall()]


def _payment(row: Sequence[object]) -> Payment:
    return msgspec.convert(dict(zip(_FIELDS, row, strict=True)), Payment)
