"""Auto-recharge: a saved card is charged for credits when a balance runs low (contract §3.7).

The charge runs in the background, never in the request that debits. Each is counted in a transaction before
any money moves, and has its own idempotency key: after a crash, the repeat charges nothing more.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from meterhouse.metering.auto_recharge import AutoRecharges
from meterhouse.metering.background import repeat
from meterhouse.metering.payments import PaymentRequest, Payments
from meterhouse.model.auto_recharge import AutoRecharge, abandoned, begun, failed, succeeded, waiting
from meterhouse.model.errors import MeterhouseError, PaymentsNotConfigured, Refused, ValidationFailed
from meterhouse.model.payment import PaymentPurpose, PaymentStatus
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog, Ledger

_PAUSE_SECONDS: Final = 0.25
_SHARE: Final = 10
"""A sweep that took long is followed by a pause of so many times its length: it takes a tenth of the time."""
_PAGE: Final = 200
_CHARGES_AT_ONCE: Final = 4
"""Of one scope: a slow processor in live does not hold up the sandbox."""
_CHARGES_WAITING: Final = 1_000
"""Of all scopes; the next sweep finds the others."""
_RESUME_US: Final = 60_000_000
"""A charge that has not ended after so long is taken up: the server stopped, or the processor was silent."""
_UNDECIDED: Final = (PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_CAPTURE)
_DESCRIPTION: Final = "Auto-recharge"
_logger = structlog.get_logger()


class RechargeSweep:
    """Charges customers whose balance is below their threshold. Each has at most one charge in flight."""

    def __init__(
        self, catalog: Catalog, ledger: Ledger, payments: Payments, recharges: AutoRecharges
    ) -> None:
        self._catalog = catalog
        self._ledger = ledger
        self._payments = payments
        self._recharges = recharges
        self._resting: dict[tuple[int, str], int] = {}
        self._under_way: dict[tuple[int, str], asyncio.Task[None]] = {}
        self._turns: dict[int, asyncio.Semaphore] = {}

    async def once(self) -> None:
        """Look at every balance that is watched, and begin a charge where it is low. Waits for no charge."""
        after: tuple[int, str] | None = None
        while page := await self._catalog.auto_recharges.watched(after, _PAGE):
            scope_id, last = page[-1]
            after = (scope_id, last.customer_ref)
            for each in await self._low(page):
                if self._is_due(*each):
                    self._start(*each)
            await asyncio.sleep(0)

    async def run(self) -> None:
        """Sweep four times a second, for ever; see `background.repeat`. Charges end with it."""
        try:
            await repeat("auto_recharge_sweep", self._sweep)
        finally:
            under_way = tuple(self._under_way.values())
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _sweep(self) -> float:
        began = asyncio.get_running_loop().time()
        await self.once()
        took = asyncio.get_running_loop().time() - began
        return max(_PAUSE_SECONDS, took * _SHARE)

    async def _low(self, page: Sequence[tuple[int, AutoRecharge]]) -> list[tuple[int, AutoRecharge]]:
        """Return those whose balance is below the threshold, and those whose charge has not ended."""
        found: list[tuple[int, AutoRecharge]] = []
        for scope_id in dict.fromkeys(scope_id for scope_id, _ in page):
            configs = [config for of, config in page if of == scope_id]
            scope = await self._catalog.providers.scope_by_id(scope_id)
            merchant = await self._catalog.providers.merchant(scope.provider_ref)
            balances = await self._ledger.balances(scope_id, [each.customer_ref for each in configs])
            found += [
                (scope_id, each)
                for each in configs
                if each.charging is not None
                or balances[each.customer_ref].credits
                < merchant.credits_for(each.terms.threshold, each.terms.currency)
            ]
        return found

    def _start(self, scope_id: int, config: AutoRecharge) -> None:
        """Charge in a task of its own."""
        place = scope_id, config.customer_ref
        task = asyncio.create_task(self._in_turn(scope_id, config))
        self._under_way[place] = task
        task.add_done_callback(lambda _: self._under_way.pop(place))

    async def _in_turn(self, scope_id: int, config: AutoRecharge) -> None:
        turns = self._turns.setdefault(scope_id, asyncio.Semaphore(_CHARGES_AT_ONCE))
        waits = turns.locked()
        async with turns:
            await self._handle(scope_id, config, look_again=waits)

    def _is_due(self, scope_id: int, config: AutoRecharge) -> bool:
        now_us = self._recharges.now()
        if (scope_id, config.customer_ref) in self._under_way or len(self._under_way) >= _CHARGES_WAITING:
            return False
        if 0 < self._resting.get((scope_id, config.customer_ref), 0) - now_us <= _RESUME_US:
            return False
        self._resting.pop((scope_id, config.customer_ref), None)
        if config.charging is not None:
            return abs(now_us - config.charging.since) >= _RESUME_US  # it may be of a clock that was ahead
        if config.method is None:
            return config.retry_at is None or config.retry_at <= now_us
        return config.may_charge(now_us, self._recharges.most_daily)

    async def _handle(self, scope_id: int, config: AutoRecharge, *, look_again: bool) -> None:
        """look_again: it has waited, and the balance may have risen since."""
        try:
            if look_again and not await self._low([(scope_id, config)]):
                return
            caller = Caller(await self._catalog.providers.scope_by_id(scope_id), "auto-recharge")
            if config.method is None:
                config = await self._recharges.completed(caller, config)
                if config.method is None:
                    await self._change(caller, config, waiting)
                    return
            if config.charging is None:
                started = await self._begin(caller, config)
                if started is None:
                    return
                config = started
            await self._charge(caller, config)
        except Exception as error:  # one customer must not keep the others waiting
            self._resting[scope_id, config.customer_ref] = self._recharges.now() + _RESUME_US
            unforeseen = None if isinstance(error, MeterhouseError) else error
            _logger.warning(
                "auto_recharge_failed", customer=config.customer_ref, error=str(error), exc_info=unforeseen
            )

    async def _begin(self, caller: Caller, seen: AutoRecharge) -> AutoRecharge | None:
        """Count a charge and mark it in flight; None where another was begun since the balance was read."""
        return await self._change(
            caller,
            seen,
            lambda now, now_us: (
                begun(now, now_us)
                if now.charges == seen.charges and now.may_charge(now_us, self._recharges.most_daily)
                else None
            ),
        )

    async def _charge(self, caller: Caller, config: AutoRecharge) -> None:
        """Bring the charge in flight to its end.

        It stays in flight where the processor cannot be asked, or where its credits cannot be given: another
        charge would take the money again.
        """
        charging = config.charging
        assert charging is not None  # noqa: S101 - it was begun
        asked = PaymentRequest(
            customer_ref=config.customer_ref,
            purpose=PaymentPurpose.CREDIT_TOPUP,
            amount=charging.amount,
            currency=charging.currency,
            description=_DESCRIPTION,
            method=charging.method,
        )
        try:
            payment = await self._payments.charge(caller, asked, config.key, wanted=config.enabled)
        except PaymentsNotConfigured:
            raise  # the customer's card is not at fault
        except Refused as error:
            await self._end(caller, config, _reason(error))
            return
        if payment.status is PaymentStatus.SUCCEEDED:
            await self._payments.process(caller, payment.id)
            await self._end(caller, config, None)
        elif payment.status not in _UNDECIDED:
            await self._end(caller, config, payment.failure or f"The payment is {payment.status}.")

    async def _end(self, caller: Caller, config: AutoRecharge, failure: str | None) -> None:
        def change(now: AutoRecharge, now_us: int) -> AutoRecharge | None:
            if now.charges != config.charges or now.charging is None:
                return None  # ended already
            if failure is None:
                return succeeded(now, now_us)
            return failed(now, failure, now_us) if now.enabled else abandoned(now, now_us)

        await self._change(caller, config, change)
        outcome = "auto_recharge_charged" if failure is None else "auto_recharge_declined"
        _logger.info(outcome, customer=config.customer_ref, key=config.key, reason=failure)

    async def _change(
        self,
        caller: Caller,
        config: AutoRecharge,
        change: Callable[[AutoRecharge, int], AutoRecharge | None],
    ) -> AutoRecharge | None:
        return await self._catalog.auto_recharges.save(
            caller,
            config.customer_ref,
            lambda now, now_us: None if now is None else change(now, now_us),
        )


def _reason(error: Refused) -> str:
    if isinstance(error, ValidationFailed):
        return "; ".join(f"{each.path} {each.message}" for each in error.errors)
    return str(error)
