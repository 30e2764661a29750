"""The catalog of every adapter, with callers in three scopes; and every warehouse."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from meterhouse.model.tenant import Caller, Environment
from meterhouse.ports import Catalog, Warehouse
from tests.contract.adapters import EmbeddedWarehouse, ReopenableWarehouse
from tests.contract.catalogs import EmbeddedCatalog, OpenedCatalog


@pytest.fixture(params=[EmbeddedCatalog])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenedCatalog]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(request.param(tmp_path))


@pytest.fixture
def catalog(opened: OpenedCatalog) -> Catalog:
    return opened.catalog


@pytest.fixture
async def caller(catalog: Catalog) -> Caller:
    await catalog.providers.create("acme", "cli")
    return Caller(await catalog.providers.scope("acme", Environment.SANDBOX), "key:key_1")


@pytest.fixture
async def live(catalog: Catalog, caller: Caller) -> Caller:
    return Caller(await catalog.providers.scope("acme", Environment.LIVE), "key:key_2")


@pytest.fixture
async def stranger(catalog: Catalog) -> Caller:
    await catalog.providers.create("rival", "cli")
    return Caller(await catalog.providers.scope("rival", Environment.SANDBOX), "key:key_3")


@pytest.fixture(params=[EmbeddedWarehouse])
async def opened_warehouse(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ReopenableWarehouse]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(request.param(tmp_path))


@pytest.fixture
def warehouse(opened_warehouse: ReopenableWarehouse) -> Warehouse:
    return opened_warehouse.warehouse
