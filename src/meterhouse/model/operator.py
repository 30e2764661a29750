"""Operators: the people who watch a provider's usage. How long what lets them in is good for.

Times are microseconds since 1970.
"""

import secrets
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from meterhouse.model.tenant import Caller, Environment, Provider, Scope

LINK_LIFE_US: Final = 15 * 60_000_000
SESSION_IDLE_US: Final = 12 * 3_600_000_000
SESSION_LIFE_US: Final = 7 * 24 * 3_600_000_000

FREE_FAILURES: Final = 5
FREE_FAILURES_OF_ACCOUNT: Final = 100  # from all addresses: more than one can make in an hour
_LONGEST_BAR_MINUTES: Final = 15
FAILURES_KEPT_US: Final = 3_600_000_000  # longer than the longest bar
_SECRET_BYTES: Final = 32


class Operator(Struct, frozen=True, kw_only=True):
    """Signs in with a password. Belongs to one provider. email: in lower case, unique on the server."""

    ref: str
    provider_ref: str
    email: str
    created_at: int


class Session(Struct, frozen=True, kw_only=True):
    """Somebody who is signed in, to both environments of one provider.

    email: None for who came with a link. expires_at: at the latest; 12 idle hours end it sooner.
    """

    provider: Provider
    scopes: Mapping[Environment, Scope]
    email: str | None
    expires_at: int

    def caller(self, environment: Environment) -> Caller:
        return Caller(self.scopes[environment], actor_of(self.email))


class OpenSession(Struct, frozen=True, kw_only=True):
    """A session as the command line shows it. id: names it, and opens nothing.

    email: None for a session that a link opened. expires_at: also through idling.
    """

    id: str
    provider_ref: str
    email: str | None
    opened_at: int
    used_at: int
    expires_at: int


class Failures(Struct, frozen=True):
    """Wrong passwords in a row for one email, whether or not somebody has it. last_at: 0 for none.

    count, last_at: from one address. of_account, of_account_at: from every address.
    """

    count: int = 0
    last_at: int = 0
    of_account: int = 0
    of_account_at: int = 0

    @property
    def barred_until(self) -> int:
        """Until when no password is looked at: from the fifth on, for 1, 2, 4, 8, 15, 15, … minutes.

        Where all addresses together made a hundred, the bar is for all of them.
        """
        return max(
            _bar(self.count - FREE_FAILURES, self.last_at),
            _bar(self.of_account - FREE_FAILURES_OF_ACCOUNT, self.of_account_at),
        )


def _bar(too_many: int, last_at: int) -> int:
    if too_many < 0:
        return 0
    return last_at + min(1 << min(too_many, _LONGEST_BAR_MINUTES), _LONGEST_BAR_MINUTES) * 60_000_000


def actor_of(email: str | None) -> str:
    """Return who the audit says it was."""
    return f"operator:{email or 'link'}"


def new_secret() -> str:
    """Return the secret of a link or a session: 256 bits that can stand in a URL."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def canonical(email: str) -> str:
    """Return how an operator's email is kept and compared."""
    return email.strip().lower()
