"""The log and the ledger: what is durable, and what is exact."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from meterhouse.model.credit import Balance, CreditMove, CreditQuestion
from meterhouse.model.event import LogRecord, Receipt, Submission
from meterhouse.model.hold import Hold
from meterhouse.model.ledger import Account, Outcomes, Recording
from meterhouse.model.purchase import Purchase


class EventLog(Protocol):
    """The durable, ordered record of every accepted event: the source of truth."""

    async def append(self, submission: Submission) -> Receipt:
        """Store the events and the tally of the rejections durably, all or nothing.

        When this returns, the events are on disk. An event whose idempotency key is in the log
        already, in the same scope and for the same kind of event, is not stored again: the receipt
        names the event that has the key, and whether it means the same (`model.identity`).
        Two equal keys in one submission: the first is stored, the second is its repeat.

        Raises LogUnavailable or Overloaded: nothing of the submission was stored.
        """
        ...

    async def read(self, after: int, limit_events: int) -> Sequence[LogRecord]:
        """Return the records after a position, in order; empty when there are none.

        At least one, then as many as fit into `limit_events`. Positions are 1, 2, 3, … without a gap.
        """
        ...

    async def wait(self, after: int) -> None:
        """Return once there is something after a position."""
        ...


class Ledger(Protocol):
    """Running totals, credit balances and holds: exact and current. Whatever changes them is in the log.

    Its clock never steps back: what has expired stays so. Every answer is as of now, with the holds whose
    time has come given back and the credits whose time has come gone, whether or not that is written yet.
    """

    async def record(self, recording: Recording) -> Sequence[Outcomes]:
        """Decide the actions one after another, each on what those before it left, and store what was
        decided with the events it is about, durably, in one transaction. One outcome for each, in order.
        First the holds and the credits expire whose time has come, thousands at most; without actions,
        nothing else is stored.

        An action whose idempotency key was used before is not done again and has the first outcome; what
        stored nothing, as a reserve that got nothing, burns no key.
        Raises IdempotencyConflict, or what `decide` raises for a single action: nothing was stored.
        Raises LogUnavailable or Overloaded: nothing was stored, the same may be recorded again.
        """
        ...

    async def standing(self, scope_id: int, customer_ref: str, product_ref: str) -> Account:
        """Return the account of a customer's current purchase of a product; without one, the balance."""
        ...

    async def of_purchases(self, scope_id: int, purchases: Sequence[Purchase]) -> Sequence[Account]:
        """Return the account of each purchase, in the period that is now, or the last of one that ended."""
        ...

    async def used(self, scope_id: int, purchase_ref: str) -> Mapping[int, int]:
        """Return what was used in each period of a purchase, billionths by the period's number; a period
        in which nothing was used may be missing."""
        ...

    async def balance(self, scope_id: int, customer_ref: str) -> Balance:
        """Return a customer's balance; 0 for one who never had any."""
        ...

    async def balances(self, scope_id: int, customer_refs: Collection[str]) -> Mapping[str, Balance]:
        """Return the balance of each customer, as `balance` does."""
        ...

    async def hold(self, scope_id: int, number: int) -> Hold | None:
        """Return a hold of the scope, None for none."""
        ...

    async def paid_holds(self, scope_id: int, customer_ref: str) -> Sequence[int]:
        """Return the numbers of the open holds that reserve a customer's credits."""
        ...

    async def is_due(self) -> bool:
        """Whether the time of holds or credits may have come that `record` has not expired yet.

        Every answer is as if it had.
        """
        ...

    async def credit_moves(self, scope_id: int, question: CreditQuestion) -> Sequence[CreditMove]:
        """Return movements of a balance, the newest first. They add up to it, and none ever changes."""
        ...
