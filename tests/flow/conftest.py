"""A service whose time a test turns."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meterhouse.settings import Settings
from meterhouse.wiring import open_service
from tests.conftest import Client, speak_to
from tests.contract.catalogs import Clock


@pytest.fixture
async def timed(tmp_path: Path) -> AsyncIterator[tuple[Clock, Client]]:
    """The clock of a service, which begins on 2026-11-01, and a client with its first key."""
    clock = Clock()
    async with open_service(Settings(data=str(tmp_path / "timed")), clock) as service:
        assert service.first_start is not None
        yield clock, speak_to(service, service.first_start.secret)
