"""A decision that fails as nobody foresaw takes nobody with it who shares its commit."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meterhouse.metering.decide import decide
from meterhouse.model.errors import IdempotencyConflict
from meterhouse.model.event import Outcome
from meterhouse.model.hold import Hold
from meterhouse.model.ledger import Account, Action, Recording, Skipped, Track, Tracked, Verdict
from meterhouse.model.plan import BillingCycle, Plan
from meterhouse.model.purchase import Origin, Sale
from meterhouse.model.units import NANO
from tests.contract.ledgers import EmbeddedLedger

PLAN = Plan(
    ref="pln_open", product_ref="prd_writer", name="Open", billing_cycle=BillingCycle.MONTHLY,
    created_at=0, updated_at=0,
)  # fmt: skip
UNLUCKY = 13


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[EmbeddedLedger]:
    async with EmbeddedLedger(tmp_path) as ledger:
        sale = Sale(customer_ref="cus_1", plan=PLAN, origin=Origin.ACTIVATION, paid=False)
        await ledger.catalog.purchases.activate(ledger.caller, sale)
        yield ledger


def track(opened: EmbeddedLedger, units: int, key: str | None = None) -> Track:
    return Track(
        scope_id=opened.caller.scope.id, type="usage.api_call", customer_ref="cus_1",
        product_ref=PLAN.product_ref, purchase_ref=None, meter=None, units=units * NANO,
        outcome=Outcome.SUCCESS, timestamp=None, key=key,
    )  # fmt: skip


def superstitious(action: Action, account: Account, hold: Hold | None, number: int) -> Verdict:
    if isinstance(action, Track) and action.units == UNLUCKY * NANO:
        raise ZeroDivisionError
    return decide(action, account, hold, number)


async def test_a_fault_in_one_recording_leaves_the_others_of_its_commit(opened: EmbeddedLedger) -> None:
    await opened.ledger.record(Recording((track(opened, 1, "taken"),), decide))
    before = len(await opened.log.read(0, 100))
    half_done = (track(opened, 4, "half"), track(opened, UNLUCKY, "unlucky"))
    recordings = [
        (track(opened, 2, "first"),),
        half_done,
        (track(opened, 5, "taken"),),
        (track(opened, UNLUCKY),),
        (track(opened, 8, "last"),),
    ]
    found = await asyncio.gather(
        *(opened.ledger.record(Recording(actions, superstitious)) for actions in recordings),
        return_exceptions=True,
    )
    assert len(await opened.log.read(0, 100)) == before + 1  # they shared it
    first, broken, conflict, broken_too, last = found
    assert [type(each) for each in (broken, conflict, broken_too)] == [
        ZeroDivisionError, IdempotencyConflict, ZeroDivisionError,
    ]  # fmt: skip
    assert not isinstance(first, BaseException)
    assert not isinstance(last, BaseException)
    used = await opened.ledger.standing(opened.caller.scope.id, "cus_1", "prd_writer")
    assert used.used == (1 + 2 + 8) * NANO
    assert [entry.whole for entry in await opened.entries() if hasattr(entry, "whole")] == [1, 2, 8]
    numbers = [each.event_number for each in (*first, *last) if isinstance(each, Tracked)]
    assert numbers == [numbers[0], numbers[0] + 1]
    hours = await opened.catalog.tally.hours(opened.caller.scope.id, 0, 2**40)
    (counts,) = [hour.counts for hour in hours]
    assert counts == {"received": 4, "stored": 3, "idempotency_conflict": 1}
    assert await opened.rebuild() == 0


async def test_what_failed_burns_no_key(opened: EmbeddedLedger) -> None:
    half_done = (track(opened, 4, "half"), track(opened, UNLUCKY, "unlucky"))
    with pytest.raises(ZeroDivisionError):
        await opened.ledger.record(Recording(half_done, superstitious))
    again = await opened.ledger.record(Recording(half_done, decide))
    assert [each.debit for each in again if isinstance(each, Tracked)] == [Skipped.PLAN_NOT_CREDIT_BASED] * 2
    used = await opened.ledger.standing(opened.caller.scope.id, "cus_1", "prd_writer")
    assert used.used == (4 + UNLUCKY) * NANO
