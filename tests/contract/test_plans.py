"""What `ports.Plans` promises, on every adapter."""

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from meterhouse.model.audit import Action
from meterhouse.model.customer import Deletion
from meterhouse.model.errors import (
    IdempotencyConflict,
    PlanNotFound,
    ProductNotFound,
    ReferenceTaken,
    ValidationFailed,
)
from meterhouse.model.meter import Aggregation, NewMeter
from meterhouse.model.plan import Plan, PlanStatus
from meterhouse.model.plan_body import NewPlan, PlanDetails
from meterhouse.model.product import NewProduct, ProductDetails
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog
from tests.contract.catalogs import OpenedCatalog, actions, once

PRODUCT = "prd_1"
OTHER = "prd_2"
FREE = NewPlan(name="Free", reference="pln_free", default=True)
PRO = NewPlan(name="Pro", reference="pln_pro", price=1900)


@pytest.fixture(autouse=True)
async def products(catalog: Catalog, caller: Caller, live: Caller) -> None:
    for who in (caller, live):
        for ref in (PRODUCT, OTHER):
            await catalog.products.create(who, NewProduct(name=ref.replace("_", " "), reference=ref))


async def refs(catalog: Catalog, who: Caller, product: str = PRODUCT, *, hidden: bool = True) -> list[str]:
    return [plan.ref for plan in await catalog.plans.of_product(who.scope.id, product, hidden=hidden)]


async def test_a_plan_reads_back_as_it_was_answered(
    opened: OpenedCatalog, catalog: Catalog, caller: Caller
) -> None:
    made = await catalog.plans.create(caller, PRODUCT, PRO)
    opened.clock.advance(timedelta(hours=1))
    assert await catalog.plans.change(caller, PRODUCT, made.ref, PlanDetails(price=1900)) == made
    after = await catalog.plans.change(caller, PRODUCT, made.ref, PlanDetails(limit=10, interval="year"))
    expected = msgspec.structs.replace(
        made, limit=10, billing_cycle=after.billing_cycle, updated_at=made.created_at + 3_600_000_000
    )
    assert after == expected
    assert await opened.beside.plans.get(caller.scope.id, made.ref) == expected


async def test_plans_are_in_the_order_of_their_creation(catalog: Catalog, caller: Caller) -> None:
    names = ["pln_c", "pln_a", "pln_b"]
    for ref in names:
        await catalog.plans.create(caller, PRODUCT, NewPlan(name="Pro", reference=ref, hidden=ref == "pln_a"))
    await catalog.plans.create(caller, OTHER, NewPlan(name="Pro", reference="pln_other"))
    assert await refs(catalog, caller) == names
    assert await refs(catalog, caller, hidden=False) == ["pln_c", "pln_b"]
    found = await catalog.plans.of_products(caller.scope.id, [OTHER, PRODUCT, "prd_none"], hidden=False)
    assert {product: [plan.ref for plan in plans] for product, plans in found.items()} == {
        PRODUCT: ["pln_c", "pln_b"], OTHER: ["pln_other"], "prd_none": [],
    }  # fmt: skip


async def test_a_product_has_one_default_plan_at_most(catalog: Catalog, caller: Caller) -> None:
    plans, scope_id = catalog.plans, caller.scope.id
    assert await plans.default_of(scope_id, PRODUCT) is None
    await plans.create(caller, PRODUCT, FREE)
    elsewhere = await plans.create(caller, OTHER, NewPlan(name="Free", default=True))
    second = await plans.create(caller, PRODUCT, NewPlan(name="Freer", default=True))
    assert await plans.default_of(scope_id, PRODUCT) == second
    first = await plans.change(caller, PRODUCT, "pln_free", PlanDetails(default=True))
    assert await plans.default_of(scope_id, PRODUCT) == first
    found = await plans.of_product(scope_id, PRODUCT, hidden=True)
    assert [plan.is_default for plan in found] == [True, False]
    assert await plans.default_of(scope_id, OTHER) == elsewhere


async def test_a_default_plan_that_is_not_active_is_none(catalog: Catalog, caller: Caller) -> None:
    await catalog.plans.create(caller, PRODUCT, FREE)
    for status, there in (("archived", False), ("active", True), ("inactive", False)):
        await catalog.plans.change(caller, PRODUCT, "pln_free", PlanDetails(status=status))
        assert (await catalog.plans.default_of(caller.scope.id, PRODUCT) is not None) is there


async def test_a_refused_default_leaves_the_other_one(catalog: Catalog, caller: Caller) -> None:
    free = await catalog.plans.create(caller, PRODUCT, FREE)
    await catalog.plans.create(caller, PRODUCT, PRO)
    with pytest.raises(ValidationFailed):
        await catalog.plans.change(caller, PRODUCT, "pln_pro", PlanDetails(default=True))
    assert await catalog.plans.default_of(caller.scope.id, PRODUCT) == free


async def test_a_reference_is_taken_in_every_product_of_the_scope(
    catalog: Catalog, caller: Caller, live: Caller
) -> None:
    await catalog.plans.create(caller, PRODUCT, PRO)
    with pytest.raises(ReferenceTaken):
        await catalog.plans.create(caller, OTHER, PRO)
    await catalog.plans.create(live, PRODUCT, PRO)


async def test_a_deleted_plan_is_gone_and_in_live_keeps_its_reference(
    catalog: Catalog, caller: Caller, live: Caller
) -> None:
    for who, outcome in ((caller, Deletion.DELETED), (live, Deletion.SOFT_DELETED)):
        await catalog.plans.create(who, PRODUCT, FREE)
        assert await catalog.plans.delete(who, PRODUCT, "pln_free") is outcome
        assert await catalog.plans.get(who.scope.id, "pln_free") is None
        assert await catalog.plans.default_of(who.scope.id, PRODUCT) is None
        assert await refs(catalog, who) == []
        with pytest.raises(PlanNotFound):
            await catalog.plans.delete(who, PRODUCT, "pln_free")
        await catalog.plans.create(who, PRODUCT, NewPlan(name="Free", default=True))
    await catalog.plans.create(caller, PRODUCT, FREE)
    with pytest.raises(ReferenceTaken):
        await catalog.plans.create(live, PRODUCT, FREE)


async def test_plans_go_with_their_product(catalog: Catalog, caller: Caller, live: Caller) -> None:
    for who in (caller, live):
        await catalog.plans.create(who, PRODUCT, FREE)
        await catalog.products.change(who, PRODUCT, ProductDetails(name="Renamed"))
        assert await refs(catalog, who) == ["pln_free"]
        await catalog.products.delete(who, PRODUCT)
        assert await catalog.plans.get(who.scope.id, "pln_free") is None
        done = await actions(catalog, who)
        assert done[-2:] == [(Action.PLAN_ARCHIVED, "pln_free"), (Action.PRODUCT_DELETED, PRODUCT)]
        with pytest.raises(ProductNotFound):
            await catalog.plans.create(who, PRODUCT, PRO)


async def test_a_clone_has_copies_of_the_plans_under_new_refs(catalog: Catalog, caller: Caller) -> None:
    for new in (FREE, PRO, NewPlan(name="Enterprise", hidden=True)):
        await catalog.plans.create(caller, PRODUCT, new)
    clone = await catalog.products.clone(caller, PRODUCT, None)
    originals = await catalog.plans.of_product(caller.scope.id, PRODUCT, hidden=True)
    copies = await catalog.plans.of_product(caller.scope.id, clone.ref, hidden=True)

    def without_refs(plan: Plan) -> Plan:
        return msgspec.structs.replace(plan, ref="", product_ref="")

    assert list(map(without_refs, copies)) == list(map(without_refs, originals))
    assert len({plan.ref for plan in [*originals, *copies]}) == 6
    assert (await actions(catalog, caller))[-4:] == [
        (Action.PRODUCT_CLONED, clone.ref), *((Action.PLAN_CREATED, plan.ref) for plan in copies),
    ]  # fmt: skip


async def test_a_plan_is_not_found_but_under_its_own_product_and_scope(
    catalog: Catalog, caller: Caller, live: Caller
) -> None:
    await catalog.plans.create(caller, PRODUCT, PRO)
    for who, product, expected in (
        (caller, OTHER, PlanNotFound),
        (live, PRODUCT, PlanNotFound),
        (caller, "prd_none", ProductNotFound),
    ):
        with pytest.raises(expected):
            await catalog.plans.change(who, product, "pln_pro", PlanDetails(price=1))
        with pytest.raises(expected):
            await catalog.plans.delete(who, product, "pln_pro")
    assert await catalog.plans.get(live.scope.id, "pln_pro") is None


async def test_a_plan_measures_by_a_meter_that_adds_up(catalog: Catalog, caller: Caller) -> None:
    for name, aggregation in (
        ("words", Aggregation.SUM),
        ("peak", Aggregation.MAX),
        ("old", Aggregation.COUNT),
    ):
        await catalog.meters.create(
            caller, NewMeter(name=name, reference=f"mtr_{name}", aggregation=aggregation)
        )
    await catalog.meters.archive(caller, "mtr_old")
    by_ref = await catalog.plans.create(caller, PRODUCT, NewPlan(name="A2", meter_ref="mtr_words"))
    by_name = await catalog.plans.create(caller, PRODUCT, NewPlan(name="A3", measures="words"))
    assert {(plan.meter_ref, plan.measures) for plan in (by_ref, by_name)} == {("mtr_words", "words")}
    for ref in ("mtr_peak", "mtr_old", "mtr_none"):
        with pytest.raises(ValidationFailed) as refused:
            await catalog.plans.create(caller, PRODUCT, NewPlan(name="A4", meter_ref=ref))
        assert refused.value.errors[0].path == "meterRef"
    with pytest.raises(ValidationFailed) as refused:
        await catalog.plans.create(caller, PRODUCT, NewPlan(name="A4", measures="peak"))
    assert refused.value.errors[0].path == "measures"
    both = NewPlan(name="A4", meter_ref="mtr_words", measures="peak")
    with pytest.raises(ValidationFailed) as refused:
        await catalog.plans.create(caller, PRODUCT, both)
    assert refused.value.errors[0].path == "measures"


async def test_a_plan_keeps_a_meter_archived_after_it_and_can_go_back_to_requests(
    catalog: Catalog, caller: Caller
) -> None:
    await catalog.meters.create(caller, NewMeter(name="words", reference="mtr_words"))
    made = await catalog.plans.create(caller, PRODUCT, NewPlan(name="Words", measures="words"))
    await catalog.meters.archive(caller, "mtr_words")
    repeated = PlanDetails(meter_ref="mtr_words", measures="words")
    kept = await catalog.plans.change(caller, PRODUCT, made.ref, repeated)
    assert kept == replace(made, status=PlanStatus.INACTIVE)  # it is sold no more
    after = await catalog.plans.change(caller, PRODUCT, made.ref, PlanDetails(measures="requests"))
    assert (after.meter_ref, after.measures) == ("mtr_requests", "requests")


async def test_a_repeat_with_its_key_is_answered_and_writes_nothing(catalog: Catalog, caller: Caller) -> None:
    new = NewPlan(name="Pro", price=1900)
    key = once(operation="createPlan")
    first = await catalog.plans.create(caller, PRODUCT, new, key)
    await catalog.plans.change(caller, PRODUCT, first.ref, PlanDetails(price=1))
    assert await catalog.plans.create(caller, PRODUCT, new, key) == first
    with pytest.raises(IdempotencyConflict):
        await catalog.plans.create(caller, PRODUCT, new, once(b"2", "createPlan"))
    assert await refs(catalog, caller) == [first.ref]


async def test_every_write_of_a_plan_is_in_the_audit(catalog: Catalog, caller: Caller) -> None:
    await catalog.plans.create(caller, PRODUCT, FREE)
    await catalog.plans.create(caller, PRODUCT, NewPlan(name="Other", reference="pln_other", default=True))
    await catalog.plans.change(caller, PRODUCT, "pln_free", PlanDetails(limit=5))
    await catalog.plans.delete(caller, PRODUCT, "pln_free")
    assert (await actions(catalog, caller))[2:] == [
        (Action.PLAN_CREATED, "pln_free"),
        (Action.PLAN_UPDATED, "pln_free"),  # no default any more
        (Action.PLAN_CREATED, "pln_other"),
        (Action.PLAN_UPDATED, "pln_free"),
        (Action.PLAN_ARCHIVED, "pln_free"),
    ]
