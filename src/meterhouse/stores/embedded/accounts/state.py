"""What the ledger knows, as keys and values of a RocksDB that follows the log.

    t scope purchase 0 period          total: used and held, billionths
    b scope customer                   balance: credits, and held of them
    h number                           hold, with its scope
    o scope purchase 0 expires number  place of a hold by its purchase: whether it has ended
    c scope customer 0 expires number  the same of a hold of credits, by its customer
    d expires number                   place of any hold by its time: its scope, nothing once it has ended
    m scope customer 0 number kind     movement of a balance
    s                                  last number given, and the clock
    e                                  how far holds were looked through by their time, see `Swept`

Numbers in keys are big-endian, so that they sort. Values are msgpack; amounts are pairs of 64-bit integers.
Nothing is ever taken away: RocksDB goes through what was, and a customer who takes and settles a thousand
holds a second would leave a million places to go through for each look at what is due.
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options

from meterhouse.model.credit import CreditKind, CreditMove, CreditQuestion
from meterhouse.model.hold import Hold, HoldStatus
from meterhouse.model.meter import Meter  # noqa: TC001 - no import hides behind a check here
from meterhouse.model.units import NANO, pair
from meterhouse.stores.embedded.follower import Follower

_MEMTABLE_BYTES: Final = 16 * 1024 * 1024  # what a crash leaves to be replayed
_CACHE_BYTES: Final = 96 * 1024 * 1024
_BLOOM_BITS: Final = 10
_GIGA: Final = NANO * NANO
"""Billionths in a thousand million units: sums of any number of events fit into a pair of integers."""
_ENDED: Final = b"1"
_STATE: Final = b"s"
_SWEPT: Final = b"e"
OF_THIS_LEDGER: Final = (b"position", _SWEPT)
"""Keys whose values another ledger of the same log may not have."""
_scope: Final = struct.Struct(">cI").pack
_number: Final = struct.Struct(">Q").pack
_period: Final = struct.Struct(">I").pack
_encode: Final = msgspec.msgpack.Encoder().encode
_decode_total: Final = msgspec.msgpack.Decoder(tuple[int, int, int, int]).decode
_decode_pair: Final = msgspec.msgpack.Decoder(tuple[int, int]).decode
_LAST: Final = b"\xff" * 8
_NEVER: Final = 2**63 - 1
LAST_NUMBER: Final = 2**63 - 1
_LAST_PERIOD: Final = 2**32 - 1

Changes = dict[bytes, bytes]
"""What a commit writes."""


class LedgerState(NamedTuple):
    """last_number: of holds and credit movements. clock: the newest time decided by, microseconds."""

    last_number: int
    clock: int


class Swept(NamedTuple):
    """Holds whose time came before this, or then and with no higher number, have ended.

    The log does not say it, so that a ledger made again from the log may have another one.
    """

    expires_at: int
    number: int


class _HoldRow(msgspec.Struct, array_like=True):
    """A hold as it lies there: whole units and billionths beside them."""

    scope_id: int
    number: int
    customer_ref: str
    product_ref: str
    purchase_ref: str
    period: int
    meter: str
    units: tuple[int, int]
    credits: int
    created_at: int
    expires_at: int
    remaining: int | None
    status: HoldStatus
    ended_at: int | None
    expired: bool
    used: tuple[int, int]
    debited: int
    over: tuple[int, int]
    event_number: int


class _MoveRow(msgspec.Struct, array_like=True):
    """A movement of a balance; customer and number are in its key."""

    kind: CreditKind
    at: int
    credits: int
    balance: int
    product_ref: str | None
    reason: str | None
    key: str | None


_decode_hold: Final = msgspec.msgpack.Decoder(_HoldRow).decode
_decode_move: Final = msgspec.msgpack.Decoder(_MoveRow).decode


class Accounts:
    """Reads from any thread; `put` and `reopen` are the log's writer's alone, see `Follower`."""

    def __init__(self, path: Path) -> None:
        self.follower = Follower(path, "ledger", _options())
        found = self.follower.get(_SWEPT)
        self.swept = Swept(0, 0) if found is None else Swept(*_decode_pair(found))
        """Written by the log's writer alone."""
        self.meters: dict[tuple[int, str], Meter] = {}
        """Those that were looked up, by scope and ref: what a meter counts never changes."""

    @property
    def position(self) -> int:
        """The log position up to which everything is here."""
        return self.follower.position

    def close(self) -> None:
        """See `Follower.close`."""
        self.follower.close()

    def state(self) -> LedgerState:
        found = self.follower.get(_STATE)
        return LedgerState(0, 0) if found is None else LedgerState(*_decode_pair(found))

    def total(self, key: tuple[int, str, int]) -> tuple[int, int]:
        """Return what was used and is held in a purchase's period, billionths."""
        return _total(self.follower.get(_total_key(key)))

    def totals_of(self, keys: Sequence[tuple[int, str, int]]) -> list[tuple[int, int]]:
        """The same of many, in their order."""
        return [_total(found) for found in self.follower.get_all([_total_key(key) for key in keys])]

    def totals(
        self, scope_id: int, purchase_ref: str, before: int = _LAST_PERIOD
    ) -> Iterator[tuple[int, int, int]]:
        """Yield each period before one that has a total, and what was used and is held in it, billionths."""
        first, last = ((scope_id, purchase_ref, each) for each in (0, before))
        for key, value in self.follower.scan(_total_key(first), _total_key(last)):
            used_giga, used_nano, held_giga, held_nano = _decode_total(value)
            period = int.from_bytes(key[-4:], "big")
            yield period, used_giga * _GIGA + used_nano, held_giga * _GIGA + held_nano

    def balance(self, customer: tuple[int, str]) -> tuple[int, int]:
        """Return a customer's credits, and how many of them are held."""
        return _balance(self.follower.get(_balance_key(customer)))

    def balances(self, customers: Sequence[tuple[int, str]]) -> list[tuple[int, int]]:
        """The same of many, in their order."""
        return [
            _balance(found) for found in self.follower.get_all([_balance_key(each) for each in customers])
        ]

    def balance_after(self, scope_id: int, customer_ref: str, number: int) -> int:
        """Return a customer's balance as a movement left it. Raises LookupError: there is no such one."""
        start = _customer_key(b"m", scope_id, customer_ref) + _number(number)
        for _, value in self.follower.scan(start, start + _LAST):
            return _decode_move(value).balance
        raise LookupError(number)

    def moves(self, scope_id: int, question: CreditQuestion) -> Sequence[CreditMove]:
        """Return movements of a customer's balance, the newest first."""
        prefix = _customer_key(b"m", scope_id, question.customer_ref)
        end = prefix + (_LAST * 2 if question.before is None else _number(question.before))
        found = (
            CreditMove(
                number=int.from_bytes(key[len(prefix) : len(prefix) + 8], "big"),
                customer_ref=question.customer_ref,
                **msgspec.structs.asdict(_decode_move(value)),
            )
            for key, value in self.follower.scan(prefix, end, backwards=True)
        )
        return list(islice((move for move in found if question.kind in (None, move.kind)), question.limit))

    def hold(self, number: int) -> tuple[int, Hold] | None:
        """Return a hold with its scope."""
        found = self.follower.get(b"h" + _number(number))
        if found is None:
            return None
        row = _decode_hold(found)
        return row.scope_id, Hold(
            number=row.number,
            customer_ref=row.customer_ref,
            product_ref=row.product_ref,
            purchase_ref=row.purchase_ref,
            period=row.period,
            meter=row.meter,
            units=row.units[0] * NANO + row.units[1],
            credits=row.credits,
            created_at=row.created_at,
            expires_at=row.expires_at,
            remaining=row.remaining,
            status=row.status,
            ended_at=row.ended_at,
            expired=row.expired,
            used=row.used[0] * NANO + row.used[1],
            debited=row.debited,
            over=row.over[0] * NANO + row.over[1],
            event_number=row.event_number,
        )

    def due_of_purchase(self, scope_id: int, purchase_ref: str, at: int) -> Sequence[int]:
        """Return the numbers of a purchase's holds that are written as open and whose time has come."""
        return self._due(_customer_key(b"o", scope_id, purchase_ref), at)

    def due_of_customer(self, scope_id: int, customer_ref: str, at: int) -> Sequence[int]:
        """The same of a customer's holds that reserve credits."""
        return self._due(_customer_key(b"c", scope_id, customer_ref), at)

    def paid_holds(self, scope_id: int, customer_ref: str) -> Sequence[int]:
        """Return the numbers of all of them, whenever their time comes."""
        return self._due(_customer_key(b"c", scope_id, customer_ref), _NEVER)

    def due(self, at: int, limit: int) -> Sequence[tuple[Swept, int | None]]:
        """Return holds whose time has come since `swept`, in this order: each as how far one is with it, and
        its scope, None where it has ended. At most `limit` of them."""
        found = self.follower.scan(b"d" + _place(self.swept, 1), b"d" + _number(at + 1))
        return [
            (
                Swept(int.from_bytes(key[1:9], "big"), int.from_bytes(key[9:], "big")),
                int.from_bytes(value, "big") if value else None,
            )
            for key, value in islice(found, limit)
        ]

    def _due(self, prefix: bytes, at: int) -> Sequence[int]:
        found = self.follower.scan(prefix + _number(self.swept.expires_at), prefix + _number(at + 1))
        return [int.from_bytes(key[-8:], "big") for key, has_ended in found if not has_ended]


def _total(found: bytes | None) -> tuple[int, int]:
    if found is None:
        return 0, 0
    used_giga, used_nano, held_giga, held_nano = _decode_total(found)
    return used_giga * _GIGA + used_nano, held_giga * _GIGA + held_nano


def _balance(found: bytes | None) -> tuple[int, int]:
    return (0, 0) if found is None else _decode_pair(found)


def put_state(changes: Changes, state: LedgerState) -> None:
    changes[_STATE] = _encode(tuple(state))


def put_swept(changes: Changes, swept: Swept) -> None:
    changes[_SWEPT] = _encode(tuple(swept))


def put_total(changes: Changes, key: tuple[int, str, int], used: int, held: int) -> None:
    changes[_total_key(key)] = _encode((*divmod(used, _GIGA), *divmod(held, _GIGA)))


def put_balance(changes: Changes, customer: tuple[int, str], credits_: int, held: int) -> None:
    changes[_balance_key(customer)] = _encode((credits_, held))


def put_move(changes: Changes, scope_id: int, move: CreditMove) -> None:
    key = _customer_key(b"m", scope_id, move.customer_ref) + _number(move.number) + move.kind.encode()
    row = _MoveRow(move.kind, move.at, move.credits, move.balance, move.product_ref, move.reason, move.key)
    changes[key] = _encode(row)


def put_hold(changes: Changes, scope_id: int, hold: Hold) -> None:
    row = _HoldRow(
        scope_id, hold.number, hold.customer_ref, hold.product_ref, hold.purchase_ref, hold.period,
        hold.meter, pair(hold.units), hold.credits, hold.created_at, hold.expires_at, hold.remaining,
        hold.status, hold.ended_at, hold.expired, pair(hold.used), hold.debited, pair(hold.over),
        hold.event_number,
    )  # fmt: skip
    changes[b"h" + _number(hold.number)] = _encode(row)
    place = _place(hold)
    has_ended = hold.status is not HoldStatus.OPEN
    changes[_customer_key(b"o", scope_id, hold.purchase_ref) + place] = _ENDED if has_ended else b""
    changes[b"d" + place] = b"" if has_ended else scope_id.to_bytes(4, "big")
    if hold.credits:
        changes[_customer_key(b"c", scope_id, hold.customer_ref) + place] = _ENDED if has_ended else b""


def _place(hold: Hold | Swept, after: int = 0) -> bytes:
    return _number(hold.expires_at) + _number(hold.number + after)


def _total_key(key: tuple[int, str, int]) -> bytes:
    scope_id, purchase_ref, period = key
    return _customer_key(b"t", scope_id, purchase_ref) + _period(period)


def _balance_key(customer: tuple[int, str]) -> bytes:
    return _scope(b"b", customer[0]) + customer[1].encode()


def _customer_key(kind: bytes, scope_id: int, ref: str) -> bytes:
    """A prefix that no other ref's keys have: refs hold no zero byte."""
    return _scope(kind, scope_id) + ref.encode() + b"\0"


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
