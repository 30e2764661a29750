"""A hold costs the same however many there were: what has ended is never gone through again."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from meterhouse.metering.decide import decide
from meterhouse.metering.sweep import ExpirySweep
from meterhouse.model.credit import CreditKind
from meterhouse.model.hold import HoldStatus
from meterhouse.model.ledger import Credit, Recording, Reserve, Reserved, Settle
from meterhouse.model.plan import Plan, PlanType
from meterhouse.model.purchase import Origin, Sale
from meterhouse.model.units import NANO
from meterhouse.stores.embedded import commit
from meterhouse.stores.embedded.follower import Follower
from tests.contract.ledgers import EmbeddedLedger

PRODUCT = "prd_writer"
LIMITED = Plan(
    ref="pln_limited", product_ref=PRODUCT, name="Limited", limit=5_000, created_at=0, updated_at=0
)
PREPAID = Plan(
    ref="pln_prepaid", product_ref=PRODUCT, name="Prepaid", type=PlanType.USAGE_BASED, credits_per_unit=1,
    created_at=0, updated_at=0,
)  # fmt: skip
TTL = timedelta(seconds=10)
MANY = 300
PLANS = pytest.mark.parametrize("plan", [LIMITED, PREPAID], ids=["limited", "prepaid"])


class Read:
    """How many rows of the ledger were read."""

    def __init__(self) -> None:
        self.rows = 0

    def scan(self, follower: Follower, start: bytes, end: bytes, **how: Any) -> Any:
        for row in scan(follower, start, end, **how):
            self.rows += 1
            yield row

    def get(self, follower: Follower, key: bytes) -> bytes | None:
        self.rows += 1
        return get(follower, key)


scan, get = Follower.scan, Follower.get


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[EmbeddedLedger]:
    async with EmbeddedLedger(tmp_path) as ledger:
        yield ledger


async def sell(opened: EmbeddedLedger, plan: Plan) -> None:
    sale = Sale(customer_ref="cus_1", plan=plan, origin=Origin.ACTIVATION, paid=True)
    await opened.catalog.purchases.activate(opened.caller, sale)
    grant = Credit(
        scope_id=opened.caller.scope.id, customer_ref="cus_1", kind=CreditKind.GRANT, credits=5_000,
        reason=None, key=None,
    )  # fmt: skip
    await opened.ledger.record(Recording((grant,), decide))


async def reserve(opened: EmbeddedLedger, ttl: timedelta = TTL) -> int:
    action = Reserve(
        scope_id=opened.caller.scope.id, customer_ref="cus_1", product_ref=PRODUCT, units=NANO,
        ttl_us=ttl // timedelta(microseconds=1), key=None,
    )  # fmt: skip
    (done,) = await opened.ledger.record(Recording((action,), decide))
    assert isinstance(done, Reserved)
    assert done.hold is not None
    return done.hold.number


async def settle(opened: EmbeddedLedger, hold: int) -> None:
    action = Settle(scope_id=opened.caller.scope.id, hold=hold, units=NANO, type="usage.api_call", key=None)
    await opened.ledger.record(Recording((action,), decide))


async def held(opened: EmbeddedLedger) -> tuple[int, int]:
    account = await opened.ledger.standing(opened.caller.scope.id, "cus_1", PRODUCT)
    return account.held // NANO, account.used // NANO


@contextmanager
def reading() -> Iterator[Read]:
    read = Read()

    def counted_scan(follower: Follower, start: bytes, end: bytes, **how: Any) -> Any:
        return read.scan(follower, start, end, **how)

    def counted_get(follower: Follower, key: bytes) -> bytes | None:
        return read.get(follower, key)

    with patch.object(Follower, "scan", counted_scan), patch.object(Follower, "get", counted_get):
        yield read


async def rows_read(opened: EmbeddedLedger) -> int:
    """Return how many rows it takes to reserve, look, and settle, while another hold is open."""
    other = await reserve(opened)
    opened.clock.advance(timedelta(milliseconds=1))
    with reading() as read:
        hold = await reserve(opened)
        await held(opened)
        await settle(opened, hold)
    await settle(opened, other)
    return read.rows


@PLANS
async def test_a_hold_after_hundreds_reads_what_the_first_read(opened: EmbeddedLedger, plan: Plan) -> None:
    await sell(opened, plan)
    first = await rows_read(opened)
    for _ in range(MANY):
        await settle(opened, await reserve(opened))
    assert await rows_read(opened) == first
    opened.clock.advance(TTL)
    with reading() as read:
        await settle(opened, await reserve(opened))
    assert read.rows < MANY + 50  # their time has come: the place of each is looked at, and not the hold
    assert await rows_read(opened) == first
    opened.flush(keys=True, accounts=True)
    await opened.crash()
    with reading() as read:
        await reserve(opened)
    assert read.rows < 50  # how far it was is kept


async def test_only_open_holds_of_credits_are_listed(opened: EmbeddedLedger) -> None:
    await sell(opened, PREPAID)
    settled, kept = await reserve(opened), await reserve(opened)
    await settle(opened, settled)
    assert await opened.ledger.paid_holds(opened.caller.scope.id, "cus_1") == [kept]


@PLANS
async def test_when_the_time_of_many_comes_at_once_all_are_given_back_at_once(
    opened: EmbeddedLedger, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "_MOST_DUE", 3)
    await sell(opened, plan)
    numbers = [await reserve(opened) for _ in range(20)]
    for number in numbers[::4]:
        await settle(opened, number)
    last = await reserve(opened, 2 * TTL)
    assert await held(opened) == (16, 5)
    opened.clock.advance(TTL)
    assert await held(opened) == (1, 5)
    await settle(opened, numbers[1])  # late
    assert await held(opened) == (1, 6)
    while await ExpirySweep(opened.ledger).once():
        pass
    assert await held(opened) == (1, 6)
    statuses = []
    for number in [*numbers, last]:
        hold = await opened.ledger.hold(opened.caller.scope.id, number)
        assert hold is not None
        statuses.append(hold.status)
    assert statuses.count(HoldStatus.EXPIRED) == 14
    assert statuses[-1] is HoldStatus.OPEN
    assert await opened.rebuild() == 0


@PLANS
@pytest.mark.parametrize("flushed", [True, False])
async def test_after_a_crash_holds_expire_as_before(
    opened: EmbeddedLedger, plan: Plan, *, flushed: bool
) -> None:
    await sell(opened, plan)
    for _ in range(5):
        await settle(opened, await reserve(opened))
    opened.clock.advance(TTL)
    await settle(opened, await reserve(opened))
    open_ = [await reserve(opened), await reserve(opened, 3 * TTL)]
    if flushed:
        opened.flush(keys=True, accounts=True)
    await opened.crash()
    assert await held(opened) == (2, 6)
    opened.clock.advance(TTL)
    assert await held(opened) == (1, 6)
    await reserve(opened)
    await opened.crash()
    opened.clock.advance(2 * TTL)
    assert await held(opened) == (0, 6)
    for number in open_:
        hold = await opened.ledger.hold(opened.caller.scope.id, number)
        assert hold is not None
        assert hold.status is HoldStatus.EXPIRED
    assert await opened.rebuild() == 0
