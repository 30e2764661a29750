"""Products on SQLite."""

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Final

import msgspec

from meterhouse import pools
from meterhouse.model.audit import Action, Write
from meterhouse.model.customer import Deletion
from meterhouse.model.errors import ProductNameTaken, ProductNotFound, ReferenceTaken
from meterhouse.model.event import to_microseconds
from meterhouse.model.once import Once
from meterhouse.model.product import (
    NewProduct,
    Product,
    ProductDetails,
    ProductPage,
    ProductQuestion,
    changed,
    copy_name,
    created,
    deactivated,
    deletion,
)
from meterhouse.model.ref import Prefix
from meterhouse.model.tenant import Caller
from meterhouse.stores.embedded.catalog import plans, purchases
from meterhouse.stores.embedded.catalog.directory import SqliteDirectory
from meterhouse.stores.embedded.catalog.writes import bump_generation, free_ref, like, note, once_only
from meterhouse.stores.embedded.database import Database

_FIELDS: Final = Product.__struct_fields__  # each is a column of the same name
_COLUMNS: Final = ", ".join(_FIELDS)


class SqliteProducts:
    """now: the server's clock, an aware datetime."""

    def __init__(self, database: Database, directory: SqliteDirectory, now: Callable[[], datetime]) -> None:
        self._database = database
        self._directory = directory
        self._now = now

    async def create(self, caller: Caller, new: NewProduct, once: Once | None = None) -> Product:
        return await self._write(caller, once, lambda connection, at: create(connection, caller, new, at))

    async def get(self, scope_id: int, ref: str) -> Product | None:
        return _find(self._database.reader(), scope_id, "ref", ref)

    async def of_refs(self, scope_id: int, refs: Collection[str]) -> Mapping[str, Product]:
        return await pools.LOOKUPS.run(self._of_refs, scope_id, refs)

    async def change(
        self, caller: Caller, ref: str, details: ProductDetails, once: Once | None = None
    ) -> Product:
        return await self._write(
            caller, once, lambda connection, at: _change(connection, caller, ref, details, at)
        )

    async def clone(self, caller: Caller, ref: str, name: str | None, once: Once | None = None) -> Product:
        return await self._write(
            caller, once, lambda connection, at: _clone(connection, caller, ref, name, at)
        )

    async def delete(self, caller: Caller, ref: str, once: Once | None = None) -> Deletion:
        now_us = to_microseconds(self._now())
        outcome = await self._database.write(
            lambda connection: once_only(
                connection, caller.scope.id, once, Deletion, lambda: _delete(connection, caller, ref, now_us)
            )
        )
        self._directory.forget("product", caller.scope.id, ref)
        return outcome

    async def page(self, scope_id: int, question: ProductQuestion) -> ProductPage:
        read = self._database.search if question.search else self._database.scan
        return await read(self._page, scope_id, question)

    async def _write(
        self, caller: Caller, once: Once | None, work: Callable[[sqlite3.Connection, int], Product]
    ) -> Product:
        now_us = to_microseconds(self._now())
        return await self._database.write(
            lambda connection: once_only(
                connection, caller.scope.id, once, Product, lambda: work(connection, now_us)
            )
        )

    def _page(self, scope_id: int, question: ProductQuestion) -> ProductPage:
        conditions = ["scope_id = ?", "deleted_at IS NULL"]
        values: list[str | int] = [scope_id]
        if question.search:
            conditions.append("(name LIKE ? ESCAPE '\\' OR description LIKE ? ESCAPE '\\')")
            values += [like(question.search)] * 2
        if question.status is not None:
            conditions.append("status = ?")
            values.append(question.status)
        if question.is_mcp_pay is not None:
            conditions.append("is_mcp_pay = ?")
            values.append(question.is_mcp_pay)
        where = " AND ".join(conditions)
        reader = self._database.reader()
        (total,) = reader.execute(f"SELECT count(*) FROM product WHERE {where}", values).fetchone()
        rows = reader.execute(
            f"SELECT {_COLUMNS} FROM product WHERE {where}"
            " ORDER BY created_at DESC, ref DESC LIMIT ? OFFSET ?",
            (*values, question.limit, question.offset),
        )
        return ProductPage(tuple(_product(row) for row in rows), total)

    def _of_refs(self, scope_id: int, refs: Collection[str]) -> dict[str, Product]:
        rows = self._database.reader().execute(
            f"SELECT {_COLUMNS} FROM product WHERE scope_id = ? AND deleted_at IS NULL"
            " AND ref IN (SELECT value FROM json_each(?))",
            (scope_id, msgspec.json.encode(refs)),
        )
        return {product.ref: product for product in map(_product, rows)}


def create(connection: sqlite3.Connection, caller: Caller, new: NewProduct, now_us: int) -> Product:
    """Create a product, inside a transaction. Raises as `ports.Products.create` does."""
    scope_id = caller.scope.id
    if _find(connection, scope_id, "name", new.name or "") is not None:
        raise ProductNameTaken
    if new.reference is not None and _is_taken(connection, scope_id, new.reference):
        raise ReferenceTaken
    ref = new.reference or free_ref(Prefix.PRODUCT, lambda ref: _is_taken(connection, scope_id, ref))
    product = created(new, ref, now_us)
    # What was paid for since the last product of this ref was forgotten is not of this one.
    purchases.end_all_of(connection, scope_id, "product_ref", ref, now_us)
    _insert(connection, scope_id, product)
    note(connection, caller, now_us, Write(Action.PRODUCT_CREATED, product.ref, None, product))
    return product


def _change(
    connection: sqlite3.Connection, caller: Caller, ref: str, details: ProductDetails, now_us: int
) -> Product:
    scope_id = caller.scope.id
    before = _existing(connection, scope_id, ref)
    after = changed(before, details, now_us)
    holder = _find(connection, scope_id, "name", after.name)
    if holder is not None and holder.ref != ref:
        raise ProductNameTaken
    return _replace(connection, caller, before, after)


def _clone(
    connection: sqlite3.Connection, caller: Caller, ref: str, name: str | None, now_us: int
) -> Product:
    scope_id = caller.scope.id
    original = _existing(connection, scope_id, ref)
    if name is None:
        names = (copy_name(original.name, number) for number in count(1))
        name = next(each for each in names if _find(connection, scope_id, "name", each) is None)
    elif _find(connection, scope_id, "name", name) is not None:
        raise ProductNameTaken
    clone = msgspec.structs.replace(
        original,
        ref=free_ref(Prefix.PRODUCT, lambda ref: _is_taken(connection, scope_id, ref)),
        name=name,
        created_at=now_us,
        updated_at=now_us,
    )
    _insert(connection, scope_id, clone)
    note(connection, caller, now_us, Write(Action.PRODUCT_CLONED, clone.ref, None, clone))
    plans.copy(connection, caller, original.ref, clone.ref, now_us)
    return clone


def _delete(connection: sqlite3.Connection, caller: Caller, ref: str, now_us: int) -> Deletion:
    scope_id = caller.scope.id
    before = _existing(connection, scope_id, ref)
    outcome = deletion(
        caller.scope.environment, has_purchases=purchases.has_purchases(connection, scope_id, ref)
    )
    if outcome is Deletion.DEACTIVATED:
        plans.deactivate_of(connection, caller, ref, now_us)
        _replace(connection, caller, before, deactivated(before, now_us))
        return outcome
    plans.delete_of(connection, caller, ref, now_us)
    if outcome is Deletion.DELETED:
        connection.execute("DELETE FROM product WHERE scope_id = ? AND ref = ?", (scope_id, ref))
        purchases.end_all_of(connection, scope_id, "product_ref", ref, now_us)
    else:
        connection.execute(
            "UPDATE product SET deleted_at = ? WHERE scope_id = ? AND ref = ?", (now_us, scope_id, ref)
        )
    bump_generation(connection)
    note(connection, caller, now_us, Write(Action.PRODUCT_DELETED, before.ref, before, None))
    return outcome


def _replace(connection: sqlite3.Connection, caller: Caller, before: Product, after: Product) -> Product:
    if msgspec.structs.replace(after, updated_at=before.updated_at) == before:
        return before
    connection.execute(
        f"UPDATE product SET ({_COLUMNS}) = (?{', ?' * (len(_FIELDS) - 1)}) WHERE scope_id = ? AND ref = ?",
        (*msgspec.structs.astuple(after), caller.scope.id, after.ref),
    )
    note(connection, caller, after.updated_at, Write(Action.PRODUCT_UPDATED, after.ref, before, after))
    return after


def _insert(connection: sqlite3.Connection, scope_id: int, product: Product) -> None:
    connection.execute(
        f"INSERT INTO product (scope_id, {_COLUMNS}) VALUES (?{', ?' * len(_FIELDS)})",
        (scope_id, *msgspec.structs.astuple(product)),
    )


def _is_taken(connection: sqlite3.Connection, scope_id: int, ref: str) -> bool:
    """Also by one that is hidden: its events still name it."""
    found = connection.execute("SELECT 1 FROM product WHERE scope_id = ? AND ref = ?", (scope_id, ref))
    return found.fetchone() is not None


def _existing(connection: sqlite3.Connection, scope_id: int, ref: str) -> Product:
    product = _find(connection, scope_id, "ref", ref)
    if product is None:
        raise ProductNotFound
    return product


def _find(connection: sqlite3.Connection, scope_id: int, column: str, value: str) -> Product | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM product WHERE scope_id = ? AND {column} = ? AND deleted_at IS NULL",
        (scope_id, value),
    ).fetchone()
    return None if row is None else _product(row)


def _product(row: Sequence[object]) -> Product:
    fields = dict(zip(_FIELDS, row, strict=True))
    fields["is_mcp_pay"] = bool(fields["is_mcp_pay"])
    return msgspec.convert(fields, Product)
