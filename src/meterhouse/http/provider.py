"""What a provider's clients may know of it: merchant identity, platform values, the audit."""

from datetime import datetime
from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import Raw, Struct

from meterhouse.model.audit import Action
from meterhouse.model.event import from_microseconds
from meterhouse.model.merchant import Merchant
from meterhouse.model.page import AuditPlace
from meterhouse.model.tenant import Caller, Environment
from meterhouse.ports import Audit, Providers
from meterhouse.query.cursors import read_cursor, write_cursor


class PlatformConfig(Struct, rename="camel", omit_defaults=True):
    """provider_ref, environment: the scope of the caller's key. The rest is absent without card payments."""

    provider_ref: str
    environment: Environment
    stripe_publishable_key: str | None = None


class AuditEntryAnswer(Struct, rename="camel"):
    """actor: `key:key_…`, `operator:…`, `customer:cus_…` or `cli`. changes: `{field: [before, after]}`."""

    id: int
    at: datetime
    actor: str
    action: Action
    reference: str
    changes: Raw


class AuditAnswer(Struct, rename="camel"):
    """next_cursor: null at the end."""

    entries: tuple[AuditEntryAnswer, ...]
    next_cursor: str | None


class ProviderRoutes:
    """stripe_publishable_key: of payments in live, None where it takes none."""

    def __init__(self, providers: Providers, audit: Audit, stripe_publishable_key: str | None = None) -> None:
        self._providers = providers
        self._audit = audit
        self._stripe_publishable_key = stripe_publishable_key

    async def merchant(self, caller: NamedDependency[Caller]) -> Merchant:
        """Get how the provider shows itself to its customers."""
        return await self._providers.merchant(caller.scope.provider_ref)

    async def platform_config(self, caller: NamedDependency[Caller]) -> PlatformConfig:
        """Get the provider and environment of the key, and the values that a browser needs for payments."""
        scope = caller.scope
        is_live = scope.environment is Environment.LIVE
        return PlatformConfig(
            scope.provider_ref, scope.environment, self._stripe_publishable_key if is_live else None
        )

    async def audit(
        self,
        caller: NamedDependency[Caller],
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 50,
        cursor: Annotated[str | None, QueryParameter()] = None,
    ) -> AuditAnswer:
        """List who wrote what in the catalog, the newest first."""
        page = await self._audit.page(caller.scope.id, limit, read_cursor(cursor, AuditPlace, "audit"))
        return AuditAnswer(
            tuple(
                AuditEntryAnswer(
                    entry.id,
                    from_microseconds(entry.at),
                    entry.actor,
                    entry.action,
                    entry.ref,
                    Raw(entry.changes),
                )
                for entry in page.entries
            ),
            None if page.next is None else write_cursor(page.next, "audit"),
        )
