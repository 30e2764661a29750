"""One server for each module, the real client in both its forms, and plain requests beside it."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from solvapay import AsyncSolvaPay, SolvaPay

from tests.e2e.server import Server
from tests.solvapay.either import Either
from tests.solvapay.shop import Shop
from tests.solvapay.typescript import TypeScript


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    return server.key()


@pytest.fixture(params=["sync", "async"])
async def call(request: pytest.FixtureRequest, server: Server, key: str) -> AsyncIterator[Either]:
    if request.param == "sync":
        with SolvaPay(key, base_url=server.url) as client:
            yield Either(client)
    else:
        async with AsyncSolvaPay(key, base_url=server.url) as client:
            yield Either(client)


@pytest.fixture
def http(server: Server, key: str) -> Iterator[httpx.Client]:
    with server.client(key) as client:
        yield client


@pytest.fixture
def shop(http: httpx.Client) -> Shop:
    return Shop(http)


@pytest.fixture
def product(shop: Shop) -> str:
    return shop.product()


@pytest.fixture
def customer(shop: Shop) -> str:
    return shop.customer()


@pytest.fixture
def typescript(server: Server, key: str) -> Iterator[TypeScript]:
    with httpx.Client(timeout=30) as http:
        yield TypeScript(server, key, http)
