"""API keys over HTTP: a key manages the keys of its own scope."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, TypedDict

from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from meterhouse.model.errors import KeyEnvironmentMismatch, ValidationFailed
from meterhouse.model.event import from_microseconds, to_microseconds
from meterhouse.model.key import MAX_NAME, ApiKey
from meterhouse.model.once import Once
from meterhouse.model.tenant import Caller, Environment, Rights
from meterhouse.model.text import length_fault
from meterhouse.ports import Keys


class NewKey(Struct, kw_only=True, rename="camel"):
    """environment: may be said, and then is the one of the key that asks.

    expiresAt: from then on the key opens nothing; absent: never.
    """

    name: str | None = None
    environment: Environment | None = None
    rights: Rights = Rights.FULL
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class KeyAnswer(Struct, kw_only=True, rename="camel"):
    """hint: the secret's last four characters."""

    reference: str
    name: str
    environment: Environment
    hint: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    rights: Rights
    expires_at: datetime | None


class IssuedKeyAnswer(KeyAnswer, kw_only=True, rename="camel"):
    """secret: shown in this answer alone; null where an Idempotency-Key repeats an earlier request."""

    secret: str | None


class KeysAnswer(Struct):
    keys: tuple[KeyAnswer, ...]


class KeyRoutes:
    """now: the server's clock, an aware datetime."""

    def __init__(self, keys: Keys, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._now = now

    async def all(self, caller: NamedDependency[Caller]) -> KeysAnswer:
        """List the keys, revoked ones too, the newest first."""
        keys = await self._keys.all(caller.scope.id)
        return KeysAnswer(tuple(KeyAnswer(**_fields(key)) for key in keys))

    async def create(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        data: JSONBody[NewKey | None] = None,
    ) -> IssuedKeyAnswer:
        """Make a key. Its secret is shown in this answer and never again."""
        new = data or NewKey()
        name = new.name or ""
        if fault := length_fault(name, MAX_NAME):
            raise ValidationFailed.of("name", fault)
        if new.environment not in (None, caller.scope.environment):
            raise KeyEnvironmentMismatch(caller.scope.environment, str(new.environment))
        if new.expires_at is not None and new.expires_at <= self._now():
            raise ValidationFailed.of("expiresAt", "must be in the future")
        more = () if (new.rights, new.expires_at) == (Rights.FULL, None) else (new.rights, new.expires_at)
        issued = await self._keys.create(
            caller,
            name,
            Once.of("createKey", key, name, *more),
            rights=new.rights,
            expires_at=None if new.expires_at is None else to_microseconds(new.expires_at),
        )
        return IssuedKeyAnswer(**_fields(issued.key), secret=issued.secret)

    async def revoke(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
    ) -> KeyAnswer:
        """Revoke a key; within a second it opens nothing any more. Again is a no-op."""
        once = Once.of("revokeKey", key, reference)
        return KeyAnswer(**_fields(await self._keys.revoke(caller, reference, once)))


class _Fields(TypedDict):
    reference: str
    name: str
    environment: Environment
    hint: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    rights: Rights
    expires_at: datetime | None


def _fields(key: ApiKey) -> _Fields:
    return {
        "reference": key.ref,
        "name": key.name,
        "environment": key.environment,
        "hint": key.hint,
        "created_at": from_microseconds(key.created_at),
        "last_used_at": None if key.last_used_at is None else from_microseconds(key.last_used_at),
        "revoked_at": None if key.revoked_at is None else from_microseconds(key.revoked_at),
        "rights": key.rights,
        "expires_at": None if key.expires_at is None else from_microseconds(key.expires_at),
    }
