"""The catalog, put together, and what is asked of it with every request."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from meterhouse.model.tenant import Caller
from meterhouse.ports.payments import AutoRecharges, Payments
from meterhouse.ports.people import Audit, Keys, Operators, Providers, Sessions, Tally
from meterhouse.ports.selling import Customers, HostedSessions, Meters, Plans, Products, Purchases


class Directory(Protocol):
    """The look-ups that ingestion needs for each request.

    Adapters may remember refs that exist. A ref that is not remembered is always looked up, so that a
    customer made by another process is valid at once.
    """

    async def known_customers(self, scope_id: int, refs: Collection[str]) -> Collection[str]:
        """Return those of `refs` that are customers of the scope now."""
        ...

    async def known_products(self, scope_id: int, refs: Collection[str]) -> Collection[str]:
        """Return those of `refs` that are products of the scope now."""
        ...

    async def refs_of_externals(self, scope_id: int, externals: Collection[str]) -> Mapping[str, str]:
        """Return the ref of the customer that has each external ref now; unknown ones are missing."""
        ...


class Identities(Protocol):
    """Who owns which API key. Keys are known by their SHA-256 alone."""

    async def key_caller(self, key_sha256: bytes) -> Caller | None:
        """Return who owns an unrevoked key, and notes its use (written at most once a minute)."""
        ...


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything a deployment knows of providers and what belongs to them."""

    providers: Providers
    keys: Keys
    customers: Customers
    products: Products
    purchases: Purchases
    hosted: HostedSessions
    payments: Payments
    auto_recharges: AutoRecharges
    plans: Plans
    meters: Meters
    operators: Operators
    sessions: Sessions
    audit: Audit
    tally: Tally
    directory: Directory
    identities: Identities
