"""The ledger's rows as one transaction has read and changed them. Each is read once."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from meterhouse.model.credit import CreditMove, CreditQuestion
from meterhouse.model.hold import Hold
from meterhouse.model.ledger import Track
from meterhouse.model.meter import Meter
from meterhouse.model.purchase import Purchase
from meterhouse.stores.embedded.accounts import layout
from meterhouse.stores.embedded.accounts.layout import Changes, LedgerState, Swept
from meterhouse.stores.embedded.accounts.purse import Lot, Purse
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.catalog import meters, purchases

_MOST_METERS: Final = 10_000
Customer = tuple[int, str]
"""Scope and ref."""
PeriodKey = tuple[int, str, int]
"""Scope, ref of a purchase, and number of a period."""


@dataclass(slots=True)
class Total:
    """What was used and is held in a period, billionths."""

    used: int = 0
    held: int = 0


_UNUSED: Final = Total()


class Rows:
    """connection: for purchases and meters, which change elsewhere."""

    def __init__(self, accounts: Accounts, connection: sqlite3.Connection) -> None:
        self._accounts = accounts
        self._connection = connection
        self._current: dict[tuple[int, str, str], Purchase | None] = {}
        self._purchases: dict[tuple[int, str], Purchase | None] = {}
        self._totals: dict[PeriodKey, Total] = {}
        self._purses: dict[Customer, Purse] = {}
        self._holds: dict[int, tuple[int, Hold | None]] = {}
        self._moves: list[tuple[int, CreditMove]] = []
        self._newest: dict[tuple[int, str], int] = {}
        self._changed_totals: set[PeriodKey] = set()
        self._changed_purses: set[Customer] = set()
        self._changed_holds: set[int] = set()
        self._changed_lots: list[tuple[Customer, Lot]] = []

    def prepare(self, events: Iterable[Track], at: int) -> None:
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
            if (period := purchase.grid.period_at(at)) is not None
        ]
        paying = {
            (scope_id, purchase.customer_ref) for scope_id, purchase in found if purchase.terms.is_prepaid
        }
        for key, total in zip(periods, self._accounts.totals_of(periods), strict=True):
            self._totals[key] = Total(*total)
        refs = sorted(paying)
        for customer, purse in zip(refs, self._accounts.purses(refs), strict=True):
            if not purse.held and not purse.lots:  # else some of it may be due
                self._purses[customer] = purse

    def current_purchase(self, scope_id: int, customer_ref: str, product_ref: str) -> Purchase | None:
        """Return the newest purchase of a customer and product; it may have ended."""
        key = (scope_id, customer_ref, product_ref)
        if key not in self._current:
            self._current[key] = purchases.current(self._connection, scope_id, customer_ref, product_ref)
        return self._current[key]

    def purchase(self, scope_id: int, ref: str) -> Purchase | None:
        key = (scope_id, ref)
        if key not in self._purchases:
            self._purchases[key] = purchases.find(self._connection, scope_id, ref)
        return self._purchases[key]

    def meter(self, scope_id: int, ref: str) -> Meter | None:
        known = self._accounts.meters
        meter = known.get((scope_id, ref))
        if meter is None:
            meter = meters.find(self._connection, scope_id, "ref", ref)
            if meter is not None:
                if len(known) >= _MOST_METERS:
                    known.clear()
                known[scope_id, ref] = meter
        return meter

    def total(self, key: PeriodKey) -> Total:
        total = self._totals.get(key)
        if total is None:
            total = self._totals[key] = Total(*self._accounts.total(key))
        return total

    def totals_before(self, key: PeriodKey) -> list[Total]:
        """Return the totals of every period of a purchase before one, the first one first."""
        scope_id, ref, number = key
        for period, used, held in self._accounts.totals(scope_id, ref, before=number):
            self._totals.setdefault((scope_id, ref, period), Total(used, held))
        return [self._totals.get((scope_id, ref, period), _UNUSED) for period in range(number)]

    def add_to_total(self, key: PeriodKey, *, used: int = 0, held: int = 0) -> None:
        total = self.total(key)
        total.used += used
        total.held += held
        self._changed_totals.add(key)
        if self._newest:
            purchase = key[:2]
            self._newest[purchase] = max(self.newest_period(*purchase), key[2])

    def newest_period(self, scope_id: int, purchase_ref: str) -> int:
        """Return the last period of a purchase that was used, 0 for none."""
        newest = self._newest.get((scope_id, purchase_ref))
        if newest is None:
            changed = (key[2] for key in self._changed_totals if key[:2] == (scope_id, purchase_ref))
            newest = max(self._accounts.newest_period(scope_id, purchase_ref), *changed, 0)
            self._newest[scope_id, purchase_ref] = newest
        return newest

    def known_purse(self, customer: Customer) -> Purse | None:
        """Return a purse that was read before, None for one that was not."""
        return self._purses.get(customer)

    def purse(self, customer: Customer) -> Purse:
        purse = self._purses.get(customer)
        if purse is None:
            purse = self._purses[customer] = self._accounts.purse(customer)
        return purse

    def purse_changed(self, customer: Customer) -> None:
        self._changed_purses.add(customer)

    def lot_changed(self, customer: Customer, lot: Lot) -> None:
        """Note that a lot is new or used up."""
        self._changed_lots.append((customer, lot))

    @property
    def used_up(self) -> list[int]:
        """The numbers of the expiring grants that this transaction used up."""
        return [lot.grant for _, lot in self._changed_lots if not lot.left]

    def add_move(self, scope_id: int, move: CreditMove) -> None:
        self._moves.append((scope_id, move))

    def moves(self, scope_id: int, question: CreditQuestion) -> list[CreditMove]:
        """Return the movements of this transaction that a question asks for, the limit aside."""
        return [
            move
            for scope, move in self._moves
            if (scope, move.customer_ref) == (scope_id, question.customer_ref) and question.includes(move)
        ]

    def move(self, scope_id: int, customer_ref: str, number: int) -> CreditMove | None:
        """Return a movement of this transaction that is no expiry."""
        for scope, move in self._moves:
            if (scope, move.number, move.expiry, move.customer_ref) == (scope_id, number, 0, customer_ref):
                return move
        return None

    def hold(self, scope_id: int, number: int) -> Hold | None:
        """Return a hold of the scope, as it was last written."""
        if number not in self._holds:
            self._holds[number] = self._accounts.hold(number) or (scope_id, None)
        scope, hold = self._holds[number]
        return hold if scope == scope_id else None

    def put_hold(self, scope_id: int, hold: Hold) -> None:
        self._holds[hold.number] = (scope_id, hold)
        self._changed_holds.add(hold.number)

    def changes(self, now: LedgerState, swept: Swept | None) -> Changes:
        """Return what is other than it was. swept: None for what it was."""
        changed: Changes = {}
        for key in self._changed_totals:
            total = self._totals[key]
            layout.put_total(changed, key, total.used, total.held)
        for customer in self._changed_purses:
            layout.put_purse(changed, customer, self._purses[customer])
        for (scope_id, customer_ref), lot in self._changed_lots:
            layout.put_lot(changed, scope_id, customer_ref, lot)
        for scope_id, move in self._moves:
            layout.put_move(changed, scope_id, move)
        for number in self._changed_holds:
            scope_id, hold = self._holds[number]
            if hold is not None:
                layout.put_hold(changed, scope_id, hold)
        layout.put_state(changed, now)
        if swept is not None:
            layout.put_swept(changed, swept)
        return changed
