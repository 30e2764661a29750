"""Purchases: a customer has a plan of a product. And the decisions about them, without I/O."""

from enum import StrEnum

import msgspec
from msgspec import Struct

from meterhouse.model.errors import PurchaseNotCancellable, PurchaseNotReactivable
from meterhouse.model.period import DAY_US, Grid
from meterhouse.model.plan import Plan, PlanType
from meterhouse.model.terms import Terms, terms_of, terms_of_snapshot


class PurchaseStatus(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    TRIALING = "trialing"
    PAST_DUE = "past_due"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SUSPENDED = "suspended"
    REFUNDED = "refunded"


class Origin(StrEnum):
    """How a purchase came about."""

    ACTIVATION = "activation"
    FREE_DEFAULT = "free_default"
    CHECKOUT = "checkout"


class Purchase(Struct, frozen=True):
    """snapshot: JSON text of the plan as it was (`model.plan.Plan`); its later changes do not touch it.

    status: as it was last written; what it is at a time, `status_at` says.
    ends_at: when access ends for good; None while it renews. resumed_at: when the customer last came back to
    it after it had been lost. Times: microseconds since 1970. Starts and ends that take place now are whole
    milliseconds, as answers show them: an event of the same millisecond from a clock without microseconds
    (JavaScript) belongs to the purchase that begins in it.
    amount: minor units of `currency`.
    """

    ref: str
    customer_ref: str
    product_ref: str
    plan_ref: str
    status: PurchaseStatus
    origin: Origin
    snapshot: str
    started_at: int
    created_at: int
    updated_at: int
    amount: int = 0
    currency: str = "USD"
    ends_at: int | None = None
    trial_ends_at: int | None = None
    paid_at: int | None = None
    cancelled_at: int | None = None
    cancellation_reason: str | None = None
    resumed_at: int | None = None

    @property
    def plan(self) -> Plan:
        return msgspec.json.decode(self.snapshot, type=Plan)

    @property
    def terms(self) -> Terms:
        return terms_of_snapshot(self.snapshot)

    @property
    def grid(self) -> Grid:
        terms = self.terms
        return Grid(self.started_at, terms.cycle, terms.calendar)

    @property
    def renews(self) -> bool:
        """Whether another period begins when the current one ends."""
        return self.cancelled_at is None and self.plan.auto_renew and self.terms.cycle is not None

    def carries_from(self, period: int) -> int:
        """Return the first period whose rest may roll over into one: with a plan that is left, it is lost."""
        back = None if self.resumed_at is None else self.grid.period_at(self.resumed_at)
        return back.number if back is not None and back.number <= period else 0

    def is_of(self, plan: Plan) -> bool:
        """Whether this is what was bought; not a plan that was deleted since, and made again."""
        return self.plan_ref == plan.ref and self.plan.created_at == plan.created_at

    def status_at(self, at: int) -> PurchaseStatus:
        """Return the status at a time, of before it ended too: trials and ends take place by the clock."""
        if self.ends_at is not None and at >= self.ends_at:
            if self.status not in (PurchaseStatus.ACTIVE, PurchaseStatus.TRIALING):
                return self.status
            return PurchaseStatus.EXPIRED if self.cancelled_at is None else PurchaseStatus.CANCELLED
        if self.trial_ends_at is not None:
            if at < self.trial_ends_at:
                return PurchaseStatus.TRIALING
            if self.paid_at is None and self.terms.requires_payment:
                return PurchaseStatus.SUSPENDED
        return PurchaseStatus.ACTIVE

    def gives_access(self, at: int) -> bool:
        """Whether the customer may use the product at a time, limits aside."""
        return self.status_at(at) in (PurchaseStatus.ACTIVE, PurchaseStatus.TRIALING)


class Sale(Struct, frozen=True, kw_only=True):
    """Who gets a plan, and how."""

    customer_ref: str
    plan: Plan
    origin: Origin
    paid: bool


def bought(sale: Sale, ref: str, now_us: int, *, trial: bool = True) -> Purchase:
    """Return a new purchase that starts now. trial: whether the plan's trial is still to be had."""
    plan = sale.plan
    terms = terms_of(plan)
    started_at = _whole_millisecond(now_us)
    has_trial = plan.trial_days and trial and not sale.paid
    trial_ends_at = started_at + plan.trial_days * DAY_US if has_trial else None
    return Purchase(
        ref=ref,
        customer_ref=sale.customer_ref,
        product_ref=plan.product_ref,
        plan_ref=plan.ref,
        status=PurchaseStatus.ACTIVE if trial_ends_at is None else PurchaseStatus.TRIALING,
        origin=sale.origin,
        snapshot=msgspec.json.encode(plan).decode(),
        amount=plan.first_price,
        currency=plan.currency,
        started_at=started_at,
        ends_at=_first_end(plan, terms, started_at),
        trial_ends_at=trial_ends_at,
        paid_at=now_us if sale.paid else None,
        created_at=now_us,
        updated_at=now_us,
    )


def cancelled(purchase: Purchase, reason: str | None, now_us: int) -> Purchase:
    """Return the purchase cancelled: with periods, access stays until the current one ends.

    Raises PurchaseNotCancellable.
    """
    if not purchase.gives_access(now_us) or purchase.cancelled_at is not None:
        raise PurchaseNotCancellable
    period = purchase.grid.period_at(now_us)
    at_once = period is None or period.end is None
    ended_at = _whole_millisecond(now_us)
    return msgspec.structs.replace(
        purchase,
        status=PurchaseStatus.CANCELLED if at_once else purchase.status,
        ends_at=ended_at if at_once else _earlier(purchase.ends_at, period.end if period else None),
        cancelled_at=now_us,
        cancellation_reason=reason,
        updated_at=now_us,
    )


def reactivated(purchase: Purchase, now_us: int) -> Purchase:
    """Return the purchase as if it had not been cancelled. Raises PurchaseNotReactivable."""
    if purchase.cancelled_at is None:
        raise PurchaseNotReactivable("Purchase cannot be reactivated: it is not pending cancellation.")
    if not purchase.gives_access(now_us):
        raise PurchaseNotReactivable("Purchase cannot be reactivated: it has already ended.")
    return _going_on(purchase, now_us)


def resumed(purchase: Purchase, plan: Plan, now_us: int) -> Purchase | None:
    """Return the purchase of a plan that a customer comes back to: it goes on from its own start.

    What was used of it stays used: going to another plan and back gives no limit anew. A trial goes on; where
    it is over and nothing has to be paid first, the plan goes on without it. None: another is to be had:
    this one had to be paid for, and the plan has not; or it has ended by itself, as a plan does that does not
    renew, and its use is paid for. Raises PurchaseNotReactivable: it has ended.
    """
    if plan.begins_unpaid and not purchase.plan.begins_unpaid:
        return None
    after = msgspec.structs.replace(_going_on(purchase, now_us), resumed_at=_whole_millisecond(now_us))
    if plan.begins_unpaid and after.status_at(now_us) is PurchaseStatus.SUSPENDED:
        after = msgspec.structs.replace(after, trial_ends_at=None)
    if after.gives_access(now_us):
        return after
    if plan.type is PlanType.USAGE_BASED and plan.requires_payment:
        return None
    raise PurchaseNotReactivable(
        "Plan cannot be had again: the customer had it, and it has ended. Give it another plan."
    )


def _going_on(purchase: Purchase, now_us: int) -> Purchase:
    return msgspec.structs.replace(
        purchase,
        status=PurchaseStatus.ACTIVE,
        ends_at=_first_end(purchase.plan, purchase.terms, purchase.started_at),
        cancelled_at=None,
        cancellation_reason=None,
        updated_at=now_us,
    )


def paid(purchase: Purchase, plan: Plan, now_us: int) -> Purchase | None:
    """Return a purchase that gives access paid for: it goes on from the same start, on the terms now paid.

    One on trial, or cancelled, is kept. One that is paid and renews stays as it is. None: what is paid for is
    another one, since this one ends by itself, or would have ended by now.
    """
    if purchase.paid_at is not None and purchase.cancelled_at is None:
        return purchase if purchase.renews and purchase.ends_at is None else None
    after = msgspec.structs.replace(
        _going_on(purchase, now_us),
        snapshot=msgspec.json.encode(plan).decode(),
        amount=plan.first_price,
        currency=plan.currency,
        ends_at=_first_end(plan, terms_of(plan), purchase.started_at),
        trial_ends_at=None,
        paid_at=now_us,
    )
    return after if after.gives_access(now_us) else None


def expired(purchase: Purchase, now_us: int) -> Purchase:
    """Return the purchase ended: another one has taken its place, or its end has passed."""
    status = purchase.status_at(now_us)
    return msgspec.structs.replace(
        purchase,
        status=PurchaseStatus.EXPIRED if purchase.gives_access(now_us) else status,
        ends_at=_earlier(purchase.ends_at, _whole_millisecond(now_us)),
        updated_at=now_us,
    )


def _first_end(plan: Plan, terms: Terms, started_at: int) -> int | None:
    """Return when a purchase ends by itself; None where it renews."""
    expiry = started_at + plan.access_expiry_days * DAY_US if plan.access_expiry_days else None
    if plan.type is PlanType.ONE_TIME or plan.auto_renew or terms.cycle is None:
        return expiry
    return _earlier(expiry, Grid(started_at, terms.cycle, terms.calendar).period(0).end)


def _whole_millisecond(at: int) -> int:
    return at // 1_000 * 1_000


def _earlier(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)


class PurchaseQuestion(Struct, frozen=True, kw_only=True):
    """None: any."""

    customer_ref: str | None = None
    product_ref: str | None = None
