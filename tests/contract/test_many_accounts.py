"""Reading many accounts at once says what reading each says."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterhouse.metering.decide import decide
from meterhouse.model.credit import CreditKind
from meterhouse.model.customer import NewCustomer
from meterhouse.model.event import Outcome
from meterhouse.model.ledger import Action, Credit, Recording, Reserve, Track
from meterhouse.model.plan import BillingCycle, Plan, PlanType
from meterhouse.model.product import NewProduct
from meterhouse.model.purchase import Origin, Purchase, Sale
from meterhouse.model.units import NANO
from tests.contract.ledgers import EmbeddedLedger

PRODUCT = "prd_writer"


def plan(ref: str, **fields: Any) -> Plan:
    return Plan(ref=ref, product_ref=PRODUCT, name=ref, created_at=0, updated_at=0, **fields)


PLANS = (
    plan("pln_roll", limit=10, rollover_unused_units=True, billing_cycle=BillingCycle.WEEKLY),
    plan("pln_payg", type=PlanType.USAGE_BASED, credits_per_unit=3),
    plan("pln_open", billing_cycle=BillingCycle.MONTHLY),
)


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[EmbeddedLedger]:
    async with EmbeddedLedger(tmp_path) as ledger:
        yield ledger


async def do(opened: EmbeddedLedger, action: Action) -> None:
    await opened.ledger.record(Recording((action,), decide))


async def live_through(opened: EmbeddedLedger, customers: int) -> list[Purchase]:
    """Let so many customers buy, use, and hold; some holds end by their time alone. Two weeks pass."""
    scope_id, found = opened.caller.scope.id, []
    for number in range(customers):
        ref = f"cus_{number}"
        sale = Sale(customer_ref=ref, plan=PLANS[number % 3], origin=Origin.ACTIVATION, paid=True)
        found.append(await opened.catalog.purchases.activate(opened.caller, sale))
        credit = Credit(
            scope_id=scope_id, customer_ref=ref, kind=CreditKind.GRANT, credits=90, reason=None, key=None
        )
        await do(opened, credit)
    for ttl_days in (3, 30):
        for number in range(customers):
            await use(opened, scope_id, f"cus_{number}", number % 4, ttl_days)
        opened.clock.advance(timedelta(days=7))
    return found


async def use(opened: EmbeddedLedger, scope_id: int, ref: str, units: int, ttl_days: int) -> None:
    track = Track(
        scope_id=scope_id, type="usage.api_call", customer_ref=ref,  product_ref=PRODUCT,
        purchase_ref=None, meter=None, units=units * NANO, outcome=Outcome.SUCCESS, timestamp=None, key=None,
    )  # fmt: skip
    reserve = Reserve(
        scope_id=scope_id, customer_ref=ref, product_ref=PRODUCT, units=NANO,
        ttl_us=ttl_days * 86_400_000_000, key=None,
    )  # fmt: skip
    await do(opened, track)
    await do(opened, reserve)


async def test_the_accounts_of_many_are_those_of_each(opened: EmbeddedLedger) -> None:
    scope_id = opened.caller.scope.id
    bought = await live_through(opened, 9)
    together = await opened.ledger.of_purchases(scope_id, bought)
    alone = [await opened.ledger.standing(scope_id, each.customer_ref, PRODUCT) for each in bought]
    assert list(together) == alone
    assert {account.held for account in alone if account.carried == 0} >= {NANO}
    assert any(account.carried for account in alone)


async def test_the_balances_of_many_are_those_of_each(opened: EmbeddedLedger) -> None:
    scope_id = opened.caller.scope.id
    refs = [each.customer_ref for each in await live_through(opened, 6)]
    found = await opened.ledger.balances(scope_id, [*refs, "cus_nobody"])
    assert found == {ref: await opened.ledger.balance(scope_id, ref) for ref in [*refs, "cus_nobody"]}
    assert found[refs[1]].held == 3
    assert (found["cus_nobody"].credits, found["cus_nobody"].held) == (0, 0)


async def test_what_each_period_used_is_told(opened: EmbeddedLedger) -> None:
    purchase = (await live_through(opened, 4))[3]
    assert await opened.ledger.used(opened.caller.scope.id, purchase.ref) == {0: 3 * NANO, 1: 3 * NANO}
    assert await opened.ledger.used(opened.caller.scope.id + 1, purchase.ref) == {}


async def test_current_purchases_and_names_are_found_for_many(opened: EmbeddedLedger) -> None:
    caller, catalog = opened.caller, opened.catalog
    bought = await live_through(opened, 3)
    sale = Sale(customer_ref="cus_0", plan=PLANS[2], origin=Origin.ACTIVATION, paid=True)
    newer = await catalog.purchases.activate(caller, sale)
    found = await catalog.purchases.current(caller.scope.id, ["cus_0", "cus_2", "cus_nobody"])
    assert [each.ref for each in found] == [newer.ref, bought[2].ref]
    ada = await catalog.customers.create(caller, NewCustomer(email="ada@example.com"))
    product = await catalog.products.create(caller, NewProduct(name="Writer", reference=PRODUCT))
    for scope_id, is_own in ((caller.scope.id, True), (caller.scope.id + 1, False)):
        customers = await catalog.customers.of_refs(scope_id, [ada.ref, "cus_nobody"])
        products = await catalog.products.of_refs(scope_id, [PRODUCT, "prd_none"])
        assert customers == ({ada.ref: ada} if is_own else {})
        assert products == ({PRODUCT: product} if is_own else {})
