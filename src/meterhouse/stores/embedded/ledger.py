"""Ledger of the embedded deployment: the log's one writer decides and writes, anybody reads.

Accounts lie in RocksDB, purchases and meters in SQLite.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from meterhouse import pools
from meterhouse.model.clock import is_ahead
from meterhouse.model.credit import Balance, CreditMove, CreditQuestion
from meterhouse.model.event import to_microseconds
from meterhouse.model.hold import Hold
from meterhouse.model.ledger import Account, Outcomes, Recording
from meterhouse.model.purchase import Purchase
from meterhouse.stores.embedded.accounts.book import Book
from meterhouse.stores.embedded.accounts.state import Accounts
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.log import SqliteLog


class SqliteLedger:
    """now: the server's clock, an aware datetime."""

    def __init__(
        self, database: Database, accounts: Accounts, log: SqliteLog, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._log = log
        self._now = now

    async def record(self, recording: Recording) -> Sequence[Outcomes]:
        return await self._log.record(recording)

    async def standing(self, scope_id: int, customer_ref: str, product_ref: str) -> Account:
        return self._book().standing(scope_id, customer_ref, product_ref)

    async def of_purchases(self, scope_id: int, purchases: Sequence[Purchase]) -> Sequence[Account]:
        at = self._at()
        return await pools.LEDGER.run(
            lambda: [self._book(at).of_purchase(scope_id, purchase) for purchase in purchases]
        )

    async def used(self, scope_id: int, purchase_ref: str) -> Mapping[int, int]:
        self._accounts.follower.require_whole()
        return await pools.LEDGER.run(
            lambda: {period: used for period, used, _ in self._accounts.totals(scope_id, purchase_ref)}
        )

    async def balance(self, scope_id: int, customer_ref: str) -> Balance:
        return self._book().balance_of(scope_id, customer_ref)

    async def balances(self, scope_id: int, customer_refs: Collection[str]) -> Mapping[str, Balance]:
        at = self._at()
        return await pools.LEDGER.run(
            lambda: {ref: self._book(at).balance_of(scope_id, ref) for ref in customer_refs}
        )

    async def hold(self, scope_id: int, number: int) -> Hold | None:
        return self._book().hold(scope_id, number)

    async def credit_moves(self, scope_id: int, question: CreditQuestion) -> Sequence[CreditMove]:
        at = self._at()
        return await pools.LEDGER.run(lambda: self._book(at).moves(scope_id, question))

    async def paid_holds(self, scope_id: int, customer_ref: str) -> Sequence[int]:
        self._accounts.follower.require_whole()
        return await pools.LEDGER.run(self._accounts.paid_holds, scope_id, customer_ref)

    async def is_due(self) -> bool:
        if not self._accounts.follower.whole:
            return False  # it is looked at once it is made again
        at = self._at()
        return is_ahead(self._accounts.opened_until, at) or bool(self._accounts.due(at, 1))

    def _book(self, at: int | None = None) -> Book:
        at = self._at() if at is None else at
        return Book(self._accounts, self._database.reader(), at, self._log.clock)

    def _at(self) -> int:
        return to_microseconds(self._now())
