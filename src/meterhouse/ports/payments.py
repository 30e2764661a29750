"""Taking money."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from meterhouse.model.auto_recharge import AutoRecharge
from meterhouse.model.customer import Customer
from meterhouse.model.once import Once
from meterhouse.model.payment import (
    Card,
    Intent,
    NewPayment,
    Payment,
    PaymentStatus,
    SavedMethod,
    Setup,
    TestOutcome,
)
from meterhouse.model.tenant import Caller


class Payments(Protocol):
    """What customers were asked to pay, and what they were given for it. Ids are the processor's."""

    async def made(self, scope_id: int, once: Once) -> Payment | None:
        """Return the payment that the key made, None for a new key. Raises IdempotencyConflict."""
        ...

    async def add(self, caller: Caller, new: NewPayment, intent: Intent, once: Once) -> Payment:
        """Keep a payment and its intent. A repeat adds none and returns the first, as it stands now.

        Raises IdempotencyConflict.
        """
        ...

    async def get(self, scope_id: int, ref: str) -> Payment | None: ...

    async def scope_of(self, ref: str) -> int | None:
        """Return the scope a payment belongs to, None for no payment."""
        ...

    async def page(self, scope_id: int, limit: int, offset: int) -> Sequence[Payment]:
        """Return payments, the newest first."""
        ...

    async def note(self, scope_id: int, intent: Intent) -> Payment:
        """Keep how an intent stands. One that succeeded stays so. Raises PaymentNotFound."""
        ...

    async def fulfil(self, caller: Caller, ref: str) -> Payment:
        """Note that what was paid for is given and, where that is a plan, give it in the same transaction.

        Again is a no-op, whatever has become of the purchase. Raises PaymentNotFound, PaymentNotSucceeded.
        """
        ...

    async def unfulfilled(self, for_us: int, but: Collection[str], most: int) -> Sequence[tuple[int, str]]:
        """Return scope and id of succeeded payments that nothing was given for yet, the oldest first.

        for_us: only those that succeeded at least so many microseconds ago. but: ids to leave out.
        """
        ...

    async def method(self, scope_id: int, customer_ref: str) -> SavedMethod | None:
        """Return what the customer last paid with that may be charged again without the customer."""
        ...

    async def card(self, scope_id: int, customer_ref: str) -> Card | None:
        """Return the card of the customer's last payment that succeeded with one."""
        ...


class AutoRecharges(Protocol):
    """What customers asked to be charged for without being there: one for a customer at most."""

    async def get(self, scope_id: int, customer_ref: str) -> AutoRecharge | None: ...

    async def save(
        self,
        caller: Caller,
        customer_ref: str,
        change: Callable[[AutoRecharge | None, int], AutoRecharge | None],
    ) -> AutoRecharge | None:
        """Replace a customer's, in one transaction, by what `change` makes of it now; return that.

        change: gets what there is and the time, microseconds since 1970. None: nothing is written. Raises
        CustomerNotFound.
        """
        ...

    async def watched(self, after: tuple[int, str] | None, most: int) -> Sequence[tuple[int, AutoRecharge]]:
        """Return those that may have something to do, with their scopes, in the order of scope and customer.

        after: the scope and the customer of the last one that was returned.
        """
        ...


class PaymentProcessor(Protocol):
    """Takes money. Every method raises ProcessorUnavailable: the same call may be made again."""

    @property
    def publishable_key(self) -> str:
        """What a browser needs to pay an intent; no secret."""
        ...

    async def create(self, new: NewPayment, key: str) -> Intent:
        """Ask a customer for an amount. The same key again returns the same intent and asks for nothing more.

        Where `new.recharge` is given, the card that pays it is saved. key: unique over all scopes. Raises
        PaymentRefused, with the processor's reason.
        """
        ...

    async def look(self, intent_id: str) -> Intent:
        """Return how an intent stands now. Raises PaymentNotFound."""
        ...

    async def charge(self, intent_id: str, method: SavedMethod) -> Intent:
        """Pay an intent with a saved card, without the customer; return how the intent stands then.

        A repeat charges nothing more. A declined card is no error: see `Intent.failure`. The intent was
        created with the same method. Raises PaymentNotFound.
        """
        ...

    async def set_up(self, customer: Customer, key: str) -> Setup:
        """Begin to save a card of a customer. The same key again returns the same. Raises PaymentRefused."""
        ...

    async def look_up(self, setup_id: str) -> SavedMethod | None:
        """Return the card that was saved, None before it is. Raises PaymentNotFound."""
        ...


class TestProcessor(PaymentProcessor, Protocol):
    """A processor that takes no money, and does as it is told."""

    async def confirm(self, intent_id: str, outcome: TestOutcome) -> Intent:
        """Pay an intent, or decline it, as the customer would in a browser. One that is paid stays so.

        Raises PaymentNotFound.
        """
        ...


class SandboxIntents(Protocol):
    """What the sandbox's processor remembers."""

    async def add(self, key: str, intent: Intent) -> Intent:
        """Keep an intent under a key; where the key has one already, return that."""
        ...

    async def get(self, intent_id: str) -> Intent | None: ...

    async def end(self, intent_id: str, status: PaymentStatus, failure: str | None) -> None:
        """Change how an intent stands; one that succeeded stays so."""
        ...
