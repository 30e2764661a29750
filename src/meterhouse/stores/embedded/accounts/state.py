"""What the ledger knows, read from a RocksDB that follows the log. How it lies there: `layout`."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options

from meterhouse.model.credit import CreditMove, CreditQuestion
from meterhouse.model.errors import LedgerUnavailable
from meterhouse.model.hold import Hold
from meterhouse.model.meter import Meter  # noqa: TC001 - no import hides behind a check here
from meterhouse.stores.embedded.accounts import layout
from meterhouse.stores.embedded.accounts.layout import Due, LedgerState
from meterhouse.stores.embedded.accounts.purse import Purse
from meterhouse.stores.embedded.follower import Follower

_MEMTABLE_BYTES: Final = 16 * 1024 * 1024  # what a crash leaves to be replayed
_CACHE_BYTES: Final = 96 * 1024 * 1024
_BLOOM_BITS: Final = 10
_LAST: Final = b"\xff" * 8
NEVER: Final = 2**63 - 1
_LAST_PERIOD: Final = 2**32 - 1


class Accounts:
    """Reads from any thread; `put` and `reopen` are the log's writer's alone, see `Follower`."""

    def __init__(self, path: Path, *, heal: bool = True) -> None:
        self.follower = Follower(path, "ledger", _options(), LedgerUnavailable, heal=heal)
        self.swept = layout.Swept(0, 0)
        """Written by the log's writer alone."""
        self.opened_until = self.state().clock
        """No open hold was opened later than this: see `Book.end_due`. Written like `swept`."""
        self.meters: dict[tuple[int, str], Meter] = {}
        """Those that were looked up, by scope and ref: what a meter counts never changes."""

        self.look_again()

    def look_again(self) -> None:
        """Read the state that is kept in memory, after the database was opened."""
        try:
            self.swept = layout.to_swept(self.follower.get(layout.SWEPT))
        except LedgerUnavailable:  # it is damaged, and will be made again
            self.swept = layout.Swept(0, 0)

    @property
    def position(self) -> int:
        """The log position up to which everything is here."""
        return self.follower.position

    def close(self) -> None:
        """See `Follower.close`."""
        self.follower.close()

    def state(self) -> LedgerState:
        return layout.to_state(self.follower.get(layout.STATE))

    def total(self, key: tuple[int, str, int]) -> tuple[int, int]:
        """Return what was used and is held in a purchase's period, billionths."""
        return layout.to_total(self.follower.get(layout.total_key(key)))

    def totals_of(self, keys: Sequence[tuple[int, str, int]]) -> list[tuple[int, int]]:
        """The same of many, in their order."""
        return [
            layout.to_total(found) for found in self.follower.get_all([layout.total_key(key) for key in keys])
        ]

    def totals(
        self, scope_id: int, purchase_ref: str, before: int = _LAST_PERIOD
    ) -> Iterator[tuple[int, int, int]]:
        """Yield each period before one that has a total, and what was used and is held in it, billionths."""
        first, last = ((scope_id, purchase_ref, each) for each in (0, before))
        for key, value in self.follower.scan(layout.total_key(first), layout.total_key(last)):
            yield int.from_bytes(key[-4:], "big"), *layout.to_total(value)

    def newest_period(self, scope_id: int, purchase_ref: str) -> int:
        """Return the last period of a purchase that has a total, 0 without any."""
        first, last = ((scope_id, purchase_ref, each) for each in (0, _LAST_PERIOD))
        for key, _ in self.follower.scan(layout.total_key(first), layout.total_key(last), backwards=True):
            return int.from_bytes(key[-4:], "big")
        return 0

    def purse(self, customer: tuple[int, str]) -> Purse:
        """Return a customer's credits, an empty purse for one who never had any."""
        return layout.to_purse(self.follower.get(layout.balance_key(customer)))

    def purses(self, customers: Sequence[tuple[int, str]]) -> list[Purse]:
        """Return the purses of many customers, in their order."""
        return [
            layout.to_purse(found)
            for found in self.follower.get_all([layout.balance_key(each) for each in customers])
        ]

    def balance_after(self, scope_id: int, customer_ref: str, number: int) -> int:
        """Return a customer's balance as a movement left it. Raises LookupError: there is no such one."""
        start = layout.customer_key(b"m", scope_id, customer_ref) + layout.number(number)
        for _, value in self.follower.scan(start, start + _LAST):
            return layout.to_move(customer_ref, layout.number(number), value).balance
        raise LookupError(number)

    def moves(self, scope_id: int, question: CreditQuestion) -> Sequence[CreditMove]:
        """Return movements of a customer's balance, the newest first."""
        prefix = layout.customer_key(b"m", scope_id, question.customer_ref)
        end = prefix + (_LAST * 2 if question.before is None else layout.move_place(question.before))
        found = (
            layout.to_move(question.customer_ref, key[len(prefix) :], value)
            for key, value in self.follower.scan(prefix, end, backwards=True)
        )
        return list(islice((move for move in found if question.kind in (None, move.kind)), question.limit))

    def hold(self, number: int) -> tuple[int, Hold] | None:
        """Return a hold with its scope."""
        found = self.follower.get(b"h" + layout.number(number))
        return None if found is None else layout.to_hold(found)

    def due_of_purchase(self, scope_id: int, purchase_ref: str, at: int) -> Sequence[int]:
        """Return the numbers of a purchase's holds that are written as open and whose time has come."""
        return self._due(layout.customer_key(b"o", scope_id, purchase_ref), at)

    def due_of_customer(self, scope_id: int, customer_ref: str, at: int) -> Sequence[int]:
        """The same of a customer's holds that reserve credits."""
        return self._due(layout.customer_key(b"c", scope_id, customer_ref), at)

    def paid_holds(self, scope_id: int, customer_ref: str) -> Sequence[int]:
        """Return the numbers of all of them, whenever their time comes."""
        return self._due(layout.customer_key(b"c", scope_id, customer_ref), NEVER)

    def due(self, at: int, limit: int) -> Sequence[Due]:
        """Return holds and grants whose time has come since `swept`, in order of time, at most `limit`."""
        found = self.follower.scan(b"d" + layout.place(self.swept, 1), b"d" + layout.number(at + 1))
        return [layout.to_due(key, value) for key, value in islice(found, limit)]

    def open_holds(self, after: int) -> Iterator[tuple[int, int]]:
        """Yield scope and number of each hold that is written as open and expires after a time."""
        for key, value in self.follower.scan(b"d" + layout.number(after), b"d" + layout.number(NEVER)):
            due = layout.to_due(key, value)
            if due.scope_id is not None and not due.customer_ref:
                yield due.scope_id, due.swept.number

    def _due(self, prefix: bytes, at: int) -> Sequence[int]:
        found = self.follower.scan(
            prefix + layout.number(self.swept.expires_at), prefix + layout.number(at + 1)
        )
        return [int.from_bytes(key[-8:], "big") for key, has_ended in found if not has_ended]


def _options() -> Options:
    blocks = BlockBasedOptions()
    blocks.set_block_cache(Cache(_CACHE_BYTES))
    blocks.set_bloom_filter(_BLOOM_BITS, block_based=False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(blocks)
    options.set_write_buffer_size(_MEMTABLE_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_memtable_whole_key_filtering(True)  # most look-ups are of rows that did not just change
    options.set_memtable_prefix_bloom_ratio(0.1)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_level_compaction_dynamic_level_bytes(True)
    options.set_max_background_jobs(2)
    options.set_max_open_files(256)
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(1024 * 1024)
    return options
