"""What every write of the catalog has in common: done once for its key, and written into the audit."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

import msgspec

from meterhouse.model.audit import Write
from meterhouse.model.errors import IdempotencyConflict
from meterhouse.model.once import Once
from meterhouse.model.ref import Prefix, mint
from meterhouse.model.tenant import Caller

T = TypeVar("T")


def once_only(
    connection: sqlite3.Connection, scope_id: int, once: Once | None, answer: type[T], work: Callable[[], T]
) -> T:
    """Do `work` and keep its answer, or return the answer kept for the same key.

    Raises IdempotencyConflict: the key was used with another meaning; nothing was done.
    """
    if once is None:
        return work()
    kept = kept_answer(connection, scope_id, once)
    if kept is not None:
        return msgspec.json.decode(kept, type=answer)
    result = work()
    connection.execute(
        "INSERT INTO once (scope_id, operation, key, fingerprint, answer) VALUES (?, ?, ?, ?, ?)",
        (scope_id, once.operation, once.key, once.fingerprint, msgspec.json.encode(result)),
    )
    return result


def replace_answer(connection: sqlite3.Connection, scope_id: int, once: Once, answer: object) -> None:
    """Keep another answer for a key that has one."""
    connection.execute(
        "UPDATE once SET answer = ? WHERE scope_id = ? AND operation = ? AND key = ?",
        (msgspec.json.encode(answer), scope_id, once.operation, once.key),
    )


def kept_answer(connection: sqlite3.Connection, scope_id: int, once: Once) -> bytes | None:
    """Return the JSON of the answer that a key was given, None for a key that is new.

    Raises IdempotencyConflict.
    """
    found = connection.execute(
        "SELECT fingerprint, answer FROM once WHERE scope_id = ? AND operation = ? AND key = ?",
        (scope_id, once.operation, once.key),
    ).fetchone()
    if found is None:
        return None
    fingerprint, kept = found
    if fingerprint != once.fingerprint:
        raise IdempotencyConflict
    return bytes(kept)


def note(connection: sqlite3.Connection, caller: Caller, at: int, write: Write) -> None:
    """Add a write to the audit of the caller's scope."""
    connection.execute(
        "INSERT INTO audit (scope_id, at, actor, action, ref, changes) VALUES (?, ?, ?, ?, ?, ?)",
        (caller.scope.id, at, caller.actor, write.action, write.ref, write.changes()),
    )


def free_ref(prefix: Prefix, is_taken: Callable[[str], bool]) -> str:
    while is_taken(ref := mint(prefix)):
        pass
    return ref


def bump_generation(connection: sqlite3.Connection) -> None:
    """Tell every process that something it may remember is gone."""
    connection.execute("UPDATE catalog_generation SET number = number + 1")


def like(part: str) -> str:
    """Return the pattern that finds `part` anywhere, for LIKE with a backslash as ESCAPE."""
    escaped = part.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"
