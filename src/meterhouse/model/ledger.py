"""The ledger's nouns: what is asked of it, what it knows, and what it answers.

    Action    what is asked: Track, Reserve, Settle, Release, Credit
    Account   what the ledger knows that bears on an action, at the time of deciding
    Verdict   what is decided: at most one entry (`model.entry`), the change that the log keeps
    Outcome   what the caller is told

Units are integers of billionths here (`model.units.NANO` to a unit): one number adds, compares and floors
exactly. In the log and in SQL, whose integers have 64 bits, they are pairs of whole units and billionths.
"""

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from meterhouse.model.credit import CreditKind
from meterhouse.model.entry import Entry
from meterhouse.model.event import Outcome
from meterhouse.model.hold import Hold
from meterhouse.model.meter import Meter
from meterhouse.model.period import Period
from meterhouse.model.purchase import Purchase
from meterhouse.model.terms import Terms


class Track(Struct, frozen=True, kw_only=True):
    """A meter event. One of an unknown customer is stored as received, attributed to nobody.

    meter: the name of the one it is recorded on; None: the one of the purchase, else `requests`.
    units: billionths. timestamp: None is the time of recording. purchase_ref: pins the purchase.
    properties, details: canonical JSON text, see `model.event`.
    """

    scope_id: int
    type: str
    customer_ref: str
    product_ref: str | None
    purchase_ref: str | None
    meter: str | None
    units: int
    outcome: Outcome
    timestamp: int | None
    key: str | None
    properties: str | None = None
    details: str | None = None


class Reserve(Struct, frozen=True, kw_only=True):
    """Take units of the customer's current purchase before the work.

    units: billionths. ttl_us: how long they are kept.
    """

    scope_id: int
    customer_ref: str
    product_ref: str
    units: int
    ttl_us: int
    key: str | None


class Settle(Struct, frozen=True, kw_only=True):
    """Say what was really used of a hold; this is the meter event. units: billionths."""

    scope_id: int
    hold: int
    units: int
    type: str
    key: str | None
    properties: str | None = None
    details: str | None = None


class Release(Struct, frozen=True, kw_only=True):
    """Give a hold back unused."""

    scope_id: int
    hold: int


class Credit(Struct, frozen=True, kw_only=True):
    """Move a balance. credits: signed. A balance never goes below what is held of it, or 0.

    expires_at: when credits that are given expire, None for never.
    """

    scope_id: int
    customer_ref: str
    kind: CreditKind
    credits: int
    reason: str | None
    key: str | None
    expires_at: int | None = None


Action = Track | Reserve | Settle | Release | Credit


class Account(Struct, kw_only=True):
    """What bears on one action. purchase: the one that is pinned or current, None for none.

    has_access: whether that purchase lets the customer use the product, limits aside; for an event when it
    happened, else at `at`.
    period: the one of the purchase that holds the action's time; None where that is before the purchase.
    used, held: in that period, billionths; held counts open holds alone. carried: what rolled over into it.
    balance, held_credits: of the customer, over all products. lapsing: of the credits that the hold reserves
    which the action is about, those that expire as soon as it gives them back.
    customer_known: whether there is such a customer, where no purchase gives access.
    """

    at: int
    purchase: Purchase | None = None
    has_access: bool = False
    terms: Terms | None = None
    meter: Meter | None = None
    period: Period | None = None
    used: int = 0
    held: int = 0
    carried: int = 0
    balance: int = 0
    held_credits: int = 0
    lapsing: int = 0
    customer_known: bool = True

    @property
    def free_credits(self) -> int:
        """What of the balance nobody has reserved."""
        return max(self.balance - self.held_credits, 0)


class Skipped(StrEnum):
    """Why no credits were debited (contract §3.1)."""

    DUPLICATE = "duplicate"
    NO_PRODUCT_REF = "no_product_ref"
    CUSTOMER_NOT_FOUND = "customer_not_found"
    NO_ACTIVE_PURCHASE = "no_active_purchase"
    PLAN_NOT_CREDIT_BASED = "plan_not_credit_based"


class Debit(Struct, frozen=True):
    """Credits were debited. units_remaining: whole units that the rest pays for."""

    amount: int
    units_remaining: int


class Tracked(Struct, frozen=True):
    """debit: None for an event that was not a success, which attempts none."""

    event_number: int
    debit: Debit | Skipped | None


class Reserved(Struct, frozen=True):
    """account: as it was before. hold: None where the units were not free. is_new: False for a repeat."""

    account: Account
    hold: Hold | None
    is_new: bool = True


class Ending(Struct, frozen=True):
    """A hold that has ended: by this action or by an earlier one. debit: see `Tracked`."""

    hold: Hold
    debit: Debit | Skipped | None = None


class CreditMoved(Struct, frozen=True):
    number: int
    balance: int


Outcomes = Tracked | Reserved | Ending | CreditMoved


class Verdict(Struct, frozen=True):
    """What `decide` answers: at most one entry, and what the caller is told once that is on disk."""

    entry: Entry | None
    outcome: Outcomes


class Recording(Struct, frozen=True):
    """Actions that are decided one after another and stored together. None, or several that all are Track.

    size: bytes of the request's body, about what it takes in memory while it waits.
    """

    actions: tuple[Action, ...]
    decide: "Decide"
    size: int = 0

    @property
    def received(self) -> int:
        """How many events it brings."""
        return len(self.actions)


Decide = Callable[[Action, Account, Hold | None, int], Verdict]
"""A pure function of the action, the account, the hold it is about, and the number that it will make."""
