"""What the ledger, the limit check and the log say of a customer, held against the rules said plainly."""

from collections import defaultdict
from fractions import Fraction
from typing import NamedTuple

from meterhouse.metering.access import UNLIMITED
from meterhouse.metering.limits import LimitQuestion, Limits
from meterhouse.model.credit import CreditKind, CreditMove, CreditQuestion, MovePlace
from meterhouse.model.entry import Consumed, Credited, Ended, Expired, Held
from meterhouse.model.event import Kind, Outcome
from meterhouse.model.purchase import PurchaseQuestion
from meterhouse.model.units import NANO
from tests.contract.ledger_model import Customer
from tests.contract.ledgers import OpenedLedger

CUSTOMER, PRODUCT, OTHER = "cus_3C4D5E6F", "prd_content_api", "prd_ai_assistant"


class Stored(NamedTuple):
    """A meter event in the log."""

    purchase_ref: str | None
    at: int
    units: Fraction
    outcome: str


def told(whole: int | None) -> int:
    """What a limit check says of so many whole units, None for any number."""
    return UNLIMITED if whole is None else whole


class Books:
    """numbers: of the model's holds. grants: of the movements that gave credits, by the fact in the model.

    seen: the history as it was last read, at `seen_at`.
    """

    def __init__(self, opened: OpenedLedger, model: Customer) -> None:
        self.opened = opened
        self.scope_id = opened.caller.scope.id
        self.model = model
        self.numbers: list[int] = []
        self.grants: dict[int, int] = {}
        self.seen: list[CreditMove] = []
        self.seen_at = 0
        self.open()

    def open(self) -> None:
        """After a crash, the stores are others."""
        self.limits = Limits(self.opened.ledger, self.opened.catalog)

    async def agree(self) -> None:
        await self.compare_limits()
        await self.compare_holds_and_credits()
        await self.compare_history()
        await self.compare_usage()
        await self.compare_log()

    async def compare_limits(self) -> None:
        for product in (PRODUCT, OTHER):
            found = await self.limits.check(
                self.opened.caller, LimitQuestion(customer_ref=CUSTOMER, product_ref=product)
            )
            bought = self.model.enrolled(product)
            if bought is not None and not bought.ref:
                assert found.account.purchase is not None
                bought.ref = found.account.purchase.ref
            within, remaining = self.model.remaining(product)
            assert found.access == (within, told(remaining))

    async def compare_holds_and_credits(self) -> None:
        ledger, model = self.opened.ledger, self.model
        balance = await ledger.balance(self.scope_id, CUSTOMER)
        coins = model.credits()
        assert (balance.credits, balance.held) == (len(coins.coins), coins.kept)
        assert coins.kept == sum(hold.credits for hold in model.holds if hold.is_open(model.now))
        expiring = {each.expires_at: each.credits for each in balance.expiring}
        assert expiring == {time: number for time, number in coins.expiring.items() if time > model.now}
        for number, expected in zip(self.numbers, model.holds, strict=True):
            hold = await ledger.hold(self.scope_id, number)
            assert hold is not None
            assert hold.status == expected.status(model.now)

    async def compare_history(self) -> None:
        """Movements add up to the balance and never change, also those that are not written yet."""
        moves = await self.history(limit=1_000)
        coins = self.model.credits()
        assert sum(move.credits for move in moves) == len(coins.coins)
        lost = [(move.at, move.grant, -move.credits) for move in moves if move.kind is CreditKind.EXPIRY]
        assert lost[::-1] == [(each.at, self.grants[each.grant], each.coins) for each in coins.lost]
        if self.model.now >= self.seen_at:  # after a crash, the clock may be where it was before
            assert moves[len(moves) - len(self.seen) :] == self.seen
        self.seen, self.seen_at = moves, self.model.now
        paged = await self.history(limit=2)
        while following := await self.history(limit=2, before=paged[-1].place if paged else None):
            if not paged:
                break
            paged += following
        assert paged == moves

    async def history(self, limit: int, before: MovePlace | None = None) -> list[CreditMove]:
        question = CreditQuestion(customer_ref=CUSTOMER, limit=limit, before=before)
        return list(await self.opened.ledger.credit_moves(self.scope_id, question))

    async def compare_usage(self) -> None:
        """Of each purchase, ended ones too."""
        question = PurchaseQuestion(customer_ref=CUSTOMER)
        pages = self.opened.catalog.purchases.matching(self.scope_id, question)
        purchases = [purchase async for page in pages for purchase in page]
        assert {each.ref for each in purchases} == {each.ref for each in self.model.bought}
        accounts = await self.opened.ledger.of_purchases(self.scope_id, purchases)
        expected = {each.ref: each for each in self.model.bought}
        for purchase, account in zip(purchases, accounts, strict=True):
            bought = expected[purchase.ref]
            assert account.has_access == bought.gives_access(self.model.now)
            assert account.period is not None
            number = account.period.number
            assert Fraction(account.used, NANO) == bought.used_in(number)
            assert Fraction(account.held, NANO) == self.model.held(bought, number)

    async def compare_log(self) -> None:
        """The events of the log, added up by when they happened, are what the ledger has."""
        events, entries = await self.stored(), await self.opened.entries()
        assert sum(event.units for event in events.values()) == sum(self.model.stored)
        assert len(events) == len(self.model.stored)
        logged: dict[tuple[str, int], Fraction] = defaultdict(Fraction)
        bought = {each.ref: each for each in self.model.bought}
        holds = {entry.number: entry.period for entry in entries if isinstance(entry, Held)}
        for entry in entries:
            if isinstance(entry, Consumed | Ended) and entry.event_number:
                event = events[entry.event_number]
                assert event.outcome == Outcome.SUCCESS
                assert event.purchase_ref is not None
                period = entry.period if isinstance(entry, Consumed) else holds[entry.number]
                if not self.model.set_back:
                    assert period == bought[event.purchase_ref].period(event.at)
                logged[event.purchase_ref, period] += event.units
        for ref, each in bought.items():
            used = await self.opened.ledger.used(self.scope_id, ref)
            for period in used.keys() | {period for period, _ in each.used}:
                found = Fraction(used.get(period, 0), NANO)
                assert found == logged[ref, period] == each.used_in(period)
        moved = sum(entry.credits for entry in entries if isinstance(entry, Credited))
        debited = sum(entry.debit for entry in entries if isinstance(entry, Consumed | Ended))
        written = sum(entry.credits for entry in entries if isinstance(entry, Expired))
        coins = self.model.credits()
        unwritten = sum(each.coins for each in coins.lost) - written
        assert unwritten >= 0
        assert moved - debited - written - unwritten == len(coins.coins)

    async def stored(self) -> dict[int, Stored]:
        """Every meter event in the log, by its number."""
        found: dict[int, Stored] = {}
        after = 0
        while records := await self.opened.log.read(after, 100_000):
            after = records[-1].position
            for record in records:
                assert record.kind is Kind.METER
                events, metered = record.events, record.metered
                assert metered is not None
                for row in range(len(events)):
                    units = Fraction(events.units_whole[row] * NANO + events.units_nano[row], NANO)
                    at = events.timestamp[row]
                    found[record.first_number + row] = Stored(
                        metered.purchase_ref[row],
                        record.received_at if at is None else at,
                        units,
                        metered.outcome[row],
                    )
        return found
