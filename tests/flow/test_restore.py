"""A backup that is put back beside newer files is refused: its keys would count as used."""

import shutil
from pathlib import Path

import pytest

from meterhouse.settings import Settings
from meterhouse.wiring import open_service
from tests.conftest import speak_to
from tests.flow.answers import ok

EVENT = {"type": "usage.a", "customerRef": "cus_3C4D5E6F", "units": 1, "idempotencyKey": "after the backup"}


async def test_a_database_older_than_its_index_is_refused_until_the_index_is_deleted(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup.db"
    settings = Settings(data=str(data))
    async with open_service(settings) as service:
        assert service.first_start is not None
        secret = service.first_start.secret
    shutil.copy(data / "meterhouse.db", backup)
    async with open_service(settings) as service, speak_to(service, secret) as client:
        ok(await client.post("/v1/sdk/events", json=EVENT), 201)
        await service.catch_up()
    shutil.copy(backup, data / "meterhouse.db")
    with pytest.raises(RuntimeError, match="older than what was made from it"):
        async with open_service(settings):
            pass
    shutil.rmtree(data / "keys")
    (data / "warehouse.duckdb").unlink()
    async with open_service(settings) as service, speak_to(service, secret) as client:
        ok(await client.post("/v1/sdk/events", json=EVENT), 201)
