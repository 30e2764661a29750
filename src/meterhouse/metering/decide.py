"""Decisions about meter events, holds and credits. Pure: an action and what the ledger knows, to one entry.

The rules are the contract's (solvapay.md §4.2, §4.4) and, for holds, docs/holds.md:

* Only a success consumes. What happened is booked in full, also beyond a limit.
* Reserved units never exceed what is free. What others reserved is never taken: a debit stops at it.
"""

from typing import Final

from meterhouse.model.counting import counts, recorded_on
from meterhouse.model.credit import check_room
from meterhouse.model.entry import Consumed, Credited, Ended, Held, ended
from meterhouse.model.errors import CreditsNotFree, HoldNotFound, HoldReleased, HoldSettled, ValidationFailed
from meterhouse.model.event import Outcome
from meterhouse.model.hold import Hold, HoldStatus
from meterhouse.model.ledger import (
    Account,
    Action,
    Credit,
    CreditMoved,
    Debit,
    Ending,
    Release,
    Reserve,
    Reserved,
    Settle,
    Skipped,
    Track,
    Tracked,
    Verdict,
)
from meterhouse.model.terms import Terms
from meterhouse.model.units import NANO, pair

_NOTHING: Final = (0, 0)


def decide(action: Action, account: Account, hold: Hold | None, number: int) -> Verdict:
    """See `model.ledger.Decide`.

    Raises HoldNotFound, HoldReleased, HoldSettled, CreditsNotFree, BalanceFull, ValidationFailed: no entry.
    """
    match action:
        case Track():
            return _track(action, account, number)
        case Reserve():
            return _reserve(action, account, number)
        case Settle():
            return _settle(action, account, hold, number)
        case Release():
            return _release(action, account, hold)
        case Credit():
            return _credit(action, account, number)


def free_units(account: Account) -> int | None:
    """Return the billionths that are free in the account's period by its limit; None for any number."""
    if account.terms is None:
        return 0
    capacity = account.terms.capacity(account.carried)
    return None if capacity is None else max(capacity - account.used - account.held, 0)


def _track(event: Track, account: Account, number: int) -> Verdict:
    if event.outcome is not Outcome.SUCCESS:
        return Verdict(None, Tracked(number, None))
    if reason := _unattributed(event, account):
        return Verdict(None, Tracked(number, reason))
    purchase, terms, period = account.purchase, account.terms, account.period
    assert purchase and terms and period  # noqa: S101, PT018 - else it were unattributed
    if not _counts(account, event.meter or recorded_on(account.meter), event):
        return Verdict(None, Tracked(number, Skipped.PLAN_NOT_CREDIT_BASED))
    debit, _ = _cost(terms, account, event.units, account.free_credits)
    entry = Consumed(
        event.scope_id, number, event.customer_ref, purchase.product_ref, purchase.ref, period.number,
        *pair(event.units), debit,
    )  # fmt: skip
    return Verdict(entry, Tracked(number, _told(terms, debit, account.free_credits - debit)))


def _counts(account: Account, meter_name: str, event: Track | Settle) -> bool:
    """Whether an event feeds the meter that the purchase's plan measures."""
    return account.meter is not None and counts(
        account.meter, meter_name=meter_name, type=event.type, properties=event.properties
    )


def _unattributed(event: Track, account: Account) -> Skipped | None:
    """Return why an event counts for no purchase, None where it counts for one."""
    if not account.customer_known:
        return Skipped.CUSTOMER_NOT_FOUND
    if event.product_ref is None and event.purchase_ref is None:
        return Skipped.NO_PRODUCT_REF
    if account.purchase is None or account.period is None or not account.has_access:
        return Skipped.NO_ACTIVE_PURCHASE
    return None


def _reserve(action: Reserve, account: Account, number: int) -> Verdict:
    purchase, terms, period = account.purchase, account.terms, account.period
    if purchase is None or terms is None or period is None or not account.has_access:
        return Verdict(None, Reserved(account, None))
    free = free_units(account)
    credits_ = -(-action.units * terms.credits_per_unit // NANO)  # up: a hold must pay for all of it
    if (free is not None and action.units > free) or credits_ > account.free_credits:
        return Verdict(None, Reserved(account, None))
    hold = Hold(
        number=number,
        customer_ref=action.customer_ref,
        product_ref=action.product_ref,
        purchase_ref=purchase.ref,
        period=period.number,
        meter=recorded_on(account.meter),
        units=action.units,
        credits=credits_,
        created_at=account.at,
        expires_at=account.at + action.ttl_us,
        remaining=_remaining(terms, free, account.free_credits - credits_, action.units),
    )
    entry = Held(
        action.scope_id, number, account.at, hold.expires_at, action.customer_ref, action.product_ref,
        purchase.ref, period.number, hold.meter, *pair(action.units), credits_, hold.remaining,
    )  # fmt: skip
    return Verdict(entry, Reserved(account, hold))


def _settle(action: Settle, account: Account, hold: Hold | None, number: int) -> Verdict:
    if hold is None:
        raise HoldNotFound
    if hold.status is HoldStatus.RELEASED:
        raise HoldReleased
    terms = account.terms
    if hold.status is HoldStatus.SETTLED or terms is None:
        return Verdict(None, Ending(hold, None if terms is None else _told_again(terms, hold, account)))
    is_open = hold.status is HoldStatus.OPEN
    own, own_credits = (hold.units, hold.credits) if is_open else _NOTHING
    used = action.units if _counts(account, hold.meter, action) else 0
    payable = own_credits + account.free_credits
    debit, short = _cost(terms, account, used, payable)
    free = free_units(account)
    over = 0 if free is None else max(used - own - free, 0)
    if short:
        over = min(max(over, -(-short * NANO // terms.credits_per_unit)), used)
    entry = Ended(
        action.scope_id, hold.number, account.at, HoldStatus.SETTLED,
        *pair(used), debit, *pair(over), number,
    )  # fmt: skip
    settled = ended(hold, entry)
    # The debit takes what expires first; the rest of that is gone with the hold.
    return Verdict(entry, Ending(settled, _told(terms, debit, payable - max(debit, account.lapsing))))


def _release(action: Release, account: Account, hold: Hold | None) -> Verdict:
    if hold is None:
        raise HoldNotFound
    if hold.status is HoldStatus.SETTLED:
        raise HoldSettled
    if hold.status is not HoldStatus.OPEN:
        return Verdict(None, Ending(hold))
    entry = Ended(action.scope_id, hold.number, account.at, HoldStatus.RELEASED)
    return Verdict(entry, Ending(ended(hold, entry)))


def _credit(action: Credit, account: Account, number: int) -> Verdict:
    if action.credits < -account.free_credits:
        raise CreditsNotFree(account.free_credits)
    check_room(account.balance, action.credits)
    if action.expires_at is not None and action.expires_at <= account.at:
        raise ValidationFailed.of(
            "expiresAt", "must be in the future; leave it out for credits that never expire"
        )
    entry = Credited(
        action.scope_id, number, account.at, action.customer_ref, action.kind, action.credits, action.reason,
        action.key, action.expires_at,
    )  # fmt: skip
    return Verdict(entry, CreditMoved(number, account.balance + action.credits))


def _cost(terms: Terms, account: Account, units: int, payable: int) -> tuple[int, int]:
    """Return the credits that units cost and are there, and those that are not.

    The cost is what the period's whole credits grow by, so that fractions add up and nothing is rounded.
    """
    if not terms.is_prepaid:
        return _NOTHING
    cost = terms.whole_credits(account.used + units) - terms.whole_credits(account.used)
    debit = min(cost, payable)
    return debit, cost - debit


def _told(terms: Terms, debit: int, left: int) -> Debit | Skipped:
    if not terms.is_prepaid:
        return Skipped.PLAN_NOT_CREDIT_BASED
    return Debit(debit, left // terms.credits_per_unit)


def _remaining(terms: Terms, free: int | None, credits_: int, units: int) -> int | None:
    """Return the whole units that are left of what was free after a hold; None for any number."""
    left = [] if free is None else [(free - units) // NANO]
    if terms.is_prepaid:
        left.append(credits_ // terms.credits_per_unit)
    return min(left, default=None)


def _told_again(terms: Terms, hold: Hold, account: Account) -> Debit | Skipped:
    return _told(terms, hold.debited, account.free_credits)
