"""The sweep writes expired holds and credits into the log, read or not, and never gives up."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from meterhouse.metering import sweep
from meterhouse.metering.decide import decide
from meterhouse.metering.sweep import ExpirySweep
from meterhouse.model.credit import CreditKind
from meterhouse.model.entry import Ended, Expired
from meterhouse.model.errors import LogUnavailable
from meterhouse.model.event import to_microseconds
from meterhouse.model.hold import HoldStatus
from meterhouse.model.ledger import Credit, Outcomes, Recording, Release, Reserve, Reserved
from meterhouse.model.plan import Plan
from meterhouse.model.purchase import Origin, Sale
from meterhouse.model.units import NANO
from meterhouse.ports import Ledger
from meterhouse.stores.embedded import commit
from tests.contract.ledgers import EmbeddedLedger

PRODUCT = "prd_content_api"
PLAN = Plan(ref="pln_free", product_ref=PRODUCT, name="Free", limit=100, created_at=0, updated_at=0)


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[EmbeddedLedger]:
    async with EmbeddedLedger(tmp_path) as opened:
        yield opened


async def reserve(opened: EmbeddedLedger, customer: str, seconds: int) -> int:
    """Return the number of a new hold of a customer, who gets the plan where it has none."""
    sale = Sale(customer_ref=customer, plan=PLAN, origin=Origin.ACTIVATION, paid=False)
    await opened.catalog.purchases.activate(opened.caller, sale)
    action = Reserve(
        scope_id=opened.caller.scope.id,
        customer_ref=customer,
        product_ref=PRODUCT,
        units=NANO,
        ttl_us=seconds * 1_000_000,
        key=None,
    )
    (done,) = await opened.ledger.record(Recording((action,), decide))
    assert isinstance(done, Reserved)
    assert done.hold is not None
    return done.hold.number


async def ends(opened: EmbeddedLedger) -> list[Ended]:
    return [entry for entry in await opened.entries() if isinstance(entry, Ended)]


async def test_a_sweep_writes_down_once_and_at_its_time_what_has_expired(opened: EmbeddedLedger) -> None:
    began = to_microseconds(opened.now())
    lost = [await reserve(opened, f"cus_{seconds}", seconds) for seconds in (30, 60)]
    released, kept = await reserve(opened, "cus_30", 60), await reserve(opened, "cus_60", 61)
    release = Release(scope_id=opened.caller.scope.id, hold=released)
    await opened.ledger.record(Recording((release,), decide))
    opened.clock.advance(timedelta(seconds=60, microseconds=-1))
    sweep = ExpirySweep(opened.ledger)
    assert await sweep.once()
    opened.clock.advance(timedelta(microseconds=1))
    assert (await sweep.once(), await sweep.once()) == (True, False)
    written = [
        (each.number, each.at - began) for each in await ends(opened) if each.status is HoldStatus.EXPIRED
    ]
    assert written == [(lost[0], 30_000_000), (lost[1], 60_000_000)]
    hold = await opened.ledger.hold(opened.caller.scope.id, kept)
    assert hold is not None
    assert hold.status is HoldStatus.OPEN
    assert await opened.rebuild() == 0


class FailingOnce:
    """A ledger that cannot be written at first."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.refused = False
        self.nothing_is_due = asyncio.Event()

    async def is_due(self) -> bool:
        is_due = await self._ledger.is_due()
        if not is_due:
            self.nothing_is_due.set()
        return is_due

    async def record(self, recording: Recording) -> Sequence[Outcomes]:
        if not self.refused:
            self.refused = True
            raise LogUnavailable
        return await self._ledger.record(recording)


async def test_the_sweep_goes_on_after_a_failure_until_nothing_is_due(
    opened: EmbeddedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(commit, "_MOST_DUE", 2)  # of more it takes several turns
    numbers = [await reserve(opened, "cus_1", 30) for _ in range(5)]
    opened.clock.advance(timedelta(seconds=30))
    failing = FailingOnce(opened.ledger)
    running = asyncio.create_task(ExpirySweep(cast("Ledger", failing)).run())
    async with asyncio.timeout(30):
        await failing.nothing_is_due.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert failing.refused
    assert sorted(each.number for each in await ends(opened)) == numbers


async def test_a_sweep_writes_once_and_at_their_time_which_credits_expired(opened: EmbeddedLedger) -> None:
    scope_id, now = opened.caller.scope.id, to_microseconds(opened.now())
    times = [now + seconds * 1_000_000 for seconds in (30, 30, 60, 90)]
    for number, time in enumerate(times):
        grant = Credit(
            scope_id=scope_id, customer_ref=f"cus_{number % 2}", kind=CreditKind.GRANT, credits=10 + number,
            reason=None, key=None, expires_at=time,
        )  # fmt: skip
        await opened.ledger.record(Recording((grant,), decide))
    opened.clock.advance(timedelta(seconds=60))
    sweep = ExpirySweep(opened.ledger)
    assert (await sweep.once(), await sweep.once()) == (True, False)
    expired = [entry for entry in await opened.entries() if isinstance(entry, Expired)]
    assert sorted((entry.at, entry.credits) for entry in expired) == [
        (times[0], 10), (times[1], 11), (times[2], 12),
    ]  # fmt: skip
    assert await opened.rebuild() == 0
