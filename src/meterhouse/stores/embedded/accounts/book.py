"""The ledger as one transaction sees it: accounts are read when asked for, changes are written at the end.

Where nobody takes its changes, as where accounts are only looked at, nothing has happened.
"""

import sqlite3
from collections.abc import Iterable

from meterhouse.model.credit import Balance, CreditKind, CreditMove
from meterhouse.model.entry import Consumed, Credited, Ended, Entry, Held, ended
from meterhouse.model.hold import Hold, HoldStatus
from meterhouse.model.ledger import Account, Action, Credit, Release, Reserve, Settle, Track
from meterhouse.model.purchase import Purchase
from meterhouse.model.terms import Terms
from meterhouse.model.units import NANO
from meterhouse.stores.embedded.accounts.layout import Changes, LedgerState, Swept
from meterhouse.stores.embedded.accounts.rows import BalanceRow, Customer, PeriodKey, Rows
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.catalog import customers


class Book:
    """at: the time it decides by, microseconds since 1970; holds whose time has come by then are ended first.

    connection: for purchases and meters. entries: every change so far, in order.
    all_ended: every hold has ended whose time has come, or it is the log that says when they end.
    """

    def __init__(
        self, accounts: Accounts, connection: sqlite3.Connection, at: int, *, all_ended: bool = False
    ) -> None:
        self._all_ended = all_ended
        self.at = at
        self.swept: Swept | None = None
        """Where it ended what was due: how far that is written once its changes are."""
        self.entries: list[Entry] = []
        self._accounts = accounts
        self._connection = connection
        self._rows = Rows(accounts, connection)

    def prepare(self, events: Iterable[Track]) -> None:
        """Read beforehand what these events bear on."""
        self._rows.prepare(events, self.at)

    def end_due(self, most: int) -> None:
        """End the holds whose time has come, whoever's they are, at most so many. Without this, or where
        there are more, those of an account are ended when it is looked at."""
        due = self._accounts.due(self.at, most)
        for place, scope_id in due:
            if scope_id is not None:
                self.hold(scope_id, place.number)
        self._all_ended = len(due) < most
        self.swept = Swept(self.at + 1, 0) if self._all_ended else due[-1][0]

    def account(self, action: Action) -> tuple[Account, Hold | None]:
        """Return what bears on an action, and the hold it is about where it is about one of its scope."""
        match action:
            case Track():
                return self._account_of_event(action), None
            case Reserve():
                return self.standing(action.scope_id, action.customer_ref, action.product_ref), None
            case Settle() | Release():
                return self._account_of_hold(action.scope_id, action.hold)
            case Credit():
                balance = self._balance((action.scope_id, action.customer_ref))
                return Account(at=self.at, balance=balance.credits, held_credits=balance.held), None

    def standing(self, scope_id: int, customer_ref: str, product_ref: str) -> Account:
        """Return the account of a customer's current purchase of a product, now."""
        account = self._account(
            scope_id, self._rows.current_purchase(scope_id, customer_ref, product_ref), self.at
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
        move = self._rows.move(scope_id, customer_ref, number)
        if move is not None:
            return move.balance
        return self._accounts.balance_after(scope_id, customer_ref, number)

    def of_purchase(self, scope_id: int, purchase: Purchase) -> Account:
        """Return the account of any purchase, now; of one that has ended, in its last period."""
        end = self.at if purchase.ends_at is None else min(self.at, purchase.ends_at - 1)
        return self._account(scope_id, purchase, max(end, purchase.started_at))

    def hold(self, scope_id: int, number: int) -> Hold | None:
        """Return a hold of the scope, as it stands now."""
        hold = self._rows.hold(scope_id, number)
        if hold is not None and hold.status is HoldStatus.OPEN and hold.expires_at <= self.at:
            self.apply(Ended(scope_id, number, hold.expires_at, HoldStatus.EXPIRED))
            hold = self._rows.hold(scope_id, number)
        return hold

    def apply(self, entry: Entry) -> None:
        """Change what the entry says. The only way in which the ledger ever changes."""
        self.entries.append(entry)
        match entry:
            case Consumed():
                key = (entry.scope_id, entry.purchase_ref, entry.period)
                self._rows.add_to_total(key, used=entry.whole * NANO + entry.nano)
                if entry.debit:
                    self._debit(
                        entry.scope_id, entry.customer_ref, entry.product_ref, entry.event_number, entry.debit
                    )
            case Credited():
                balance = self._moved((entry.scope_id, entry.customer_ref), entry.credits)
                move = CreditMove(
                    number=entry.number,
                    customer_ref=entry.customer_ref,
                    kind=entry.kind,
                    at=self.at,
                    credits=entry.credits,
                    balance=balance,
                    product_ref=None,
                    reason=entry.reason,
                    key=entry.key,
                )
                self._rows.add_move(entry.scope_id, move)
            case Held():
                self._open_hold(entry)
            case Ended():
                self._end_hold(entry)

    def changes(self, last_number: int) -> Changes:
        """Return what is other than it was. last_number: see `LedgerState`."""
        return self._rows.changes(LedgerState(last_number, self.at), self.swept)

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
            meter=self._rows.meter(scope_id, terms.meter_ref),
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
            total = self._rows.total(key)
            if total.held:
                self._end_due_of(scope_id, purchase.ref)
            account.used, account.held = total.used, total.held
            if terms.rollover:
                account.carried = self._carried(key, terms, purchase.carries_from(key[2]))
        if terms.is_prepaid:
            balance = self._balance((scope_id, purchase.customer_ref))
            account.balance, account.held_credits = balance.credits, balance.held
        return account

    def _account_of_hold(self, scope_id: int, number: int) -> tuple[Account, Hold | None]:
        hold = self.hold(scope_id, number)
        if hold is None:
            return Account(at=self.at), None
        purchase = self._rows.purchase(scope_id, hold.purchase_ref)
        if purchase is None:
            return Account(at=self.at), hold
        return self._account(scope_id, purchase, purchase.grid.period(hold.period).start), hold

    def _carried(self, key: PeriodKey, terms: Terms, first: int) -> int:
        """Return what rolled over into a period, from what was used in every one before it from `first` on.

        What is still held in one of those does not roll over: it may be used there yet.
        """
        totals = self._rows.totals_before(key)
        if any(total.held for total in totals):
            scope_id, ref, _ = key
            self._end_due_of(scope_id, ref)
        carried = 0
        for total in totals[first:]:
            carried = terms.carries(carried, total.used + total.held)
        return carried

    def _purchase_of(self, event: Track) -> Purchase | None:
        """Return the purchase that an event pins, or else the current one of its product.

        None where it names neither, or a purchase of somebody else or of another product.
        """
        if event.purchase_ref is not None:
            pinned = self._rows.purchase(event.scope_id, event.purchase_ref)
            if pinned is None or pinned.customer_ref != event.customer_ref:
                return None
            return pinned if event.product_ref in (None, pinned.product_ref) else None
        if event.product_ref is None:
            return None
        return self._rows.current_purchase(event.scope_id, event.customer_ref, event.product_ref)

    # --- changes

    def _debit(
        self, scope_id: int, customer_ref: str, product_ref: str | None, number: int, amount: int
    ) -> None:
        balance = self._moved((scope_id, customer_ref), -amount)
        move = CreditMove(
            number=number,
            customer_ref=customer_ref,
            kind=CreditKind.USAGE,
            at=self.at,
            credits=-amount,
            balance=balance,
            product_ref=product_ref,
            reason=None,
            key=None,
        )
        self._rows.add_move(scope_id, move)

    def _moved(self, customer: Customer, credits_: int) -> int:
        """Move a balance; return what it is now."""
        balance = self._balance(customer)
        balance.credits += credits_
        self._rows.balance_changed(customer)
        return balance.credits

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
        self._rows.put_hold(entry.scope_id, hold)
        self._reserve(entry.scope_id, hold, 1)

    def _end_hold(self, entry: Ended) -> None:
        before = self._rows.hold(entry.scope_id, entry.number)
        assert before is not None  # noqa: S101 - it was opened before
        after = ended(before, entry)
        self._rows.put_hold(entry.scope_id, after)  # first: reading the balance ends what is due
        if before.status is HoldStatus.OPEN:
            self._reserve(entry.scope_id, before, -1)
        if after.used:
            key = (entry.scope_id, after.purchase_ref, after.period)
            self._rows.add_to_total(key, used=after.used)
        if entry.debit:
            self._debit(
                entry.scope_id, after.customer_ref, after.product_ref, entry.event_number, entry.debit
            )

    def _reserve(self, scope_id: int, hold: Hold, sign: int) -> None:
        key = (scope_id, hold.purchase_ref, hold.period)
        self._rows.add_to_total(key, held=sign * hold.units)
        if hold.credits:
            customer = (scope_id, hold.customer_ref)
            self._balance(customer).held += sign * hold.credits
            self._rows.balance_changed(customer)

    def _end_due_of(self, scope_id: int, purchase_ref: str) -> None:
        """End the holds of a purchase whose time has come."""
        if not self._all_ended:
            for number in self._accounts.due_of_purchase(scope_id, purchase_ref, self.at):
                self.hold(scope_id, number)

    def _balance(self, customer: Customer) -> BalanceRow:
        balance = self._rows.known_balance(customer)
        if balance is None:
            balance = self._rows.read_balance(customer)
            if balance.held and not self._all_ended:
                for number in self._accounts.due_of_customer(*customer, self.at):
                    self.hold(customer[0], number)
        return balance
