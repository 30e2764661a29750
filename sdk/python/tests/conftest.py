"""A real server for the tests of a file, and what most of them begin with."""

import uuid
from collections.abc import Iterator

import pytest

from meterhouse_sdk import Meterhouse, Product
from tests.e2e.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    return server.key()


@pytest.fixture
def client(server: Server, key: str) -> Iterator[Meterhouse]:
    with Meterhouse(key, server.url) as client:
        yield client


@pytest.fixture
def product(client: Meterhouse) -> Product:
    """A product of its own for each test, without a plan."""
    return client.create_product(name=f"Product {uuid.uuid4().hex}")


@pytest.fixture
def customer(client: Meterhouse) -> str:
    return client.ensure_customer(uuid.uuid4().hex).reference
