"""Customers on SQLite."""

import sqlite3
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final

import msgspec

from meterhouse import pools
from meterhouse.model.audit import Action, Write
from meterhouse.model.customer import (
    Customer,
    CustomerDetails,
    Deletion,
    NewCustomer,
    changed,
    create_or_link,
    created,
    deletion,
)
from meterhouse.model.errors import CustomerNotFound, EmailTaken, ExternalRefTaken
from meterhouse.model.event import to_microseconds
from meterhouse.model.once import Once
from meterhouse.model.page import CustomerPage, CustomerPlace, CustomerQuestion, CustomerSort
from meterhouse.model.ref import Prefix
from meterhouse.model.tenant import Caller
from meterhouse.stores.embedded.catalog import auto_recharges, hosted, payments, purchases
from meterhouse.stores.embedded.catalog.directory import SqliteDirectory
from meterhouse.stores.embedded.catalog.writes import bump_generation, free_ref, like, note, once_only
from meterhouse.stores.embedded.database import Database

_FIELDS: Final = Customer.__struct_fields__  # each is a column of the same name
_COLUMNS: Final = ", ".join(_FIELDS)
_SORTED_BY: Final = {
    CustomerSort.NEWEST: ("created_at", "DESC"),
    CustomerSort.OLDEST: ("created_at", "ASC"),
    CustomerSort.NAME: ("name", "ASC"),
    CustomerSort.NAME_DESCENDING: ("name", "DESC"),
    CustomerSort.EMAIL: ("email", "ASC"),
    CustomerSort.EMAIL_DESCENDING: ("email", "DESC"),
}
_EVER: Final = 2**63 - 1
_SEARCHED: Final = ("name", "email", "coalesce(external_ref, '')", "ref")


class SqliteCustomers:
    """now: the server's clock, an aware datetime."""

    def __init__(self, database: Database, directory: SqliteDirectory, now: Callable[[], datetime]) -> None:
        self._database = database
        self._directory = directory
        self._now = now

    async def create(self, caller: Caller, new: NewCustomer, once: Once | None = None) -> Customer:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> Customer:
            return once_only(
                connection, caller.scope.id, once, Customer, lambda: create(connection, caller, new, now_us)
            )

        return await self._database.write(work)

    async def get(self, scope_id: int, ref: str) -> Customer | None:
        return _find(self._database.reader(), scope_id, "ref", ref)

    async def of_refs(self, scope_id: int, refs: Collection[str]) -> Mapping[str, Customer]:
        return await pools.LOOKUPS.run(self._of_refs, scope_id, refs)

    async def with_external_ref(self, scope_id: int, external_ref: str) -> Customer | None:
        return _find(self._database.reader(), scope_id, "external_ref", external_ref)

    async def with_email(self, scope_id: int, email: str) -> Customer | None:
        return _find(self._database.reader(), scope_id, "email", email)

    async def change(
        self, caller: Caller, ref: str, details: CustomerDetails, once: Once | None = None
    ) -> Customer:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> Customer:
            return once_only(
                connection,
                caller.scope.id,
                once,
                Customer,
                lambda: _change(connection, caller, ref, details, now_us),
            )

        return await self._database.write(work)

    async def delete(self, caller: Caller, ref: str, once: Once | None = None) -> Deletion:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> Deletion:
            return once_only(
                connection, caller.scope.id, once, Deletion, lambda: _delete(connection, caller, ref, now_us)
            )

        outcome = await self._database.write(work)
        self._directory.forget("customer", caller.scope.id, ref)
        return outcome

    async def page(self, scope_id: int, question: CustomerQuestion) -> CustomerPage:
        read = self._database.search if question.search else self._database.scan
        return await read(self._page, scope_id, question)

    def _page(self, scope_id: int, question: CustomerQuestion) -> CustomerPage:
        column, direction = _SORTED_BY[question.sort]
        conditions = ["scope_id = ?", "deleted_at IS NULL"]
        values: list[str | int] = [scope_id]
        if question.search:
            part = like(question.search)
            conditions.append("(" + " OR ".join(f"{each} LIKE ? ESCAPE '\\'" for each in _SEARCHED) + ")")
            values += [part] * len(_SEARCHED)
        if question.after is not None:
            conditions.append(f"({column}, ref) {'<' if direction == 'DESC' else '>'} (?, ?)")
            values += [question.after.value, question.after.ref]
        rows = self._database.reader().execute(
            f"SELECT {_COLUMNS} FROM customer WHERE {' AND '.join(conditions)}"
            f" ORDER BY {column} {direction}, ref {direction} LIMIT ?",
            (*values, question.limit + 1),
        )
        found = tuple(Customer(**dict(zip(_FIELDS, row, strict=True))) for row in rows)
        page = found[: question.limit]
        if len(found) <= question.limit:
            return CustomerPage(page, None)
        return CustomerPage(page, CustomerPlace(getattr(page[-1], column), page[-1].ref))

    def _of_refs(self, scope_id: int, refs: Collection[str]) -> dict[str, Customer]:
        rows = self._database.reader().execute(
            f"SELECT {_COLUMNS} FROM customer WHERE scope_id = ? AND deleted_at IS NULL"
            " AND ref IN (SELECT value FROM json_each(?))",
            (scope_id, msgspec.json.encode(refs)),
        )
        found = [Customer(**dict(zip(_FIELDS, row, strict=True))) for row in rows]
        return {customer.ref: customer for customer in found}


def create(connection: sqlite3.Connection, caller: Caller, new: NewCustomer, now_us: int) -> Customer:
    """Create or link a customer, inside a transaction. Raises as `ports.Customers.create` does."""
    scope_id = caller.scope.id

    def is_taken(ref: str) -> bool:  # also by one that is hidden: its events still name it
        found = connection.execute("SELECT 1 FROM customer WHERE scope_id = ? AND ref = ?", (scope_id, ref))
        return found.fetchone() is not None

    linked = create_or_link(
        new,
        _find(connection, scope_id, "email", new.email or ""),
        _find(connection, scope_id, "external_ref", new.external_ref or ""),
        ref_is_taken=new.reference is not None and is_taken(new.reference),
    )
    if linked is not None:
        if linked.external_ref == new.external_ref:
            return linked
        after = changed(linked, CustomerDetails(external_ref=new.external_ref), now_us)
        _store(connection, scope_id, after)
        note(connection, caller, now_us, Write(Action.CUSTOMER_LINKED, after.ref, linked, after))
        return after
    ref = new.reference or free_ref(Prefix.CUSTOMER, is_taken)
    customer = created(new, ref, max(now_us, purchases.newest(connection, scope_id, ref) + 1))
    connection.execute(
        f"INSERT INTO customer (scope_id, {_COLUMNS}) VALUES (?{', ?' * len(_FIELDS)})",
        (scope_id, *msgspec.structs.astuple(customer)),
    )
    # What was bought in the name of the last customer of this ref is not this one's.
    purchases.end_all_of(connection, scope_id, "customer_ref", customer.ref, now_us)
    note(connection, caller, now_us, Write(Action.CUSTOMER_CREATED, customer.ref, None, customer))
    return customer


def exists(connection: sqlite3.Connection, scope_id: int, ref: str, by: int = _EVER) -> bool:
    """Whether there is such a customer, made by then; microseconds since 1970."""
    found = connection.execute(
        "SELECT 1 FROM customer WHERE scope_id = ? AND ref = ? AND deleted_at IS NULL AND created_at <= ?",
        (scope_id, ref, by),
    )
    return found.fetchone() is not None


def _change(
    connection: sqlite3.Connection, caller: Caller, ref: str, details: CustomerDetails, now_us: int
) -> Customer:
    scope_id = caller.scope.id
    before = _existing(connection, scope_id, ref)
    after = changed(before, details, now_us)
    if msgspec.structs.replace(after, updated_at=before.updated_at) == before:
        return before
    holder = _find(connection, scope_id, "email", after.email)
    if holder is not None and holder.ref != ref:
        raise EmailTaken
    holder = _find(connection, scope_id, "external_ref", after.external_ref or "")
    if holder is not None and holder.ref != ref:
        raise ExternalRefTaken
    _store(connection, scope_id, after)
    note(connection, caller, now_us, Write(Action.CUSTOMER_UPDATED, after.ref, before, after))
    return after


def _delete(connection: sqlite3.Connection, caller: Caller, ref: str, now_us: int) -> Deletion:
    scope_id = caller.scope.id
    before = _existing(connection, scope_id, ref)
    outcome = deletion(caller.scope.environment)
    if outcome is Deletion.DELETED:
        connection.execute("DELETE FROM customer WHERE scope_id = ? AND ref = ?", (scope_id, ref))
    else:
        connection.execute(
            "UPDATE customer SET deleted_at = ? WHERE scope_id = ? AND ref = ?", (now_us, scope_id, ref)
        )
    purchases.end_all_of(connection, scope_id, "customer_ref", ref, now_us)
    payments.forget(connection, scope_id, ref)
    auto_recharges.forget(connection, scope_id, ref)
    hosted.end_all_of(connection, scope_id, ref, now_us)
    bump_generation(connection)
    note(connection, caller, now_us, Write(Action.CUSTOMER_DELETED, before.ref, before, None))
    return outcome


def _store(connection: sqlite3.Connection, scope_id: int, customer: Customer) -> None:
    connection.execute(
        f"UPDATE customer SET ({_COLUMNS}) = (?{', ?' * (len(_FIELDS) - 1)}) WHERE scope_id = ? AND ref = ?",
        (*msgspec.structs.astuple(customer), scope_id, customer.ref),
    )


def _existing(connection: sqlite3.Connection, scope_id: int, ref: str) -> Customer:
    customer = _find(connection, scope_id, "ref", ref)
    if customer is None:
        raise CustomerNotFound.named(ref)
    return customer


def _find(connection: sqlite3.Connection, scope_id: int, column: str, value: str) -> Customer | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM customer WHERE scope_id = ? AND {column} = ? AND deleted_at IS NULL",
        (scope_id, value),
    ).fetchone()
    return None if row is None else Customer(**dict(zip(_FIELDS, row, strict=True)))
