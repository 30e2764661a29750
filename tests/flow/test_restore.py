"""A backup that is put back beside newer files: what was made from the log is made again from this one."""

import shutil
from pathlib import Path

import pytest

from meterhouse.settings import Settings
from meterhouse.wiring import open_catalog_of, open_service
from tests.conftest import speak_to
from tests.flow.answers import ok

EVENT = {"type": "usage.a", "customerRef": "cus_3C4D5E6F", "units": 1, "idempotencyKey": "after the backup"}


async def test_projections_newer_than_the_log_are_set_aside_and_made_again(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup.db"
    settings = Settings(data=str(data))
    async with open_service(settings) as service:
        assert service.first_start is not None
        secret = service.first_start.secret
        async with speak_to(service, secret) as client:
            ok(await client.post("/v1/sdk/events", json=EVENT | {"idempotencyKey": "before"}), 201)
    shutil.copy(data / "meterhouse.db", backup)
    async with open_service(settings) as service, speak_to(service, secret) as client:
        ok(await client.post("/v1/sdk/events", json=EVENT), 201)
        await service.catch_up()
    shutil.copy(backup, data / "meterhouse.db")
    async with open_service(settings) as service, speak_to(service, secret) as client:
        ok(await client.post("/v1/sdk/events", json=EVENT), 201)
        ok(await client.post("/v1/sdk/events", json=EVENT | {"idempotencyKey": "before"}), 200)
        await service.catch_up()
        assert ok(await client.get("/v1/usage", params={"aggregate": "count"}))["total"] == 2
    for name in ("keys", "warehouse.duckdb"):
        assert len(list(data.glob(f"{name}.unreadable-*"))) == 1


async def test_projections_of_another_log_as_long_are_made_again(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup.db"
    settings = Settings(data=str(data))
    async with open_service(settings) as service:
        assert service.first_start is not None
        secret = service.first_start.secret
    shutil.copy(data / "meterhouse.db", backup)
    for key in ("lost", "kept"):
        shutil.copy(backup, data / "meterhouse.db")
        if key == "kept":  # another history, as long, while its projections are of the one before
            shutil.move(data / "keys", tmp_path / "keys")
            shutil.move(data / "warehouse.duckdb", tmp_path / "warehouse.duckdb")
        async with open_service(settings) as service, speak_to(service, secret) as client:
            ok(await client.post("/v1/sdk/events", json=EVENT | {"idempotencyKey": key}), 201)
            await service.catch_up()
    shutil.rmtree(data / "keys")
    shutil.move(tmp_path / "keys", data / "keys")
    shutil.move(tmp_path / "warehouse.duckdb", data / "warehouse.duckdb")
    async with open_service(settings) as service, speak_to(service, secret) as client:
        ok(await client.post("/v1/sdk/events", json=EVENT | {"idempotencyKey": "kept"}), 200)
        ok(await client.post("/v1/sdk/events", json=EVENT | {"idempotencyKey": "lost"}), 201)
        await service.catch_up()
        assert ok(await client.get("/v1/usage", params={"aggregate": "count"}))["total"] == 2


@pytest.mark.parametrize("loss", ["missing", "empty file", "empty log"])
async def test_a_lost_log_is_never_replaced_by_an_empty_one(tmp_path: Path, loss: str) -> None:
    data, fresh = tmp_path / "data", tmp_path / "fresh"
    settings = Settings(data=str(data))
    async with open_service(Settings(data=str(fresh))):
        pass
    async with open_service(settings) as service:
        assert service.first_start is not None
        async with speak_to(service, service.first_start.secret) as client:
            ok(await client.post("/v1/sdk/events", json=EVENT), 201)
            await service.catch_up()
    (data / "meterhouse.db").unlink()
    if loss == "empty file":
        (data / "meterhouse.db").touch()
    elif loss == "empty log":
        shutil.copy(fresh / "meterhouse.db", data / "meterhouse.db")
    before = {file: file.read_bytes() for file in (data / "keys").glob("*.sst")}
    with pytest.raises(RuntimeError, match=r"nothing was changed\. .*restore the last backup"):
        async with open_service(settings):
            pass
    if loss != "empty log":
        with pytest.raises(RuntimeError, match="meterhouse"):
            async with open_catalog_of(data, init=True):
                pass
    assert before
    assert before == {file: file.read_bytes() for file in before}
    assert not list(data.glob("*.unreadable-*"))
