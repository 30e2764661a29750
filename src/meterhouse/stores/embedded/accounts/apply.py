"""Applying entries to the rows of one transaction: the only way in which the ledger ever changes."""

from collections.abc import Sequence

from meterhouse.model.credit import CreditKind, CreditMove
from meterhouse.model.entry import Consumed, Credited, Ended, Entry, Expired, Held, ended
from meterhouse.model.hold import Hold, HoldStatus
from meterhouse.model.units import NANO
from meterhouse.stores.embedded.accounts.purse import Lot, Purse
from meterhouse.stores.embedded.accounts.rows import Customer, Rows


class Applier:
    """at: when the entries were decided, microseconds since 1970."""

    def __init__(self, rows: Rows, at: int) -> None:
        self._rows = rows
        self._at = at

    def apply(self, entry: Entry) -> None:
        """Change what the entry says, and nothing else."""
        match entry:
            case Consumed():
                key = (entry.scope_id, entry.purchase_ref, entry.period)
                self._rows.add_to_total(key, used=entry.whole * NANO + entry.nano)
                if entry.debit:
                    self._debit(
                        entry.scope_id, entry.customer_ref, entry.product_ref, entry.event_number, entry.debit
                    )
            case Credited():
                self._credit(entry)
            case Expired():
                self._expire(entry)
            case Held():
                self._open_hold(entry)
            case Ended():
                self._end_hold(entry)

    def _debit(
        self, scope_id: int, customer_ref: str, product_ref: str | None, number: int, amount: int
    ) -> None:
        customer = (scope_id, customer_ref)
        purse = self._rows.purse(customer)
        used_up = purse.spend(amount)
        move = CreditMove(
            number=number,
            customer_ref=customer_ref,
            kind=CreditKind.USAGE,
            at=self._at,
            credits=-amount,
            balance=purse.credits,
            product_ref=product_ref,
        )
        self._moved(customer, purse, move, used_up)

    def _credit(self, entry: Credited) -> None:
        customer = (entry.scope_id, entry.customer_ref)
        purse = self._rows.purse(customer)
        if entry.credits < 0:
            lots = purse.spend(-entry.credits)
        else:
            lots = purse.add(entry.credits, entry.number, entry.expires_at)
        move = CreditMove(
            number=entry.number,
            customer_ref=entry.customer_ref,
            kind=entry.kind,
            at=self._at,
            credits=entry.credits,
            balance=purse.credits,
            reason=entry.reason,
            key=entry.key,
            expires_at=entry.expires_at,
        )
        self._moved(customer, purse, move, lots)

    def _expire(self, entry: Expired) -> None:
        customer = (entry.scope_id, entry.customer_ref)
        purse = self._rows.purse(customer)
        used_up = purse.expire(entry.grant, entry.credits)
        move = CreditMove(
            number=entry.number,
            expiry=entry.expiry,
            customer_ref=entry.customer_ref,
            kind=CreditKind.EXPIRY,
            at=entry.at,
            credits=-entry.credits,
            balance=purse.credits,
            grant=entry.grant,
        )
        self._moved(customer, purse, move, used_up)

    def _moved(self, customer: Customer, purse: Purse, move: CreditMove, lots: Sequence[Lot]) -> None:
        """Note a movement. lots: those that are new or used up by it."""
        if lots or purse.lots:
            purse.newest = max(purse.newest, move.place)
            for lot in lots:
                self._rows.lot_changed(customer, lot)
        self._rows.purse_changed(customer)
        self._rows.add_move(customer[0], move)

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
        self._rows.put_hold(entry.scope_id, after)
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
            purse = self._rows.purse(customer)
            if sign > 0:
                purse.reserve(hold.number, hold.credits)
            else:
                purse.give_back(hold.number, hold.credits)
            self._rows.purse_changed(customer)
