"""The ledger's tables: what a Book reads and writes."""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from meterhouse.model.credit import CreditKind, CreditMove, CreditQuestion
from meterhouse.model.hold import Hold, HoldStatus
from meterhouse.model.units import NANO, pair

_HOLD_COLUMNS: Final = (
    "number, scope_id, customer_ref, product_ref, purchase_ref, period, meter, units_whole, units_nano,"
    " credits, created_at, expires_at, remaining, status, ended_at, expired, used_whole, used_nano, debited,"
    " over_whole, over_nano, event_number"
)
_GIGA: Final = NANO * NANO
"""Billionths in a thousand million units: how totals are split into two integers of 64 bits."""
Row = tuple[object, ...]


def total(connection: sqlite3.Connection, key: tuple[int, str, int]) -> tuple[int, int]:
    """Return what was used and is held in a purchase's period, billionths."""
    found = connection.execute(
        "SELECT units_giga, units_nano, held_giga, held_nano FROM usage_total"
        " WHERE scope_id = ? AND purchase_ref = ? AND period = ?",
        key,
    ).fetchone()
    return (0, 0) if found is None else (found[0] * _GIGA + found[1], found[2] * _GIGA + found[3])


def totals(
    connection: sqlite3.Connection, scope_id: int, periods: Collection[tuple[str, int]]
) -> Sequence[tuple[str, int, int, int]]:
    """Return purchase, period, what was used and is held, for those of many periods that have a total."""
    found = connection.execute(
        "SELECT purchase_ref, period, units_giga, units_nano, held_giga, held_nano"
        " FROM json_each(?) AS asked CROSS JOIN usage_total ON scope_id = ?"
        " AND purchase_ref = json_extract(asked.value, '$[0]')"
        " AND period = json_extract(asked.value, '$[1]')",
        (msgspec.json.encode(periods), scope_id),
    )
    return [
        (ref, period, giga * _GIGA + nano, held_giga * _GIGA + held_nano)
        for ref, period, giga, nano, held_giga, held_nano in found.fetchall()
    ]


def used(
    connection: sqlite3.Connection, scope_id: int, purchase_refs: Collection[str]
) -> Sequence[tuple[str, int, int]]:
    """Return purchase, period and what was used in it, billionths, for every period that has a total."""
    found = connection.execute(
        "SELECT purchase_ref, period, units_giga, units_nano FROM usage_total"
        " WHERE scope_id = ? AND purchase_ref IN (SELECT value FROM json_each(?))",
        (scope_id, msgspec.json.encode(purchase_refs)),
    )
    return [(ref, period, giga * _GIGA + nano) for ref, period, giga, nano in found.fetchall()]


def used_before(
    connection: sqlite3.Connection, scope_id: int, purchase_ref: str, period: int
) -> Sequence[tuple[int, int]]:
    """Return each period before one that has a total, and what was used in it, billionths."""
    found = connection.execute(
        "SELECT period, units_giga, units_nano FROM usage_total"
        " WHERE scope_id = ? AND purchase_ref = ? AND period < ?",
        (scope_id, purchase_ref, period),
    )
    return [(number, giga * _GIGA + nano) for number, giga, nano in found.fetchall()]


def balance(connection: sqlite3.Connection, customer: tuple[int, str]) -> tuple[int, int]:
    """Return a customer's credits, and how many of them are held."""
    found = connection.execute(
        "SELECT credits, held FROM balance WHERE scope_id = ? AND customer_ref = ?", customer
    ).fetchone()
    return (0, 0) if found is None else (found[0], found[1])


def balances(
    connection: sqlite3.Connection, scope_id: int, customer_refs: Collection[str]
) -> Sequence[tuple[str, int, int]]:
    """Return ref, credits and what of them is held, for those of the customers that have a balance."""
    return connection.execute(
        "SELECT customer_ref, credits, held FROM balance"
        " WHERE scope_id = ? AND customer_ref IN (SELECT value FROM json_each(?))",
        (scope_id, msgspec.json.encode(customer_refs)),
    ).fetchall()


def balance_after(connection: sqlite3.Connection, scope_id: int, customer_ref: str, number: int) -> int:
    """Return a customer's balance as a movement left it."""
    (found,) = connection.execute(
        "SELECT balance FROM credit_entry WHERE scope_id = ? AND customer_ref = ? AND number = ?",
        (scope_id, customer_ref, number),
    ).fetchone()
    return int(found)


def moves(connection: sqlite3.Connection, scope_id: int, question: CreditQuestion) -> Sequence[CreditMove]:
    """Return movements of a customer's balance, the newest first."""
    conditions = ["scope_id = ?", "customer_ref = ?"]
    values: list[object] = [scope_id, question.customer_ref]
    if question.kind is not None:
        conditions.append("kind = ?")
        values.append(question.kind)
    if question.before is not None:
        conditions.append("number < ?")
        values.append(question.before)
    found = connection.execute(
        "SELECT number, customer_ref, kind, at, credits, balance, product_ref, reason, key FROM credit_entry"
        f" WHERE {' AND '.join(conditions)} ORDER BY number DESC LIMIT ?",
        [*values, question.limit],
    )
    return [
        CreditMove(
            number=row[0],
            customer_ref=row[1],
            kind=CreditKind(row[2]),
            at=row[3],
            credits=row[4],
            balance=row[5],
            product_ref=row[6],
            reason=row[7],
            key=row[8],
        )
        for row in found.fetchall()
    ]


def hold(connection: sqlite3.Connection, number: int) -> tuple[int, Hold] | None:
    """Return a hold with its scope."""
    row = connection.execute(f"SELECT {_HOLD_COLUMNS} FROM hold WHERE number = ?", (number,)).fetchone()
    if row is None:
        return None
    return row[1], Hold(
        number=row[0],
        customer_ref=row[2],
        product_ref=row[3],
        purchase_ref=row[4],
        period=row[5],
        meter=row[6],
        units=row[7] * NANO + row[8],
        credits=row[9],
        created_at=row[10],
        expires_at=row[11],
        remaining=row[12],
        status=HoldStatus(row[13]),
        ended_at=row[14],
        expired=bool(row[15]),
        used=row[16] * NANO + row[17],
        debited=row[18],
        over=row[19] * NANO + row[20],
        event_number=row[21],
    )


def due_holds_of_purchase(
    connection: sqlite3.Connection, scope_id: int, purchase_ref: str, at: int
) -> Sequence[tuple[int, int]]:
    """Return scope and number of the purchase's holds that are written as open and whose time has come."""
    return connection.execute(
        "SELECT scope_id, number FROM hold"
        " WHERE scope_id = ? AND purchase_ref = ? AND status = 'open' AND expires_at <= ? ORDER BY number",
        (scope_id, purchase_ref, at),
    ).fetchall()


def due_holds_of_customer(
    connection: sqlite3.Connection, scope_id: int, customer_ref: str, at: int
) -> Sequence[tuple[int, int]]:
    """The same of the customer's holds that reserve credits."""
    return connection.execute(
        "SELECT scope_id, number FROM hold WHERE scope_id = ? AND customer_ref = ?"
        " AND status = 'open' AND credits > 0 AND expires_at <= ? ORDER BY number",
        (scope_id, customer_ref, at),
    ).fetchall()


def due_holds_of_scope(connection: sqlite3.Connection, scope_id: int, at: int) -> Sequence[tuple[int, int]]:
    """The same of every hold of the scope."""
    return connection.execute(
        "SELECT scope_id, number FROM hold"
        " WHERE scope_id = ? AND status = 'open' AND expires_at <= ? ORDER BY number",
        (scope_id, at),
    ).fetchall()


def due_holds(connection: sqlite3.Connection, at: int, limit: int) -> Sequence[tuple[int, int]]:
    """The same of all holds, at most `limit` of them."""
    return connection.execute(
        "SELECT scope_id, number FROM hold WHERE status = 'open' AND expires_at <= ?"
        " ORDER BY expires_at LIMIT ?",
        (at, limit),
    ).fetchall()


def put_totals(
    connection: sqlite3.Connection, totals: Sequence[tuple[tuple[int, str, int], int, int]]
) -> None:
    """totals: scope, purchase and period; what was used and is held, billionths."""
    connection.executemany(
        "INSERT OR REPLACE INTO usage_total VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(*key, *divmod(used, _GIGA), *divmod(held, _GIGA)) for key, used, held in totals],
    )


def put_balances(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    connection.executemany("INSERT OR REPLACE INTO balance VALUES (?, ?, ?, ?)", rows)


def put_moves(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    connection.executemany("INSERT INTO credit_entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def put_holds(connection: sqlite3.Connection, holds: Sequence[tuple[int, Hold | None]]) -> None:
    connection.executemany(
        f"INSERT OR REPLACE INTO hold ({_HOLD_COLUMNS}) VALUES (?{', ?' * 21})",
        [_hold_row(scope_id, hold) for scope_id, hold in holds if hold is not None],
    )


def _hold_row(scope_id: int, hold: Hold) -> Row:
    return (
        hold.number, scope_id, hold.customer_ref, hold.product_ref, hold.purchase_ref, hold.period,
        hold.meter, *pair(hold.units), hold.credits, hold.created_at, hold.expires_at, hold.remaining,
        hold.status, hold.ended_at, hold.expired, *pair(hold.used), hold.debited,
        *pair(hold.over), hold.event_number,
    )  # fmt: skip
