"""Plans on SQLite."""

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from meterhouse import pools
from meterhouse.model.audit import Action, Write
from meterhouse.model.customer import Deletion, deletion
from meterhouse.model.errors import PlanNotFound, ProductNotFound, ReferenceTaken, ValidationFailed
from meterhouse.model.event import Kind, to_microseconds
from meterhouse.model.meter import Aggregation, MeterStatus
from meterhouse.model.once import Once
from meterhouse.model.plan import DEFAULT_MEASURES, DEFAULT_METER_REF, Plan
from meterhouse.model.plan_body import NewPlan, PlanDetails
from meterhouse.model.plan_change import changed, copied, created, deactivated, no_default
from meterhouse.model.ref import Prefix
from meterhouse.model.tenant import Caller
from meterhouse.stores.embedded.catalog.writes import free_ref, note, once_only
from meterhouse.stores.embedded.database import Database

_decode: Final = msgspec.json.Decoder(Plan).decode
_LIVING: Final = "SELECT body FROM plan WHERE scope_id = ? AND product_ref = ? AND deleted_at IS NULL"


class SqlitePlans:
    """now: the server's clock, an aware datetime."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def create(self, caller: Caller, product_ref: str, new: NewPlan, once: Once | None = None) -> Plan:
        now_us = to_microseconds(self._now())
        return await self._database.write(
            lambda connection: once_only(
                connection,
                caller.scope.id,
                once,
                Plan,
                lambda: _create(connection, caller, product_ref, new, now_us),
            )
        )

    async def get(self, scope_id: int, ref: str) -> Plan | None:
        return _find(self._database.reader(), scope_id, ref)

    async def of_product(self, scope_id: int, product_ref: str, *, hidden: bool) -> Sequence[Plan]:
        return (await self.of_products(scope_id, (product_ref,), hidden=hidden))[product_ref]

    async def of_products(
        self, scope_id: int, product_refs: Collection[str], *, hidden: bool
    ) -> Mapping[str, Sequence[Plan]]:
        return await pools.LOOKUPS.run(self._of_products, scope_id, product_refs, hidden=hidden)

    async def default_of(self, scope_id: int, product_ref: str) -> Plan | None:
        row = (
            self._database.reader()
            .execute(f"{_LIVING} AND is_default = 1 AND status = 'active'", (scope_id, product_ref))
            .fetchone()
        )
        return None if row is None else _decode(row[0])

    async def change(
        self, caller: Caller, product_ref: str, ref: str, details: PlanDetails, once: Once | None = None
    ) -> Plan:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> Plan:
            before = _existing(connection, caller.scope.id, product_ref, ref)
            asked = _measured(connection, caller.scope.id, before, details)
            after = changed(asked, details, now_us)
            if after.is_active and not before.is_active:
                _check_meter_is_active(connection, caller.scope.id, after)
            return _replace(connection, caller, before, after)

        return await self._database.write(
            lambda connection: once_only(connection, caller.scope.id, once, Plan, lambda: work(connection))
        )

    async def delete(self, caller: Caller, product_ref: str, ref: str, once: Once | None = None) -> Deletion:
        now_us = to_microseconds(self._now())

        def work(connection: sqlite3.Connection) -> Deletion:
            plan = _existing(connection, caller.scope.id, product_ref, ref)
            return _delete(connection, caller, plan, now_us)

        return await self._database.write(
            lambda connection: once_only(
                connection, caller.scope.id, once, Deletion, lambda: work(connection)
            )
        )

    def _of_products(
        self, scope_id: int, product_refs: Collection[str], *, hidden: bool
    ) -> dict[str, list[Plan]]:
        found: dict[str, list[Plan]] = {ref: [] for ref in product_refs}
        rows = self._database.reader().execute(
            "SELECT product_ref, body FROM plan WHERE scope_id = ? AND deleted_at IS NULL"
            " AND (? OR hidden = 0) AND product_ref IN (SELECT value FROM json_each(?))"
            " ORDER BY product_ref, position",
            (scope_id, hidden, msgspec.json.encode(product_refs)),
        )
        for product_ref, body in rows:
            found[product_ref].append(_decode(body))
        return found


def copy(connection: sqlite3.Connection, caller: Caller, original: str, clone: str, now_us: int) -> None:
    """Give a product's plans to its clone, inside a transaction."""
    scope_id = caller.scope.id
    for plan in _all(connection, scope_id, original):
        ref = free_ref(Prefix.PLAN, lambda ref: _is_taken(connection, scope_id, ref))
        _insert(connection, caller, copied(plan, ref, clone, now_us))


def delete_of(connection: sqlite3.Connection, caller: Caller, product_ref: str, now_us: int) -> None:
    """Delete a product's plans, inside the transaction that deletes the product."""
    for plan in _all(connection, caller.scope.id, product_ref):
        _delete(connection, caller, plan, now_us)


def deactivate_of(connection: sqlite3.Connection, caller: Caller, product_ref: str, now_us: int) -> None:
    """Offer a product's plans no more, inside the transaction that deactivates the product."""
    for plan in _all(connection, caller.scope.id, product_ref):
        if plan.is_active:
            _replace(connection, caller, plan, deactivated(plan, now_us))


def deactivate_measuring(connection: sqlite3.Connection, caller: Caller, meter_ref: str, now_us: int) -> None:
    """Offer the plans that measure a meter no more, inside the transaction that archives it."""
    rows = connection.execute(
        "SELECT body FROM plan WHERE scope_id = ? AND deleted_at IS NULL AND status = 'active'"
        " AND json_extract(body, '$.meterRef') = ?",
        (caller.scope.id, meter_ref),
    )
    for (body,) in rows.fetchall():
        plan = _decode(body)
        _replace(connection, caller, plan, deactivated(plan, now_us))


def _create(
    connection: sqlite3.Connection, caller: Caller, product_ref: str, new: NewPlan, now_us: int
) -> Plan:
    scope_id = caller.scope.id
    _check_product(connection, scope_id, product_ref)
    if new.reference is not None and _is_taken(connection, scope_id, new.reference):
        raise ReferenceTaken
    ref = new.reference or free_ref(Prefix.PLAN, lambda ref: _is_taken(connection, scope_id, ref))
    plan = _measured(connection, scope_id, created(new, ref, product_ref, now_us), new)
    _end_other_defaults(connection, caller, plan)
    _insert(connection, caller, plan)
    return plan


def _measured(connection: sqlite3.Connection, scope_id: int, plan: Plan, details: PlanDetails) -> Plan:
    """Return the plan with the meter that `details` names. Raises ValidationFailed.

    The default meter is not looked for, nor the one the plan has: it may have been archived meanwhile.
    """
    known = {plan.meter_ref: plan.measures, DEFAULT_METER_REF: DEFAULT_MEASURES}
    ref, name = details.meter_ref, details.measures
    if ref is None and name is None:
        return plan
    if ref is not None:
        found = (ref, known[ref]) if ref in known else _meter(connection, scope_id, "ref", ref)
    else:
        named = [(each, of) for each, of in known.items() if of == name]
        found = named[0] if named else _meter(connection, scope_id, "name", name or "")
    if name not in (None, found[1]):
        raise ValidationFailed.of("measures", f"must be {found[1]}, the meter of meterRef, or be left out")
    return replace(plan, meter_ref=found[0], measures=found[1])


def _meter(connection: sqlite3.Connection, scope_id: int, column: str, value: str) -> tuple[str, str]:
    field = "meterRef" if column == "ref" else "measures"
    row = connection.execute(
        f"SELECT ref, name, status, kind, aggregation FROM meter WHERE scope_id = ? AND {column} = ?",
        (scope_id, value),
    ).fetchone()
    if row is None or row[2] != MeterStatus.ACTIVE:
        raise ValidationFailed.of(field, "must name a meter that is there and not archived, see /v1/meters")
    if row[3] != Kind.METER:
        raise ValidationFailed.of(
            field, "must name a meter of kind meter: one of kind usage enforces nothing"
        )
    if row[4] not in (Aggregation.COUNT, Aggregation.SUM):
        raise ValidationFailed.of(field, f"must name a meter that counts or sums, not one of {row[4]}")
    return row[0], row[1]


def _check_meter_is_active(connection: sqlite3.Connection, scope_id: int, plan: Plan) -> None:
    """Raises ValidationFailed."""
    found = connection.execute(
        "SELECT status FROM meter WHERE scope_id = ? AND ref = ?", (scope_id, plan.meter_ref)
    ).fetchone()
    if found != (MeterStatus.ACTIVE,):
        raise ValidationFailed.of("status", "must not be active: its meter is archived; name another meter")


def _end_other_defaults(connection: sqlite3.Connection, caller: Caller, plan: Plan) -> None:
    if not plan.is_default:
        return
    for other in _all(connection, caller.scope.id, plan.product_ref):
        if other.is_default and other.ref != plan.ref:
            _replace(connection, caller, other, no_default(other, plan.updated_at))


def _replace(connection: sqlite3.Connection, caller: Caller, before: Plan, after: Plan) -> Plan:
    if replace(after, updated_at=before.updated_at) == before:
        return before
    _end_other_defaults(connection, caller, after)
    connection.execute(
        "UPDATE plan SET (status, is_default, hidden, body) = (?, ?, ?, ?) WHERE scope_id = ? AND ref = ?",
        (after.status, after.is_default, after.hidden, _encoded(after), caller.scope.id, after.ref),
    )
    note(connection, caller, after.updated_at, Write(Action.PLAN_UPDATED, after.ref, before, after))
    return after


def _insert(connection: sqlite3.Connection, caller: Caller, plan: Plan) -> None:
    connection.execute(
        "INSERT INTO plan (scope_id, ref, product_ref, position, status, is_default, hidden, body)"
        " SELECT ?1, ?2, ?3, coalesce(max(position), 0) + 1, ?4, ?5, ?6, ?7"
        " FROM plan WHERE scope_id = ?1 AND product_ref = ?3",
        (
            caller.scope.id,
            plan.ref,
            plan.product_ref,
            plan.status,
            plan.is_default,
            plan.hidden,
            _encoded(plan),
        ),
    )
    note(connection, caller, plan.created_at, Write(Action.PLAN_CREATED, plan.ref, None, plan))


def _delete(connection: sqlite3.Connection, caller: Caller, plan: Plan, now_us: int) -> Deletion:
    scope_id = caller.scope.id
    outcome = deletion(caller.scope.environment)
    if outcome is Deletion.DELETED:
        connection.execute("DELETE FROM plan WHERE scope_id = ? AND ref = ?", (scope_id, plan.ref))
    else:
        connection.execute(
            "UPDATE plan SET deleted_at = ? WHERE scope_id = ? AND ref = ?", (now_us, scope_id, plan.ref)
        )
    note(connection, caller, now_us, Write(Action.PLAN_ARCHIVED, plan.ref, plan, None))
    return outcome


def _check_product(connection: sqlite3.Connection, scope_id: int, ref: str) -> None:
    found = connection.execute(
        "SELECT 1 FROM product WHERE scope_id = ? AND ref = ? AND deleted_at IS NULL", (scope_id, ref)
    )
    if found.fetchone() is None:
        raise ProductNotFound


def _existing(connection: sqlite3.Connection, scope_id: int, product_ref: str, ref: str) -> Plan:
    _check_product(connection, scope_id, product_ref)
    plan = _find(connection, scope_id, ref)
    if plan is None or plan.product_ref != product_ref:
        raise PlanNotFound
    return plan


def _find(connection: sqlite3.Connection, scope_id: int, ref: str) -> Plan | None:
    row = connection.execute(
        "SELECT body FROM plan WHERE scope_id = ? AND ref = ? AND deleted_at IS NULL", (scope_id, ref)
    ).fetchone()
    return None if row is None else _decode(row[0])


def _all(connection: sqlite3.Connection, scope_id: int, product_ref: str) -> list[Plan]:
    rows = connection.execute(f"{_LIVING} ORDER BY position", (scope_id, product_ref))
    return [_decode(body) for (body,) in rows.fetchall()]


def _is_taken(connection: sqlite3.Connection, scope_id: int, ref: str) -> bool:
    """Also by one that is hidden from sight: purchases of it still name it."""
    found = connection.execute("SELECT 1 FROM plan WHERE scope_id = ? AND ref = ?", (scope_id, ref))
    return found.fetchone() is not None


def _encoded(plan: Plan) -> str:
    return msgspec.json.encode(plan).decode()
