"""What `ports.Meters` promises, on every adapter."""

from datetime import timedelta

import msgspec
import pytest

from meterhouse.model.errors import (
    DefaultMeter,
    MeterNameTaken,
    MeterNotFound,
    ReferenceTaken,
    ValidationFailed,
)
from meterhouse.model.event import Kind, to_microseconds
from meterhouse.model.meter import MeterDetails, MeterStatus, NewMeter, default_meters
from meterhouse.model.tenant import Caller, Environment
from meterhouse.ports import Catalog
from tests.contract.catalogs import OpenedCatalog


async def test_a_meter_has_its_name_and_reference_for_itself(
    catalog: Catalog, caller: Caller, live: Caller
) -> None:
    made = await catalog.meters.create(caller, NewMeter(name="pages", reference="mtr_1"))
    with pytest.raises(MeterNameTaken):
        await catalog.meters.create(caller, NewMeter(name="pages"))
    with pytest.raises(ReferenceTaken):
        await catalog.meters.create(caller, NewMeter(name="other", reference="mtr_1"))
    theirs = await catalog.meters.create(live, NewMeter(name="pages", reference="mtr_1"))
    assert await catalog.meters.named(caller.scope.id, "pages") == made
    assert await catalog.meters.named(live.scope.id, "pages") == theirs
    assert await catalog.meters.named(live.scope.id, "other") is None


async def test_every_scope_begins_with_the_default_meters(opened: OpenedCatalog, caller: Caller) -> None:
    now_us = to_microseconds(opened.clock())
    for environment in Environment:
        scope = await opened.catalog.providers.scope("acme", environment)
        expected = sorted(default_meters(now_us), key=lambda meter: meter.name)
        assert await opened.catalog.meters.all(scope.id) == expected
    assert (await opened.catalog.audit.page(caller.scope.id, 10)).entries[0].action == "provider.created"


async def test_a_default_meter_cannot_be_archived(catalog: Catalog, caller: Caller) -> None:
    with pytest.raises(DefaultMeter):
        await catalog.meters.archive(caller, "mtr_requests")
    found = await catalog.meters.get(caller.scope.id, "mtr_requests")
    assert found is not None
    assert found.status is MeterStatus.ACTIVE


async def test_a_derived_meter_is_of_meters_that_are_recorded_on(catalog: Catalog, caller: Caller) -> None:
    await catalog.meters.create(caller, NewMeter(name="seen", kind=Kind.USAGE))
    derived = await catalog.meters.create(
        caller, NewMeter(name="all", meter_names=["tokens", "requests", "tokens"])
    )
    assert not derived.is_recorded_on
    assert derived.meter_names == '["requests","tokens"]'
    with pytest.raises(ValidationFailed) as refused:
        await catalog.meters.create(
            caller, NewMeter(name="x", meter_names=["tokens", "x", "seen", "all", "requests"])
        )
    assert [error.path for error in refused.value.errors] == [f"meterNames.{i}" for i in (1, 2, 3)]
    assert await catalog.meters.named(caller.scope.id, "x") is None


async def test_meters_are_listed_the_default_ones_first_by_name_and_never_lost(
    catalog: Catalog, caller: Caller
) -> None:
    for name in ("b", "a", "c"):
        await catalog.meters.create(caller, NewMeter(name=name, reference=f"mtr_{name}"))
    await catalog.meters.archive(caller, "mtr_a")
    found = (await catalog.meters.all(caller.scope.id))[len(default_meters(0)) :]
    assert [(each.name, each.status) for each in found] == [
        ("a", MeterStatus.ARCHIVED), ("b", MeterStatus.ACTIVE), ("c", MeterStatus.ACTIVE),
    ]  # fmt: skip


async def test_a_change_says_when_and_no_change_says_nothing(opened: OpenedCatalog, caller: Caller) -> None:
    meters = opened.catalog.meters
    made = await meters.create(caller, NewMeter(name="pages", unit="p"))
    opened.clock.advance(timedelta(hours=1))
    assert await meters.change(caller, made.ref, MeterDetails(unit="p")) == made
    changed = await meters.change(caller, made.ref, MeterDetails(unit="pages"))
    expected = msgspec.structs.replace(made, unit="pages", updated_at=made.created_at + 3_600_000_000)
    assert changed == expected
    assert await opened.beside.meters.get(caller.scope.id, made.ref) == expected


async def test_what_another_scope_has_is_not_found(catalog: Catalog, caller: Caller, live: Caller) -> None:
    made = await catalog.meters.create(caller, NewMeter(name="pages"))
    assert await catalog.meters.get(live.scope.id, made.ref) is None
    with pytest.raises(MeterNotFound):
        await catalog.meters.change(live, made.ref, MeterDetails(unit="x"))
    with pytest.raises(MeterNotFound):
        await catalog.meters.archive(live, made.ref)
