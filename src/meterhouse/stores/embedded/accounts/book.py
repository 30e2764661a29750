"""The ledger as one transaction sees it: accounts are read when asked for, changes are written at the end.

Where nobody takes its changes, as where accounts are only looked at, nothing has happened.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from meterhouse.model.credit import Balance, CreditKind, CreditMove
from meterhouse.model.entry import Consumed, Credited, Ended, Entry, Held, ended
from meterhouse.model.hold import Hold, HoldStatus
from meterhouse.model.ledger import Account, Action, Credit, Expire, Release, Reserve, Settle, Track
from meterhouse.model.meter import Meter
from meterhouse.model.purchase import Purchase
from meterhouse.model.terms import Terms
from meterhouse.model.units import NANO
from meterhouse.stores.embedded import customers, meters, purchases
from meterhouse.stores.embedded.accounts import state
from meterhouse.stores.embedded.accounts.state import Accounts, Changes, LedgerState


@dataclass(slots=True)
class _Total:
    """What was used and is held in a period, billionths."""

    used: int = 0
    held: int = 0


@dataclass(slots=True)
class _Balance:
    credits: int = 0
    held: int = 0


_UNUSED: Final = _Total()
_MOST_METERS: Final = 10_000
_Customer = tuple[int, str]
_PeriodKey = tuple[int, str, int]


class Book:
    """at: the time it decides by, microseconds since 1970; holds whose time has come by then are ended first.

    connection: for purchases and meters. entries: every change so far, in order.
    """

    def __init__(self, accounts: Accounts, connection: sqlite3.Connection, at: int) -> None:
        self.at = at
        self.entries: list[Entry] = []
        self._accounts = accounts
        self._connection = connection
        self._current: dict[tuple[int, str, str], Purchase | None] = {}
        self._purchases: dict[tuple[int, str], Purchase | None] = {}
        self._totals: dict[_PeriodKey, _Total] = {}
        self._balances: dict[_Customer, _Balance] = {}
        self._holds: dict[int, tuple[int, Hold | None]] = {}
        self._moves: list[tuple[int, CreditMove]] = []
        self._changed_totals: set[_PeriodKey] = set()
        self._changed_balances: set[_Customer] = set()
        self._changed_holds: set[int] = set()

    def prepare(self, events: Iterable[Track]) -> None:
        """Read what these events bear on in a few pieces; one by one takes twice the time."""
        wanted: dict[int, set[tuple[str, str]]] = {}
        for event in events:
            if event.product_ref is not None and event.purchase_ref is None:
                wanted.setdefault(event.scope_id, set()).add((event.customer_ref, event.product_ref))
        found: list[tuple[int, Purchase]] = []
        for scope_id, pairs in wanted.items():
            self._current |= {(scope_id, *pair): None for pair in pairs}
            for purchase in purchases.all_current(self._connection, scope_id, pairs):
                self._current[scope_id, purchase.customer_ref, purchase.product_ref] = purchase
                found.append((scope_id, purchase))
        periods = [
            (scope_id, purchase.ref, period.number)
            for scope_id, purchase in found
            if (period := purchase.grid.period_at(self.at)) is not None
        ]
        paying = {
            (scope_id, purchase.customer_ref) for scope_id, purchase in found if purchase.terms.is_prepaid
        }
        for key, total in zip(periods, self._accounts.totals_of(periods), strict=True):
            self._totals[key] = _Total(*total)
        refs = sorted(paying)
        for customer, balance in zip(refs, self._accounts.balances(refs), strict=True):
            if not balance[1]:  # else some of it may be due
                self._balances[customer] = _Balance(*balance)

    def account(self, action: Action) -> tuple[Account, Hold | None]:
        """Return what bears on an action, and the hold it is about where it is about one of its scope."""
        match action:
            case Track():
                return self._account_of_event(action), None
            case Reserve():
                current = self._current_purchase(action.scope_id, action.customer_ref, action.product_ref)
                return self._account(action.scope_id, current, self.at), None
            case Settle() | Release() | Expire():
                return self._account_of_hold(action.scope_id, action.hold)
            case Credit():
                balance = self._balance((action.scope_id, action.customer_ref))
                return Account(at=self.at, balance=balance.credits, held_credits=balance.held), None

    def standing(self, scope_id: int, customer_ref: str, product_ref: str) -> Account:
        """Return the account of a customer's current purchase of a product, now."""
        account = self._account(
            scope_id, self._current_purchase(scope_id, customer_ref, product_ref), self.at
        )
        if account.purchase is None:
            balance = self._balance((scope_id, customer_ref))
            account.balance, account.held_credits = balance.credits, balance.held
        return account

    def balance_of(self, scope_id: int, customer_ref: str) -> Balance:
        balance = self._balance((scope_id, customer_ref))
        return Balance(balance.credits, balance.held)

    def balance_after(self, scope_id: int, customer_ref: str, number: int) -> int:
        """Return a balance as a movement left it, of this transaction or of an earlier one."""
        for scope, move in self._moves:
            if (scope, move.number, move.customer_ref) == (scope_id, number, customer_ref):
                return move.balance
        return self._accounts.balance_after(scope_id, customer_ref, number)

    def of_purchase(self, scope_id: int, purchase: Purchase) -> Account:
        """Return the account of any purchase, now; of one that has ended, in its last period."""
        end = self.at if purchase.ends_at is None else min(self.at, purchase.ends_at - 1)
        return self._account(scope_id, purchase, max(end, purchase.started_at))

    def hold(self, scope_id: int, number: int) -> Hold | None:
        """Return a hold of the scope, as it stands now."""
        hold = self._find_hold(scope_id, number)
        if hold is not None and hold.status is HoldStatus.OPEN and hold.expires_at <= self.at:
            self.apply(Ended(scope_id, number, hold.expires_at, HoldStatus.EXPIRED))
            hold = self._find_hold(scope_id, number)
        return hold

    def apply(self, entry: Entry) -> None:
        """Change what the entry says. The only way in which the ledger ever changes."""
        self.entries.append(entry)
        match entry:
            case Consumed():
                key = (entry.scope_id, entry.purchase_ref, entry.period)
                self._total(key).used += entry.whole * NANO + entry.nano
                self._changed_totals.add(key)
                if entry.debit:
                    self._debit(
                        entry.scope_id, entry.customer_ref, entry.product_ref, entry.event_number, entry.debit
                    )
            case Credited():
                move = CreditMove(
                    number=entry.number,
                    customer_ref=entry.customer_ref,
                    kind=entry.kind,
                    at=self.at,
                    credits=entry.credits,
                    balance=0,
                    product_ref=None,
                    reason=entry.reason,
                    key=entry.key,
                )
                self._move(entry.scope_id, move)
            case Held():
                self._open_hold(entry)
            case Ended():
                self._end_hold(entry)

    def changes(self, last_number: int) -> Changes:
        """Return what is other than it was. last_number: see `LedgerState`."""
        changed: Changes = {}
        for key in self._changed_totals:
            total = self._totals[key]
            state.put_total(changed, key, total.used, total.held)
        for customer in self._changed_balances:
            balance = self._balances[customer]
            state.put_balance(changed, customer, balance.credits, balance.held)
        for scope_id, move in self._moves:
            state.put_move(changed, scope_id, move)
        for number in self._changed_holds:
            scope_id, hold = self._holds[number]
            if hold is not None:
                state.put_hold(changed, scope_id, hold)
        state.put_state(changed, LedgerState(last_number, self.at))
        return changed

    # --- accounts

    def _account(self, scope_id: int, purchase: Purchase | None, at: int) -> Account:
        """Return the account of a purchase in the period that holds a time."""
        if purchase is None:
            return Account(at=self.at)
        terms = purchase.terms
        account = Account(
            at=self.at,
            purchase=purchase,
            has_access=purchase.gives_access(self.at),
            terms=terms,
            meter=self._meter(scope_id, terms.meter_ref),
            period=purchase.grid.period_at(at),
        )
        return self._filled(scope_id, account, purchase, terms)

    def _account_of_event(self, event: Track) -> Account:
        """Who has a purchase that gives access exists: most events need no look at the customers.

        A late event counts where it happened, also once the purchase has ended; but not for somebody who got
        the ref of a customer that was deleted since.
        """
        at = self.at if event.timestamp is None else event.timestamp
        account = self._account(event.scope_id, self._purchase_of(event), at)
        if not account.has_access:
            account.customer_known = customers.exists(self._connection, event.scope_id, event.customer_ref)
        if account.purchase is not None and at != self.at:
            was_there = account.has_access or customers.exists(
                self._connection, event.scope_id, event.customer_ref, at
            )
            account.has_access = was_there and account.purchase.gives_access(at)
        return account

    def _filled(self, scope_id: int, account: Account, purchase: Purchase, terms: Terms) -> Account:
        if account.period is not None:
            key = (scope_id, purchase.ref, account.period.number)
            total = self._total(key)
            if total.held:
                self._end_due(scope_id, self._accounts.due_of_purchase(scope_id, purchase.ref, self.at))
            account.used, account.held = total.used, total.held
            if terms.rollover:
                account.carried = self._carried(key, terms)
        if terms.is_prepaid:
            balance = self._balance((scope_id, purchase.customer_ref))
            account.balance, account.held_credits = balance.credits, balance.held
        return account

    def _account_of_hold(self, scope_id: int, number: int) -> tuple[Account, Hold | None]:
        hold = self.hold(scope_id, number)
        if hold is None:
            return Account(at=self.at), None
        purchase = self._purchase(scope_id, hold.purchase_ref)
        if purchase is None:
            return Account(at=self.at), hold
        return self._account(scope_id, purchase, purchase.grid.period(hold.period).start), hold

    def _carried(self, key: _PeriodKey, terms: Terms) -> int:
        """Return what rolled over into a period, from what was used in every one before it.

        What is still held in one of those does not roll over: it may be used there yet.
        """
        scope_id, ref, number = key
        for period, used, held in self._accounts.totals(scope_id, ref, before=number):
            total = self._totals.setdefault((scope_id, ref, period), _Total(used, held))
            if total.held:
                self._end_due(scope_id, self._accounts.due_of_purchase(scope_id, ref, self.at))
        carried = 0
        for period in range(number):
            before = self._totals.get((scope_id, ref, period), _UNUSED)
            carried = terms.carries(carried, before.used + before.held)
        return carried

    def _purchase_of(self, event: Track) -> Purchase | None:
        """Return the purchase that an event pins, or else the current one of its product.

        None where it names neither, or a purchase of somebody else or of another product.
        """
        if event.purchase_ref is not None:
            pinned = self._purchase(event.scope_id, event.purchase_ref)
            if pinned is None or pinned.customer_ref != event.customer_ref:
                return None
            return pinned if event.product_ref in (None, pinned.product_ref) else None
        if event.product_ref is None:
            return None
        return self._current_purchase(event.scope_id, event.customer_ref, event.product_ref)

    # --- changes

    def _debit(
        self, scope_id: int, customer_ref: str, product_ref: str | None, number: int, amount: int
    ) -> None:
        move = CreditMove(
            number=number,
            customer_ref=customer_ref,
            kind=CreditKind.USAGE,
            at=self.at,
            credits=-amount,
            balance=0,
            product_ref=product_ref,
            reason=None,
            key=None,
        )
        self._move(scope_id, move)

    def _move(self, scope_id: int, move: CreditMove) -> None:
        """Move a balance, and remember what it was afterwards."""
        customer = (scope_id, move.customer_ref)
        balance = self._balance(customer)
        balance.credits += move.credits
        self._changed_balances.add(customer)
        self._moves.append((scope_id, replace(move, balance=balance.credits)))

    def _open_hold(self, entry: Held) -> None:
        hold = Hold(
            number=entry.number,
            customer_ref=entry.customer_ref,
            product_ref=entry.product_ref,
            purchase_ref=entry.purchase_ref,
            period=entry.period,
            meter=entry.meter,
            units=entry.whole * NANO + entry.nano,
            credits=entry.credits,
            created_at=entry.at,
            expires_at=entry.expires_at,
            remaining=entry.remaining,
        )
        self._put_hold(entry.scope_id, hold)
        self._reserve(entry.scope_id, hold, 1)

    def _end_hold(self, entry: Ended) -> None:
        before = self._hold_of(entry)
        after = ended(before, entry)
        self._put_hold(entry.scope_id, after)  # first: reading the balance ends what is due
        if before.status is HoldStatus.OPEN:
            self._reserve(entry.scope_id, before, -1)
        if after.used:
            key = (entry.scope_id, after.purchase_ref, after.period)
            self._total(key).used += after.used
            self._changed_totals.add(key)
        if entry.debit:
            self._debit(
                entry.scope_id, after.customer_ref, after.product_ref, entry.event_number, entry.debit
            )

    def _reserve(self, scope_id: int, hold: Hold, sign: int) -> None:
        key = (scope_id, hold.purchase_ref, hold.period)
        self._total(key).held += sign * hold.units
        self._changed_totals.add(key)
        if hold.credits:
            customer = (scope_id, hold.customer_ref)
            self._balance(customer).held += sign * hold.credits
            self._changed_balances.add(customer)

    def _end_due(self, scope_id: int, due: Sequence[int]) -> None:
        """End holds whose time has come. due: their numbers."""
        for number in due:
            self.hold(scope_id, number)

    # --- rows

    def _current_purchase(self, scope_id: int, customer_ref: str, product_ref: str) -> Purchase | None:
        key = (scope_id, customer_ref, product_ref)
        if key not in self._current:
            self._current[key] = purchases.current(self._connection, scope_id, customer_ref, product_ref)
        return self._current[key]

    def _purchase(self, scope_id: int, ref: str) -> Purchase | None:
        key = (scope_id, ref)
        if key not in self._purchases:
            self._purchases[key] = purchases.find(self._connection, scope_id, ref)
        return self._purchases[key]

    def _meter(self, scope_id: int, ref: str) -> Meter | None:
        known = self._accounts.meters
        meter = known.get((scope_id, ref))
        if meter is None:
            meter = meters.find(self._connection, scope_id, "ref", ref)
            if meter is not None:
                if len(known) >= _MOST_METERS:
                    known.clear()
                known[scope_id, ref] = meter
        return meter

    def _total(self, key: _PeriodKey) -> _Total:
        total = self._totals.get(key)
        if total is None:
            total = self._totals[key] = _Total(*self._accounts.total(key))
        return total

    def _balance(self, customer: _Customer) -> _Balance:
        balance = self._balances.get(customer)
        if balance is None:
            balance = self._balances[customer] = _Balance(*self._accounts.balance(customer))
            if balance.held:
                self._end_due(customer[0], self._accounts.due_of_customer(*customer, self.at))
        return balance

    def _find_hold(self, scope_id: int, number: int) -> Hold | None:
        if number not in self._holds:
            self._holds[number] = self._accounts.hold(number) or (scope_id, None)
        scope, hold = self._holds[number]
        return hold if scope == scope_id else None

    def _hold_of(self, entry: Ended) -> Hold:
        hold = self._find_hold(entry.scope_id, entry.number)
        assert hold is not None  # noqa: S101 - it was opened before
        return hold

    def _put_hold(self, scope_id: int, hold: Hold) -> None:
        self._holds[hold.number] = (scope_id, hold)
        self._changed_holds.add(hold.number)
