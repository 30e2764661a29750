"""The ledger as one transaction sees it: accounts are read when asked for, changes are written at the end.

On a connection for reading it answers the same accounts, and nothing is ever written.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from meterhouse.model.credit import Balance, CreditKind
from meterhouse.model.entry import Consumed, Credited, Ended, Entry, Held, ended
from meterhouse.model.hold import Hold, HoldStatus
from meterhouse.model.ledger import Account, Action, Credit, Expire, Release, Reserve, Settle, Track
from meterhouse.model.meter import Meter
from meterhouse.model.purchase import Purchase
from meterhouse.model.terms import Terms
from meterhouse.model.units import NANO
from meterhouse.stores.embedded import meters, purchases
from meterhouse.stores.embedded.accounts import rows


class LedgerState(NamedTuple):
    """last_number: of holds and credit movements. clock: the newest time decided by, microseconds."""

    last_number: int
    clock: int


@dataclass(slots=True)
class _Total:
    """What was used and is held in a period, billionths."""

    used: int = 0
    held: int = 0


@dataclass(slots=True)
class _Balance:
    credits: int = 0
    held: int = 0


_Customer = tuple[int, str]
_PeriodKey = tuple[int, str, int]


class Book:
    """at: the time it decides by, microseconds since 1970; holds whose time has come by then are ended first.

    entries: every change so far, in order.
    """

    def __init__(self, connection: sqlite3.Connection, at: int) -> None:
        self.at = at
        self.entries: list[Entry] = []
        self._connection = connection
        self._current: dict[tuple[int, str, str], Purchase | None] = {}
        self._purchases: dict[tuple[int, str], Purchase | None] = {}
        self._meters: dict[tuple[int, str], Meter | None] = {}
        self._totals: dict[_PeriodKey, _Total] = {}
        self._balances: dict[_Customer, _Balance] = {}
        self._holds: dict[int, tuple[int, Hold | None]] = {}
        self._moves: list[tuple[object, ...]] = []
        self._histories: dict[tuple[int, str], dict[int, int]] = {}
        self._swept: int | None = None  # the scope of which no hold is due any more
        self._changed_totals: set[_PeriodKey] = set()
        self._changed_balances: set[_Customer] = set()
        self._changed_holds: set[int] = set()

    def account(self, action: Action) -> tuple[Account, Hold | None]:
        """Return what bears on an action, and the hold it is about where it is about one of its scope."""
        match action:
            case Track():
                at = self.at if action.timestamp is None else action.timestamp
                return self._account(action.scope_id, self._purchase_of(action), at), None
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

    def balances_of(self, scope_id: int, customer_refs: Collection[str]) -> Mapping[str, Balance]:
        """Return the balance of each customer; however many, in as many queries."""
        self._read_balances(scope_id, customer_refs)
        self._sweep(scope_id)
        return {ref: self.balance_of(scope_id, ref) for ref in customer_refs}

    def of_purchases(self, scope_id: int, purchases: Sequence[Purchase]) -> list[Account]:
        """Return the account of each purchase, now; however many, in as many queries."""
        now = {purchase.ref: purchase.grid.period_at(self.at) for purchase in purchases}
        keys = [(ref, period.number) for ref, period in now.items() if period is not None]
        self._totals |= {(scope_id, *key): _Total() for key in keys}
        for ref, period, used, held in rows.totals(self._connection, scope_id, keys):
            self._totals[scope_id, ref, period] = _Total(used, held)
        rolling: list[str] = [purchase.ref for purchase in purchases if purchase.terms.rollover]
        self._histories |= {(scope_id, ref): {} for ref in rolling}
        for ref, period, used in rows.used(self._connection, scope_id, rolling) if rolling else ():
            self._histories[scope_id, ref][period] = used
        self._read_balances(scope_id, {purchase.customer_ref for purchase in purchases})
        self._sweep(scope_id)
        return [self._account(scope_id, purchase, self.at) for purchase in purchases]

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
                    self._debit(entry, entry.product_ref, entry.event_number, entry.debit)
            case Credited():
                self._move(entry, entry.number, entry.kind, entry.credits, entry.reason, entry.key)
            case Held():
                self._open_hold(entry)
            case Ended():
                self._end_hold(entry)

    def flush(self, last_number: int) -> None:
        """Write all changes. last_number: see `LedgerState`."""
        totals, balances = self._totals, self._balances
        rows.put_totals(
            self._connection, [(key, totals[key].used, totals[key].held) for key in self._changed_totals]
        )
        rows.put_balances(
            self._connection,
            [(*key, balances[key].credits, balances[key].held) for key in self._changed_balances],
        )
        rows.put_moves(self._connection, self._moves)
        rows.put_holds(self._connection, [self._holds[number] for number in self._changed_holds])
        self._connection.execute("UPDATE ledger_state SET last_number = ?, clock = ?", (last_number, self.at))

    # --- accounts

    def _account(self, scope_id: int, purchase: Purchase | None, at: int) -> Account:
        """Return the account of a purchase in the period that holds a time."""
        if purchase is None:
            return Account(at=self.at)
        terms = purchase.terms
        account = Account(
            at=self.at,
            purchase=purchase,
            terms=terms,
            meter=self._meter(scope_id, terms.meter_ref),
            period=purchase.grid.period_at(at),
        )
        return self._filled(scope_id, account, purchase, terms)

    def _filled(self, scope_id: int, account: Account, purchase: Purchase, terms: Terms) -> Account:
        if account.period is not None:
            key = (scope_id, purchase.ref, account.period.number)
            total = self._total(key)
            if total.held and self._swept != scope_id:
                self._end_due(rows.due_holds_of_purchase(self._connection, scope_id, purchase.ref, self.at))
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
        """Return what rolled over into a period, from what was used in every one before it."""
        scope_id, ref, number = key
        known = self._histories.get((scope_id, ref))
        used = dict(rows.used_before(self._connection, scope_id, ref, number) if known is None else known)
        used |= {
            period: total.used
            for (scope, of, period), total in self._totals.items()
            if (scope, of) == (scope_id, ref)
        }
        carried = 0
        for period in range(number):
            carried = terms.carries(carried, used.get(period, 0))
        return carried

    def _purchase_of(self, event: Track) -> Purchase | None:
        """Return the purchase that an event pins, or the current one; None where it names neither."""
        if not event.customer_known:
            return None
        if event.purchase_ref is not None:
            pinned = self._purchase(event.scope_id, event.purchase_ref)
            return pinned if pinned is not None and pinned.customer_ref == event.customer_ref else None
        if event.product_ref is None:
            return None
        return self._current_purchase(event.scope_id, event.customer_ref, event.product_ref)

    # --- changes

    def _debit(self, entry: Consumed | Ended, product_ref: str | None, number: int, amount: int) -> None:
        customer_ref = (
            entry.customer_ref if isinstance(entry, Consumed) else self._hold_of(entry).customer_ref
        )
        self._write_move(
            entry.scope_id, customer_ref, number, CreditKind.USAGE, -amount, product_ref, None, None
        )

    def _move(
        self,
        entry: Credited,
        number: int,
        kind: CreditKind,
        credits_: int,
        reason: str | None,
        key: str | None,
    ) -> None:
        self._write_move(entry.scope_id, entry.customer_ref, number, kind, credits_, None, reason, key)

    def _write_move(  # noqa: PLR0913, PLR0917 - the columns of the table
        self,
        scope_id: int,
        customer_ref: str,
        number: int,
        kind: CreditKind,
        credits_: int,
        product_ref: str | None,
        reason: str | None,
        key: str | None,
    ) -> None:
        customer = (scope_id, customer_ref)
        balance = self._balance(customer)
        balance.credits += credits_
        self._changed_balances.add(customer)
        self._moves.append(
            (
                scope_id,
                customer_ref,
                number,
                kind,
                self.at,
                credits_,
                balance.credits,
                product_ref,
                reason,
                key,
            )
        )

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
            self._debit(entry, after.product_ref, entry.event_number, entry.debit)

    def _reserve(self, scope_id: int, hold: Hold, sign: int) -> None:
        key = (scope_id, hold.purchase_ref, hold.period)
        self._total(key).held += sign * hold.units
        self._changed_totals.add(key)
        if hold.credits:
            customer = (scope_id, hold.customer_ref)
            self._balance(customer).held += sign * hold.credits
            self._changed_balances.add(customer)

    def _end_due(self, due: Sequence[tuple[int, int]]) -> None:
        """End holds whose time has come. due: scope and number."""
        for scope_id, number in due:
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
        key = (scope_id, ref)
        if key not in self._meters:
            self._meters[key] = meters.find(self._connection, scope_id, "ref", ref)
        return self._meters[key]

    def _total(self, key: _PeriodKey) -> _Total:
        total = self._totals.get(key)
        if total is None:
            total = self._totals[key] = _Total(*rows.total(self._connection, key))
        return total

    def _balance(self, customer: _Customer) -> _Balance:
        balance = self._balances.get(customer)
        if balance is None:
            balance = self._balances[customer] = _Balance(*rows.balance(self._connection, customer))
            if balance.held:
                self._end_due(rows.due_holds_of_customer(self._connection, *customer, self.at))
        return balance

    def _read_balances(self, scope_id: int, customer_refs: Collection[str]) -> None:
        self._balances |= {(scope_id, ref): _Balance() for ref in customer_refs}
        for ref, credits_, held in rows.balances(self._connection, scope_id, customer_refs):
            self._balances[scope_id, ref] = _Balance(credits_, held)

    def _sweep(self, scope_id: int) -> None:
        """End every hold of the scope whose time has come."""
        self._end_due(rows.due_holds_of_scope(self._connection, scope_id, self.at))
        self._swept = scope_id

    def _find_hold(self, scope_id: int, number: int) -> Hold | None:
        if number not in self._holds:
            self._holds[number] = rows.hold(self._connection, number) or (scope_id, None)
        scope, hold = self._holds[number]
        return hold if scope == scope_id else None

    def _hold_of(self, entry: Ended) -> Hold:
        hold = self._find_hold(entry.scope_id, entry.number)
        assert hold is not None  # noqa: S101 - it was opened before
        return hold

    def _put_hold(self, scope_id: int, hold: Hold) -> None:
        self._holds[hold.number] = (scope_id, hold)
        self._changed_holds.add(hold.number)


def read_state(connection: sqlite3.Connection) -> LedgerState:
    return LedgerState(*connection.execute("SELECT last_number, clock FROM ledger_state").fetchone())
