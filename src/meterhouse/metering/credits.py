"""Credits: balances, what moves them beside usage, and their history."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from meterhouse.metering.decide import decide
from meterhouse.model.credit import Balance, CreditKind, CreditMove, CreditQuestion
from meterhouse.model.errors import CustomerNotFound, HoldSettled
from meterhouse.model.ledger import Credit, CreditMoved, Recording, Release
from meterhouse.ports import Directory, Ledger


class Credits:
    """Every method but `balances` raises CustomerNotFound."""

    def __init__(self, ledger: Ledger, directory: Directory) -> None:
        self._ledger = ledger
        self._directory = directory

    async def balance(self, scope_id: int, customer_ref: str) -> Balance:
        await self._check(scope_id, customer_ref)
        return await self._ledger.balance(scope_id, customer_ref)

    async def balances(self, scope_id: int, customer_refs: Collection[str]) -> Mapping[str, Balance]:
        return await self._ledger.balances(scope_id, customer_refs)

    async def move(
        self,
        scope_id: int,
        customer_ref: str,
        kind: CreditKind,
        credits_: int,
        reason: str | None,
        key: str | None,
    ) -> int:
        """Move a balance, and return what it is afterwards; a repeat moves nothing and returns the same.

        credits_: signed. Raises CreditsNotFree: so many are not there, or are held; BalanceFull;
        IdempotencyConflict.
        """
        await self._check(scope_id, customer_ref)
        action = Credit(
            scope_id=scope_id, customer_ref=customer_ref, kind=kind, credits=credits_, reason=reason, key=key
        )
        (outcome,) = await self._ledger.record(Recording((action,), decide))
        assert isinstance(outcome, CreditMoved)  # noqa: S101 - the outcome of a Credit
        return outcome.balance

    async def forget(self, scope_id: int, customer_ref: str) -> None:
        """Take away what a customer has, before it is deleted: who gets its ref again inherits nothing.

        Its open holds of credits are released, or they would give back to whoever that is.
        """
        for number in await self._ledger.paid_holds(scope_id, customer_ref):
            with suppress(HoldSettled):  # in this very moment
                await self._ledger.record(Recording((Release(scope_id=scope_id, hold=number),), decide))
        found = await self.balance(scope_id, customer_ref)
        if left := found.credits - found.held:
            await self.move(scope_id, customer_ref, CreditKind.ADJUSTMENT, -left, "customer_deleted", None)

    async def history(self, scope_id: int, question: CreditQuestion) -> Sequence[CreditMove]:
        await self._check(scope_id, question.customer_ref)
        return await self._ledger.credit_moves(scope_id, question)

    async def _check(self, scope_id: int, customer_ref: str) -> None:
        if not await self._directory.known_customers(scope_id, (customer_ref,)):
            raise CustomerNotFound.named(customer_ref)
