"""What `ports.Meters` promises, on every adapter."""

from datetime import timedelta

import msgspec
import pytest

from meterhouse.model.errors import MeterNameTaken, MeterNotFound, ReferenceTaken
from meterhouse.model.meter import MeterDetails, MeterStatus, NewMeter
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog
from tests.contract.catalogs import OpenedCatalog


async def test_a_meter_has_its_name_and_reference_for_itself(
    catalog: Catalog, caller: Caller, live: Caller
) -> None:
    made = await catalog.meters.create(caller, NewMeter(name="tokens", reference="mtr_1"))
    with pytest.raises(MeterNameTaken):
        await catalog.meters.create(caller, NewMeter(name="tokens"))
    with pytest.raises(ReferenceTaken):
        await catalog.meters.create(caller, NewMeter(name="other", reference="mtr_1"))
    theirs = await catalog.meters.create(live, NewMeter(name="tokens", reference="mtr_1"))
    assert await catalog.meters.all(caller.scope.id) == [made]
    assert await catalog.meters.all(live.scope.id) == [theirs]


async def test_meters_are_listed_by_name_and_never_lost(catalog: Catalog, caller: Caller) -> None:
    for name in ("b", "a", "c"):
        await catalog.meters.create(caller, NewMeter(name=name, reference=f"mtr_{name}"))
    await catalog.meters.archive(caller, "mtr_a")
    found = await catalog.meters.all(caller.scope.id)
    assert [(each.name, each.status) for each in found] == [
        ("a", MeterStatus.ARCHIVED), ("b", MeterStatus.ACTIVE), ("c", MeterStatus.ACTIVE),
    ]  # fmt: skip


async def test_a_change_says_when_and_no_change_says_nothing(opened: OpenedCatalog, caller: Caller) -> None:
    meters = opened.catalog.meters
    made = await meters.create(caller, NewMeter(name="tokens", unit="t"))
    opened.clock.advance(timedelta(hours=1))
    assert await meters.change(caller, made.ref, MeterDetails(unit="t")) == made
    changed = await meters.change(caller, made.ref, MeterDetails(unit="tokens"))
    expected = msgspec.structs.replace(made, unit="tokens", updated_at=made.created_at + 3_600_000_000)
    assert changed == expected
    assert await opened.beside.meters.get(caller.scope.id, made.ref) == expected


async def test_what_another_scope_has_is_not_found(catalog: Catalog, caller: Caller, live: Caller) -> None:
    made = await catalog.meters.create(caller, NewMeter(name="tokens"))
    assert await catalog.meters.get(live.scope.id, made.ref) is None
    with pytest.raises(MeterNotFound):
        await catalog.meters.change(live, made.ref, MeterDetails(unit="x"))
    with pytest.raises(MeterNotFound):
        await catalog.meters.archive(live, made.ref)
