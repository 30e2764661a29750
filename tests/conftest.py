"""A whole server in the test's own directory, and clients that speak to it without a socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from meterhouse import telemetry
from meterhouse.model.errors import ProviderNotFound
from meterhouse.model.tenant import Caller, Environment
from meterhouse.settings import Settings
from meterhouse.wiring import Service, open_service

Client = httpx.AsyncClient
ClientOf = Callable[[str, Environment], Awaitable[Client]]
telemetry.configure_logs(as_json=True)  # as a server does; tracebacks with every local variable take seconds


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with open_service(Settings(data=str(tmp_path))) as opened:
        yield opened


def speak_to(service: Service, secret: str | None) -> Client:
    headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
    transport = httpx.ASGITransport(cast("Any", service.app))  # Any: httpx wants wider ASGI types
    return Client(transport=transport, base_url="http://meterhouse.test", headers=headers)


@pytest.fixture
def client(service: Service) -> Client:
    """Speaks with the first sandbox key."""
    assert service.first_start is not None
    return speak_to(service, service.first_start.secret)


@pytest.fixture
def nobody(service: Service) -> Client:
    """Speaks without a key."""
    return speak_to(service, None)


@pytest.fixture
def client_of(service: Service) -> ClientOf:
    """Make a client with a key to a provider's environment; the provider is made where there is none."""

    async def make(provider: str, environment: Environment) -> Client:
        providers = service.catalog.providers
        try:
            scope = await providers.scope(provider, environment)
        except ProviderNotFound:
            await providers.create(provider, "cli")
            scope = await providers.scope(provider, environment)
        issued = await service.catalog.keys.create(Caller(scope, "cli"), "test")
        return speak_to(service, issued.secret)

    return make


@pytest.fixture
async def live(client_of: ClientOf) -> Client:
    """Speaks with a live key of the same provider."""
    return await client_of("default", Environment.LIVE)


@pytest.fixture
async def stranger(client_of: ClientOf) -> Client:
    """Speaks with a sandbox key of another provider."""
    return await client_of("rival", Environment.SANDBOX)
