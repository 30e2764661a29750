"""What the ledger writes in one commit: keys looked up, actions decided in order, one record of the log."""

from typing import Final

from msgspec import Struct

from meterhouse.model.counting import recorded_on
from meterhouse.model.entry import Consumed, Credited, Entry, Held
from meterhouse.model.errors import IdempotencyConflict
from meterhouse.model.event import Columns, MeterColumns, Outcome
from meterhouse.model.hold import Hold
from meterhouse.model.identity import KeySpace, key_hashes, meaning
from meterhouse.model.ledger import (
    Action,
    Credit,
    CreditMoved,
    Outcomes,
    Recording,
    Release,
    Reserve,
    Reserved,
    Settle,
    Skipped,
    Track,
    Tracked,
)
from meterhouse.model.units import pair
from meterhouse.stores.embedded import tally
from meterhouse.stores.embedded.accounts.book import Book
from meterhouse.stores.embedded.accounts.layout import Changes, LedgerState, Swept
from meterhouse.stores.embedded.key_index import Entry as Known
from meterhouse.stores.embedded.key_index import KeyIndex
from meterhouse.stores.embedded.records import MeterBody

_SPACES: Final = {
    Track: KeySpace.METER,
    Settle: KeySpace.METER,
    Reserve: KeySpace.HOLD,
    Credit: KeySpace.CREDIT,
}


class _Keyed(Struct):
    """What an action is filed under, and what is there already."""

    hashed: bytes
    meaning: bytes
    known: Known | None


class Recorder:
    """numbers: those it may give. Events have the first ones, without a gap; holds and credit movements
    those behind the last that an event could have.
    book: empty yet. state: the ledger's, before.
    """

    def __init__(self, book: Book, index: KeyIndex, state: LedgerState, numbers: range) -> None:
        self._index = index
        self._first_number = numbers.start
        self._next_number = numbers.start + len(numbers) // 2
        self._last_number, self._clock = state
        self._book = book
        self._columns = Columns.empty()
        self._metered = MeterColumns.empty()
        self._scopes: list[tuple[int, int]] = []
        self._wrote = False
        self.new_keys: dict[bytes, Known] = {}
        """What this commit adds to the key index."""

    def changes(self) -> Changes:
        """Return what the ledger is to take once the record is on disk."""
        return self._book.changes(self.state)

    @property
    def state(self) -> LedgerState:
        return LedgerState(self._last_number, max(self._clock, self._book.at))

    @property
    def swept(self) -> Swept | None:
        return self._book.swept

    @property
    def opened_until(self) -> int:
        return self._book.opened_until

    def record(self, recording: Recording, counts: tally.Counts) -> list[Outcomes]:
        """Decide the actions in order.

        Raises IdempotencyConflict: none of them was done. Raises what `decide` raises for a single action.
        """
        keyed = self._look_up(recording.actions)
        if any(each is not None and each.known and each.known.fingerprint != each.meaning for each in keyed):
            counts.add(recording.actions[0].scope_id, "idempotency_conflict", _events(recording.actions))
            raise IdempotencyConflict
        return [
            self._act(action, recording, each, counts)
            for action, each in zip(recording.actions, keyed, strict=True)
        ]

    def finish(self) -> MeterBody | None:
        """Return what goes into the log; None where nothing happened."""
        if not self._wrote and not self._book.entries:
            return None
        return MeterBody(
            tuple(self._scopes),
            self._columns,
            self._metered,
            self._book.entries,
            [(hashed, known.event_number, known.fingerprint) for hashed, known in self.new_keys.items()],
        )

    def _look_up(self, actions: tuple[Action, ...]) -> list[_Keyed | None]:
        """Return what each action's key is filed under. Of two equal keys the later one is a repeat."""
        found: list[_Keyed | None] = []
        for action in actions:
            if isinstance(action, Release) or (key := action.key) is None:
                found.append(None)
                continue
            (hashed,) = key_hashes(action.scope_id, _SPACES[type(action)], (key,))
            found.append(_Keyed(hashed, meaning(action), None))
        wanted = {each.hashed for each in found if each is not None}
        taken = self._index.get(wanted) if wanted else {}
        seen: dict[bytes, bytes] = {}
        for each in found:
            if each is not None:
                each.known = taken.get(each.hashed) or self.new_keys.get(each.hashed)
                if each.known is None and each.hashed in seen:
                    each.known = Known(0, seen[each.hashed])  # its number is known once the first is decided
                seen[each.hashed] = each.meaning
        return found

    def _act(
        self, action: Action, recording: Recording, keyed: _Keyed | None, counts: tally.Counts
    ) -> Outcomes:
        if keyed is not None and keyed.known is not None:
            known = self.new_keys.get(keyed.hashed, keyed.known)
            repeated = self._repeat(action, known.event_number)
            if repeated is not None:
                if isinstance(action, Track):
                    counts.add(action.scope_id, "duplicate", 1)
                return repeated
        number = self._next(action)
        account, hold = self._book.account(action)
        verdict = recording.decide(action, account, hold, number)
        self._write(action, verdict.entry, recorded_on(account.meter), hold, counts)
        # A denied reserve and a second settle store nothing, and burn no key.
        did_something = verdict.entry is not None or isinstance(action, Track)
        if keyed is not None and keyed.known is None and did_something:
            self.new_keys[keyed.hashed] = Known(number, keyed.meaning)
        return verdict.outcome

    def _repeat(self, action: Action, number: int) -> Outcomes | None:
        """Return the first answer again; None where deciding again does."""
        match action:
            case Track():
                return Tracked(number, Skipped.DUPLICATE)
            case Reserve():
                account, _ = self._book.account(action)
                return Reserved(account, self._book.hold(action.scope_id, number), is_new=False)
            case Credit():
                balance = self._book.balance_after(action.scope_id, action.customer_ref, number)
                return CreditMoved(number, balance)
        return None

    def _next(self, action: Action) -> int:
        """Return the number of the event, hold or credit movement that an action would make."""
        if isinstance(action, Track | Settle):
            return self._first_number + len(self._columns)
        return self._next_number

    def _write(
        self, action: Action, entry: Entry | None, own_meter: str, hold: Hold | None, counts: tally.Counts
    ) -> None:
        """Keep what was decided: the event where the action is one, and the entry.

        own_meter: what an event is recorded on that names no meter.
        """
        if isinstance(action, Track):
            self._add_event(action)
            purchase_ref = entry.purchase_ref if isinstance(entry, Consumed) else action.purchase_ref
            self._add_metered(action.meter or own_meter, action.outcome, purchase_ref, action.details)
            counts.add(action.scope_id, "stored", 1)
        elif isinstance(action, Settle) and entry is not None and hold is not None:
            self._add_settle(action, hold)
            counts.add(action.scope_id, "stored", 1)
        elif isinstance(entry, Held | Credited):
            self._last_number = entry.number
            self._next_number += 1
        if entry is not None:
            self._book.record(entry)

    def _add_event(self, event: Track) -> None:
        columns = self._columns
        whole, nano = pair(event.units)
        columns.type.append(event.type)
        columns.customer_ref.append(event.customer_ref)
        columns.product_ref.append(event.product_ref)
        columns.units_whole.append(whole)
        columns.units_nano.append(nano)
        columns.timestamp.append(event.timestamp)
        columns.idempotency_key.append(event.key)
        columns.properties.append(event.properties)
        self._count_scope(event.scope_id)

    def _add_settle(self, action: Settle, hold: Hold) -> None:
        """The event of a settle happened when its units were reserved, and counts in that period."""
        self._add_event(
            Track(
                scope_id=action.scope_id,
                type=action.type,
                customer_ref=hold.customer_ref,
                product_ref=hold.product_ref,
                purchase_ref=hold.purchase_ref,
                meter=hold.meter,
                units=action.units,
                outcome=Outcome.SUCCESS,
                timestamp=hold.created_at,
                key=action.key,
                properties=action.properties,
            )
        )
        self._add_metered(hold.meter, Outcome.SUCCESS, hold.purchase_ref, action.details)

    def _add_metered(
        self, meter: str, outcome: Outcome, purchase_ref: str | None, details: str | None
    ) -> None:
        self._metered.meter.append(meter)
        self._metered.outcome.append(outcome)
        self._metered.purchase_ref.append(purchase_ref)
        self._metered.details.append(details)

    def _count_scope(self, scope_id: int) -> None:
        self._wrote = True
        count = self._scopes.pop()[1] if self._scopes and self._scopes[-1][0] == scope_id else 0
        self._scopes.append((scope_id, count + 1))


def _events(actions: tuple[Action, ...]) -> int:
    return sum(isinstance(action, Track | Settle) for action in actions)
