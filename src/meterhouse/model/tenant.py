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


class Rights(StrEnum):
    """The rights that a key has, and that a route needs. FULL includes the other two."""

    FULL = "full"
    READ = "read"
    """Every GET."""
    EVENTS_WRITE = "events:write"
    """Publish usage events, and record usages and meter events; read nothing."""

    def permit(self, needed: "Rights") -> bool:
        return self is Rights.FULL or self is needed


class Caller(Struct, frozen=True):
    """Who asks, and in which scope. `actor` is written into the audit: `key:key_…`,
    `operator:…`, `customer:cus_…`, `cli`."""

    scope: Scope
    actor: str
    rights: Rights = Rights.FULL


class Provider(Struct, frozen=True, kw_only=True):
    """A tenant. Its name is unique and is what operators call it on the command line."""

    ref: str
    name: str
    created_at: int
