"""Auto-recharge as customers ask for it (contract §3.7). `recharge_sweep` charges."""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from meterhouse.metering.payments import Payments, check_topup_currency
from meterhouse.model.auto_recharge import (
    AutoRecharge,
    disabled,
    saved,
    with_method,
)
from meterhouse.model.errors import (
    CustomerNotFound,
    PaymentNotFound,
    PaymentRefused,
    PaymentsNotConfigured,
    ProcessorUnavailable,
)
from meterhouse.model.event import to_microseconds
from meterhouse.model.payment import RechargeTerms, Setup
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog


class Saved(Struct, frozen=True):
    """setup: lets the customer's browser save a card, None where none is needed or wanted now."""

    config: AutoRecharge
    setup: Setup | None


class AutoRecharges:
    """What customers ask for. Every method of routes raises CustomerNotFound.

    now: the server's clock. most_daily: charges of one customer on one day, UTC.
    """

    def __init__(
        self, catalog: Catalog, payments: Payments, now: Callable[[], datetime], most_daily: int
    ) -> None:
        self._catalog = catalog
        self._payments = payments
        self._now = now
        self.most_daily = most_daily

    def now(self) -> int:
        """Return the time, microseconds since 1970."""
        return to_microseconds(self._now())

    async def get(self, caller: Caller, customer_ref: str) -> AutoRecharge | None:
        """Return the customer's; one that waits for a card gets it where one was saved meanwhile.

        Where the processor cannot be asked for the card, the answer is the one without it.
        """
        await self._check_customer(caller, customer_ref)
        config = await self._catalog.auto_recharges.get(caller.scope.id, customer_ref)
        if config is None or not config.enabled or config.method is not None:
            return config
        try:
            return await self.completed(caller, config)
        except (ProcessorUnavailable, PaymentNotFound, PaymentRefused, PaymentsNotConfigured):
            return config

    async def save(
        self, caller: Caller, customer_ref: str, terms: RechargeTerms, *, enabled: bool, collect: bool
    ) -> Saved:
        """Keep what a customer asks for. collect: begin to save a card where there is none.

        Raises ValidationFailed, PaymentsNotConfigured, and what `PaymentProcessor.set_up` raises.
        """
        merchant = await self._catalog.providers.merchant(caller.scope.provider_ref)
        check_topup_currency(merchant, terms.currency)
        processor = self._payments.processors.of(caller.scope.environment)

        def change(before: AutoRecharge | None, now_us: int) -> AutoRecharge:
            return saved(before, customer_ref, terms, now_us, enabled=enabled)

        config = await self._catalog.auto_recharges.save(caller, customer_ref, change)
        assert config is not None  # noqa: S101 - `change` returns one
        if not enabled or config.method is not None:
            return Saved(config, None)
        config = await self.completed(caller, config)
        customer = await self._catalog.customers.get(caller.scope.id, customer_ref)
        if config.method is not None or customer is None or not collect:
            return Saved(config, None)
        scope = caller.scope
        setup = await processor.set_up(
            customer, f"meterhouse:{scope.provider_ref}:{scope.id}:{customer_ref}:{config.updated_at}"
        )
        kept = await self._catalog.auto_recharges.save(
            caller, customer_ref, lambda now, _: None if now is None else replace(now, setup_id=setup.id)
        )
        return Saved(kept or config, setup)

    async def disable(self, caller: Caller, customer_ref: str) -> None:
        """Switch it off; nothing is charged from then on. Again is a no-op."""
        await self._catalog.auto_recharges.save(
            caller, customer_ref, lambda now, now_us: None if now is None else disabled(now, now_us)
        )

    async def completed(self, caller: Caller, config: AutoRecharge) -> AutoRecharge:
        """Return the configuration with a card, if one was saved: by a setup, or by the last payment."""
        method = await self._catalog.payments.method(caller.scope.id, config.customer_ref)
        if config.setup_id is not None and method is None:
            processor = self._payments.processors.of(caller.scope.environment)
            method = await processor.look_up(config.setup_id)
        if method is None:
            return config
        found = method
        kept = await self._catalog.auto_recharges.save(
            caller,
            config.customer_ref,
            lambda now, now_us: None if now is None else with_method(now, found, now_us),
        )
        return kept or config

    async def _check_customer(self, caller: Caller, ref: str) -> None:
        if not await self._catalog.directory.known_customers(caller.scope.id, (ref,)):
            raise CustomerNotFound.named(ref)
