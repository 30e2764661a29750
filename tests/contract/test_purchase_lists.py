"""Purchases are listed the newest first, however many there are, and each once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from meterhouse.model.plan import Plan
from meterhouse.model.purchase import Origin, Purchase, PurchaseQuestion, Sale
from tests.contract.ledgers import EmbeddedLedger

PRODUCTS = ("prd_writer", "prd_reader")
SOLD = 460
AT_ONCE = 7
"""So many are sold in the same microsecond."""


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[EmbeddedLedger]:
    async with EmbeddedLedger(tmp_path) as ledger:
        yield ledger


async def sell(opened: EmbeddedLedger, number: int) -> Purchase:
    product = PRODUCTS[number % 2]
    plan = Plan(ref=f"pln_{number}", product_ref=product, name="Open", created_at=0, updated_at=0)
    sale = Sale(customer_ref=f"cus_{number % 30}", plan=plan, origin=Origin.ACTIVATION, paid=False)
    return await opened.catalog.purchases.activate(opened.caller, sale)


async def sold(opened: EmbeddedLedger) -> list[Purchase]:
    found = []
    for number in range(SOLD):
        if number % AT_ONCE == 0:
            opened.clock.advance(timedelta(seconds=1))
        found.append(await sell(opened, number))
    return found


async def listed(opened: EmbeddedLedger, question: PurchaseQuestion) -> list[Purchase]:
    pages = opened.catalog.purchases.matching(opened.caller.scope.id, question)
    return [purchase async for page in pages for purchase in page]


def newest_first(purchases: list[Purchase]) -> bool:
    times = [each.created_at for each in purchases]
    return times == sorted(times, reverse=True)


async def test_every_purchase_is_listed_once_the_newest_first(opened: EmbeddedLedger) -> None:
    refs = {each.ref for each in await sold(opened)}
    found = await listed(opened, PurchaseQuestion())
    assert newest_first(found)
    assert len(found) == len(refs) == SOLD
    assert {each.ref for each in found} == refs


@pytest.mark.parametrize("product", [None, *PRODUCTS])
@pytest.mark.parametrize("customer", [None, "cus_4", "cus_nobody"])
async def test_a_list_of_some_has_those(
    opened: EmbeddedLedger, product: str | None, customer: str | None
) -> None:
    everything = await sold(opened)
    found = await listed(opened, PurchaseQuestion(customer_ref=customer, product_ref=product))
    assert newest_first(found)
    assert sorted(each.ref for each in found) == sorted(
        each.ref
        for each in everything
        if product in (None, each.product_ref) and customer in (None, each.customer_ref)
    )


async def test_what_is_sold_while_a_list_is_read_is_not_in_it(opened: EmbeddedLedger) -> None:
    refs = {each.ref for each in await sold(opened)}
    pages = opened.catalog.purchases.matching(opened.caller.scope.id, PurchaseQuestion())
    found = [each.ref for each in await anext(pages)]
    assert len(found) < SOLD
    opened.clock.advance(timedelta(seconds=1))
    await sell(opened, SOLD)
    found += [each.ref async for page in pages for each in page]
    assert len(found) == SOLD
    assert set(found) == refs


async def test_another_scope_has_none_of_them(opened: EmbeddedLedger) -> None:
    await sell(opened, 1)
    pages = opened.catalog.purchases.matching(opened.caller.scope.id + 1, PurchaseQuestion())
    assert [page async for page in pages] == []
