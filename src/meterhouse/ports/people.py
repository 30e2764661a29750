"""Who may do what: providers, keys, operators, sessions; and what they did."""

from collections.abc import Sequence
from typing import Protocol

from meterhouse.model.key import ApiKey, IssuedKey
from meterhouse.model.merchant import Merchant
from meterhouse.model.once import Once
from meterhouse.model.operator import Failures, OpenSession, Operator, Session
from meterhouse.model.page import AuditPage, AuditPlace
from meterhouse.model.tally import KeptRejection, TallyHour
from meterhouse.model.tenant import Caller, Environment, Provider, Rights, Scope


class Keys(Protocol):
    """The API keys of every scope. For writes and `once`, see `Customers`."""

    async def create(
        self,
        caller: Caller,
        name: str,
        once: Once | None = None,
        *,
        rights: Rights = Rights.FULL,
        expires_at: int | None = None,
    ) -> IssuedKey:
        """Make a key to the caller's scope. Only this result has its secret.

        expires_at: microseconds since 1970, from which on it opens nothing; None for never.

        Repeated through `once`, the result has none: secrets are not kept.
        """
        ...

    async def all(self, scope_id: int) -> Sequence[ApiKey]:
        """Return the scope's keys, revoked ones too, the newest first."""
        ...

    async def revoke(self, caller: Caller, ref: str, once: Once | None = None) -> ApiKey:
        """Let a key open nothing any more, in every process within a second. Again is a no-op.

        Raises KeyNotFound.
        """
        ...


class Providers(Protocol):
    """The tenants."""

    async def create(self, name: str, actor: str) -> Provider:
        """Make a provider with both its scopes, and the default meters in each. Raises ProviderNameTaken."""
        ...

    async def all(self) -> Sequence[Provider]:
        """Return every provider, the oldest first."""
        ...

    async def scope(self, name: str, environment: Environment) -> Scope:
        """Return the scope of the provider with this name or ref. Raises ProviderNotFound."""
        ...

    async def scope_by_id(self, scope_id: int) -> Scope:
        """Return the scope with this id. Raises ProviderNotFound."""
        ...

    async def merchant(self, provider_ref: str) -> Merchant:
        """Return how a provider shows itself; what was never set is its name. Raises ProviderNotFound."""
        ...

    async def show_as(self, caller: Caller, merchant: Merchant) -> None:
        """Set how the caller's provider shows itself, in both environments."""
        ...


class Operators(Protocol):
    """Who signs in with an email and a password. Emails are compared in lower case, over all providers."""

    async def create(self, provider: str, email: str, password_hash: str, actor: str) -> Operator:
        """Make an operator of the provider with this name or ref. Raises ProviderNotFound, OperatorTaken."""
        ...

    async def all(self) -> Sequence[Operator]: ...

    async def change_password(self, email: str, password_hash: str, actor: str) -> None:
        """Change the password and end the operator's sessions. Raises OperatorNotFound."""
        ...

    async def remove(self, email: str, actor: str) -> None:
        """Remove an operator and end their sessions. Raises OperatorNotFound."""
        ...

    async def password_hash(self, email: str) -> str | None: ...

    async def failures(self, email: str, address: str) -> Failures:
        """Return the wrong passwords in a row, none once an hour has passed since the last.

        address: the network address that they come from.
        """
        ...

    async def note_failure(self, email: str, address: str) -> Failures:
        """Count a wrong password, also for an email nobody has. `Sessions.open_for` forgets them."""
        ...


class Sessions(Protocol):
    """Who is signed in, and the links that let them in. Secrets are known by their SHA-256 alone."""

    async def add_link(self, provider: str, link_sha256: bytes, actor: str) -> None:
        """Let a secret open one session of the provider, within 15 minutes. Raises ProviderNotFound."""
        ...

    async def open_with_link(self, link_sha256: bytes, sha256: bytes) -> Session:
        """Open a session and use up the link.

        Raises NotSignedIn: the link is unknown, used or expired; these cannot be told apart.
        """
        ...

    async def open_for(self, email: str, sha256: bytes, address: str) -> Session:
        """Open a session for an operator whose password was right. Raises NotSignedIn: there is none.

        Forgets the wrong passwords from this address, and those of the account.
        """
        ...

    async def find(self, sha256: bytes) -> Session | None:
        """Return a session that is open, and note its use (written at most once a minute)."""
        ...

    async def end(self, sha256: bytes) -> None:
        """Let a session open nothing any more, in every process within a second. Again is a no-op."""
        ...

    async def all(self) -> Sequence[OpenSession]:
        """Return every open session of all providers, the newest first."""
        ...

    async def end_listed(self, id_: str | None, actor: str) -> int:
        """End the session with this id, None for all of them; return how many were ended. See `end`."""
        ...


class Audit(Protocol):
    """Who wrote what in the catalog. Entries are added by the writes themselves, and never change.

    `forget` deletes the oldest ones.
    """

    async def page(self, scope_id: int, limit: int, after: AuditPlace | None = None) -> AuditPage:
        """Return the newest entries, or those that come after a place."""
        ...

    async def forget(self, before: int, most: int) -> int:
        """Delete up to `most` of the oldest entries; return how many. before: microseconds since 1970."""
        ...


class Tally(Protocol):
    """What came in and what became of it."""

    async def hours(self, scope_id: int, start: int, end: int) -> Sequence[TallyHour]:
        """Return the hours from `start` to before `end` (hours since 1970) that had events, in order."""
        ...

    async def rejections(self, scope_id: int) -> Sequence[KeptRejection]:
        """Return the scope's last 1000 rejections, the newest first."""
        ...
