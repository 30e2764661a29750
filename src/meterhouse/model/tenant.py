"""Who may see what: providers, environments, scopes, and the callers that act in them."""

from enum import StrEnum

from msgspec import Struct


class Environment(StrEnum):
    """Sandbox for trying things, live for real customers. Nothing crosses from one to the other."""

    SANDBOX = "sandbox"
    LIVE = "live"


class Scope(Struct, frozen=True):
    """A provider's environment: every row belongs to exactly one, named by `id` in every store."""

    id: int
    provider_ref: str
    environment: Environment


class Caller(Struct, frozen=True):
    """Who asks, and in which scope. `actor` is written into the audit: `key:key_…`, `operator:…`, `cli`."""

    scope: Scope
    actor: str


class Merchant(Struct, kw_only=True, frozen=True, rename="camel", omit_defaults=True):
    """How a provider shows itself to its customers (contract §3.8). Left out: not set."""

    display_name: str
    legal_name: str
    support_email: str | None = None
    support_url: str | None = None
    terms_url: str | None = None
    privacy_url: str | None = None
    country: str | None = None
    company_number: str | None = None
    tax_id: str | None = None
    vat_number: str | None = None
    default_currency: str | None = None
    supported_topup_currencies: tuple[str, ...] | None = None
    statement_descriptor: str | None = None
    logo_url: str | None = None
    icon_url: str | None = None


class Provider(Struct, frozen=True, kw_only=True):
    """A tenant. Its name is unique and is what operators call it on the command line."""

    ref: str
    name: str
    created_at: int
