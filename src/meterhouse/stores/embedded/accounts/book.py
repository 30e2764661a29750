"""The ledger as one transaction sees it: accounts are read when asked for, changes are written at the end.

Where nobody takes its changes, as where accounts are only looked at, nothing has happened.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain

from meterhouse.model.clock import is_ahead
from meterhouse.model.credit import Balance, CreditMove, CreditQuestion
from meterhouse.model.entry import Ended, Entry, Expired
from meterhouse.model.hold import Hold, HoldStatus
from meterhouse.model.ledger import Account, Action, Credit, Release, Reserve, Settle, Track
from meterhouse.model.period import Period
from meterhouse.model.purchase import Purchase
from meterhouse.model.terms import Terms
from meterhouse.stores.embedded.accounts.apply import Applier
from meterhouse.stores.embedded.accounts.layout import Changes, LedgerState, Swept
from meterhouse.stores.embedded.accounts.purse import Purse
from meterhouse.stores.embedded.accounts.rows import Customer, PeriodKey, Rows
from meterhouse.stores.embedded.accounts.state import NEVER, Accounts
from meterhouse.stores.embedded.catalog import customers


class Book:
    """at: the time it decides by, microseconds since 1970. newest: the newest that the ledger has decided by.

    `newest` is above `at` after the clock was ahead. Then an account counts in the newest period that it has
    used, so that periods never go back, and holds that were opened ahead have ended. Everything else goes by
    `at`.

    Before it reads an account, it ends the holds and expires the credits of it whose time has come.

    connection: for purchases and meters. entries: every change so far, in order.
    Raises LedgerUnavailable while the ledger lacks records of the log.
    """

    def __init__(self, accounts: Accounts, connection: sqlite3.Connection, at: int, newest: int) -> None:
        accounts.follower.require_whole()
        self._all_ended = False
        self.at = at
        self.is_behind = newest > at
        self.swept: Swept | None = None
        """Where it ended what was due: how far that is written once its changes are."""
        self.opened_until = accounts.opened_until
        self.entries: list[Entry] = []
        self._accounts = accounts
        self._connection = connection
        self._rows = Rows(accounts, connection)
        self._applier = Applier(self._rows, at)

    def prepare(self, events: Iterable[Track]) -> None:
        """Read beforehand what these events bear on."""
        self._rows.prepare(events, self.at)

    def end_due(self, most: int) -> None:
        """End the holds and expire the credits whose time has come, of all accounts, at most `most` of them.
        Without this, or where there are more, those of an account are ended when it is read."""
        due = self._accounts.due(self.at, most)
        for each in due:
            if each.scope_id is not None:
                if each.customer_ref:
                    self._purse((each.scope_id, each.customer_ref))
                else:
                    self.hold(each.scope_id, each.swept.number)
        self.opened_until = max(self._accounts.opened_until, self.at)
        if is_ahead(self.opened_until, self.at):
            self.opened_until = self.at
            for scope_id, number in list(self._accounts.open_holds(self.at)):
                self.hold(scope_id, number)
        self._all_ended = len(due) < most
        self.swept = Swept(self.at + 1, 0) if self._all_ended else due[-1].swept

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
                purse = self._purse((action.scope_id, action.customer_ref))
                return Account(at=self.at, balance=purse.credits, held_credits=purse.held), None

    def standing(self, scope_id: int, customer_ref: str, product_ref: str) -> Account:
        """Return the account of a customer's current purchase of a product, now."""
        account = self._account(scope_id, self._rows.current_purchase(scope_id, customer_ref, product_ref))
        if account.purchase is None:
            purse = self._purse((scope_id, customer_ref))
            account.balance, account.held_credits = purse.credits, purse.held
        return account

    def balance_of(self, scope_id: int, customer_ref: str) -> Balance:
        purse = self._purse((scope_id, customer_ref))
        return Balance(purse.credits, purse.held, purse.expiring(self.at) if purse.lots else ())

    def moves(self, scope_id: int, question: CreditQuestion) -> Sequence[CreditMove]:
        """Return movements of a balance, the newest first. Expiries that are not written yet are among them,
        as they will be written."""
        self._purse((scope_id, question.customer_ref))
        unwritten = self._rows.moves(scope_id, question)
        written = self._accounts.moves(scope_id, question)
        if not unwritten:
            return written
        found = {
            move.place: move for move in chain(unwritten, written)
        }  # some may have been written just now
        return [found[place] for place in sorted(found, reverse=True)][: question.limit]

    def balance_after(self, scope_id: int, customer_ref: str, number: int) -> int:
        """Return a balance as a movement left it, of this transaction or of an earlier one."""
        move = self._rows.move(scope_id, customer_ref, number)
        if move is not None:
            return move.balance
        return self._accounts.balance_after(scope_id, customer_ref, number)

    def of_purchase(self, scope_id: int, purchase: Purchase) -> Account:
        """Return the account of any purchase, now; of one that has ended, in its last period."""
        ended = purchase.ends_at is not None and purchase.ends_at <= self.at
        last = max(purchase.ends_at - 1, purchase.started_at) if ended and purchase.ends_at else None
        return self._account(scope_id, purchase, last)

    def hold(self, scope_id: int, number: int) -> Hold | None:
        """Return a hold of the scope, as it stands now."""
        hold = self._rows.hold(scope_id, number)
        if hold is not None and hold.credits and self._is_due(hold):
            self._purse(
                (scope_id, hold.customer_ref)
            )  # may end it, in order of time with the customer's others
            hold = self._rows.hold(scope_id, number)
        if hold is not None and self._is_due(hold):
            self.record(Ended(scope_id, number, min(hold.expires_at, self.at), HoldStatus.EXPIRED))
            hold = self._rows.hold(scope_id, number)
        return hold

    def record(self, entry: Entry) -> None:
        """Apply an entry that was decided now, and let the credits expire that its hold had kept beyond their
        time."""
        self.entries.append(entry)
        self._applier.apply(entry)
        if isinstance(entry, Ended):
            hold = self._rows.hold(entry.scope_id, entry.number)
            if hold is not None and hold.credits:
                self._lapse((entry.scope_id, hold.customer_ref), entry.at)

    def changes(self, state: LedgerState) -> Changes:
        """Return the changed rows. state: the ledger's, after these changes."""
        return self._rows.changes(state, self.swept)

    # --- accounts

    def _account(self, scope_id: int, purchase: Purchase | None, at: int | None = None) -> Account:
        """Return the account of a purchase in the period that holds a time, None for the current period."""
        if purchase is None:
            return Account(at=self.at)
        terms = purchase.terms
        account = Account(
            at=self.at,
            purchase=purchase,
            has_access=purchase.gives_access(self.at),
            terms=terms,
            meter=self._rows.meter(scope_id, terms.meter_ref),
            period=self._period(scope_id, purchase, at),
        )
        return self._filled(scope_id, account, purchase, terms)

    def _period(self, scope_id: int, purchase: Purchase, at: int | None) -> Period | None:
        """Return the period that holds a time, None for now. One before the purchase has none.

        A purchase that begins after now was made by a clock that was ahead: its first period holds now.
        """
        grid = purchase.grid
        time = self.at if at is None else at
        period = grid.period_at(max(time, grid.started_at) if self.at < grid.started_at else time)
        if at is None and self.is_behind and period is not None:
            newest = self._rows.newest_period(scope_id, purchase.ref)
            return grid.period(newest) if newest > period.number else period
        return period

    def _account_of_event(self, event: Track) -> Account:
        """Who has a purchase that gives access exists: most events need no look at the customers.

        A late event counts where it happened, also once the purchase has ended; but not for somebody who got
        the ref of a customer that was deleted since.
        """
        at = event.timestamp
        account = self._account(event.scope_id, self._purchase_of(event), at)
        if not account.has_access:
            account.customer_known = customers.exists(self._connection, event.scope_id, event.customer_ref)
        if account.purchase is not None and at is not None:
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
            purse = self._purse((scope_id, purchase.customer_ref))
            account.balance, account.held_credits = purse.credits, purse.held
        return account

    def _account_of_hold(self, scope_id: int, number: int) -> tuple[Account, Hold | None]:
        hold = self.hold(scope_id, number)
        if hold is None:
            return Account(at=self.at), None
        purchase = self._rows.purchase(scope_id, hold.purchase_ref)
        if purchase is None:
            return Account(at=self.at), hold
        account = self._account(scope_id, purchase, purchase.grid.period(hold.period).start)
        if hold.credits:
            account.lapsing = self._purse((scope_id, hold.customer_ref)).lapsing(number, self.at)
        return account, hold

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

    # --- what is due

    def _end_due_of(self, scope_id: int, purchase_ref: str) -> None:
        """End the holds of a purchase whose time has come."""
        if not self._all_ended:
            for number in self._accounts.due_of_purchase(scope_id, purchase_ref, self._due_until):
                self.hold(scope_id, number)

    def _is_due(self, hold: Hold) -> bool:
        is_over = hold.expires_at <= self.at or is_ahead(hold.created_at, self.at)
        return is_over and hold.status is HoldStatus.OPEN

    @property
    def _due_until(self) -> int:
        """When the last hold expires that may be due."""
        return NEVER if self.is_behind else self.at

    def _purse(self, customer: Customer) -> Purse:
        purse = self._rows.known_purse(customer)
        if purse is None:
            purse = self._rows.purse(customer)
            if (purse.held or purse.lots) and not self._all_ended:
                self._end_due_of_customer(customer, purse)
        return purse

    def _end_due_of_customer(self, customer: Customer, purse: Purse) -> None:
        """End a customer's holds of credits and expire its credits whose time has come, in order of time.

        What was told before some of it was due stays true. At equal times, holds end first.
        """
        scope_id = customer[0]
        due = [(time, 1, 0) for time in purse.due(self.at)]
        for number in self._accounts.due_of_customer(*customer, self._due_until) if purse.held else ():
            hold = self._rows.hold(scope_id, number)
            if hold is not None and self._is_due(hold):
                due.append((min(hold.expires_at, self.at), 0, number))
        for time, _, number in sorted(due):
            if number:
                self.hold(scope_id, number)
            else:
                self._lapse(customer, time)

    def _lapse(self, customer: Customer, at: int) -> None:
        """Let the credits expire whose time has come by then, but for those that holds keep."""
        purse = self._purse(customer)
        for grant, credits_ in purse.lapsed(at) if purse.lots else ():
            number, expiry = purse.newest
            self.record(Expired(customer[0], number, expiry + 1, at, customer[1], grant, credits_))
