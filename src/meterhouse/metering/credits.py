"""Credits: balances, the movements that are no usage, and the history."""

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

    async def move(self, action: Credit) -> int:
        """Move a balance, and return it as it is afterwards; a repeat moves nothing and returns the same.

        Raises CreditsNotFree: so many are not there, or are held; BalanceFull; IdempotencyConflict;
        ValidationFailed: `expires_at` has passed, and this is no repeat.
        """
        await self._check(action.scope_id, action.customer_ref)
        (outcome,) = await self._ledger.record(Recording((action,), decide))
        assert isinstance(outcome, CreditMoved)  # noqa: S101 - the outcome of a Credit
        return outcome.balance

    async def forget(self, scope_id: int, customer_ref: str) -> None:
        """Take a customer's credits away before it is deleted: the next customer with its ref inherits none.

        Its open holds of credits are released, or they would give credits back to that customer.
        """
        for number in await self._ledger.paid_holds(scope_id, customer_ref):
            with suppress(HoldSettled):  # in this very moment
                await self._ledger.record(Recording((Release(scope_id=scope_id, hold=number),), decide))
        found = await self.balance(scope_id, customer_ref)
        if left := found.credits - found.held:
            action = Credit(
                scope_id=scope_id,
                customer_ref=customer_ref,
                kind=CreditKind.ADJUSTMENT,
                credits=-left,
                reason="customer_deleted",
                key=None,
            )
            await self.move(action)

    async def history(self, scope_id: int, question: CreditQuestion) -> Sequence[CreditMove]:
        await self._check(scope_id, question.customer_ref)
        return await self._ledger.credit_moves(scope_id, question)

    async def _check(self, scope_id: int, customer_ref: str) -> None:
        if not await self._directory.known_customers(scope_id, (customer_ref,)):
            raise CustomerNotFound.named(customer_ref)
