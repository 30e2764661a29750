"""How what the ledger knows lies in a RocksDB: keys, and values.

    t scope purchase 0 period          total: used and held, billionths
    b scope customer                   balance: credits, held of them, and those that expire (`purse`)
    h number                           hold, with its scope
    o scope purchase 0 expires number  place of a hold by its purchase: whether it has ended
    c scope customer 0 expires number  the same of a hold of credits, by its customer
    d expires number                   place of a hold or of a grant that expires, by its time: the scope, and
                                       of a grant the customer; nothing once it has ended or is used up
    m scope customer 0 number kind     movement of a balance; an expiry has ~ and its count for a kind
    s                                  last number given, and the clock
    e                                  how far these places were looked through, see `Swept`

Numbers in keys are big-endian, so that they sort. Values are msgpack; amounts are pairs of 64-bit integers.
Nothing is ever taken away: RocksDB goes through what was, and a customer who takes and settles a thousand
holds a second would leave a million places to go through for each look at what is due.
"""

import struct
from typing import Final, NamedTuple

import msgspec

from meterhouse.model.credit import CreditKind, CreditMove, MovePlace
from meterhouse.model.hold import Hold, HoldStatus
from meterhouse.model.units import NANO, pair
from meterhouse.stores.embedded.accounts.purse import Lot, Purse

_GIGA: Final = NANO * NANO
"""Billionths in a thousand million units: sums of any number of events fit into a pair of integers."""
_ENDED: Final = b"1"
_EXPIRY: Final = b"~"
"""Sorts after every kind: expiries lie after the movement whose number they have."""
_SCOPE_BYTES: Final = 4
STATE: Final = b"s"
SWEPT: Final = b"e"
OF_THIS_LEDGER: Final = (b"position", SWEPT)
"""Keys whose values another ledger of the same log may not have."""
_scope: Final = struct.Struct(">cI").pack
number: Final = struct.Struct(">Q").pack
_period: Final = struct.Struct(">I").pack
_encode: Final = msgspec.msgpack.Encoder().encode
_decode_total: Final = msgspec.msgpack.Decoder(tuple[int, int, int, int]).decode
_decode_pair: Final = msgspec.msgpack.Decoder(tuple[int, int]).decode

Changes = dict[bytes, bytes]
"""What a commit writes."""


class LedgerState(NamedTuple):
    """last_number: of holds and credit movements. clock: the newest time decided by, microseconds."""

    last_number: int
    clock: int


class Swept(NamedTuple):
    """Every hold has ended, and every grant has expired but for what holds keep of it, whose time came before
    this, or then and which has no higher number.

    The log does not say it, so that a ledger made again from the log may have another one.
    """

    expires_at: int
    number: int


class Due(NamedTuple):
    """A place whose time has come. scope_id: None where there is nothing left to do.

    customer_ref: whose grant it is; empty for a hold.
    """

    swept: Swept
    scope_id: int | None
    customer_ref: str


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
    expires_at: int | None = None
    grant: int | None = None


_decode_hold: Final = msgspec.msgpack.Decoder(_HoldRow).decode
_decode_move: Final = msgspec.msgpack.Decoder(_MoveRow).decode
_decode_purse: Final = msgspec.msgpack.Decoder(Purse).decode


def to_state(found: bytes | None) -> LedgerState:
    return LedgerState(0, 0) if found is None else LedgerState(*_decode_pair(found))


def to_swept(found: bytes | None) -> Swept:
    return Swept(0, 0) if found is None else Swept(*_decode_pair(found))


def to_total(found: bytes | None) -> tuple[int, int]:
    """Return what was used and is held, billionths."""
    if found is None:
        return 0, 0
    used_giga, used_nano, held_giga, held_nano = _decode_total(found)
    return used_giga * _GIGA + used_nano, held_giga * _GIGA + held_nano


def to_purse(found: bytes | None) -> Purse:
    return Purse() if found is None else _decode_purse(found)


def to_due(key: bytes, value: bytes) -> Due:
    swept = Swept(int.from_bytes(key[1:9], "big"), int.from_bytes(key[9:], "big"))
    scope_id = int.from_bytes(value[:_SCOPE_BYTES], "big") if value else None
    return Due(swept, scope_id, value[_SCOPE_BYTES:].decode())


def to_move(customer_ref: str, place: bytes, value: bytes) -> CreditMove:
    """Return a movement of a balance. place: its key, after the customer's prefix."""
    row = msgspec.structs.asdict(_decode_move(value))
    expiry = place[9:] if place[8:9] == _EXPIRY else b""
    return CreditMove(
        number=int.from_bytes(place[:8], "big"),
        expiry=int.from_bytes(expiry, "big"),
        customer_ref=customer_ref,
        **row,
    )


def to_hold(found: bytes) -> tuple[int, Hold]:
    """Return a hold after its scope."""
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


def put_state(changes: Changes, state: LedgerState) -> None:
    changes[STATE] = _encode(tuple(state))


def put_swept(changes: Changes, swept: Swept) -> None:
    changes[SWEPT] = _encode(tuple(swept))


def put_total(changes: Changes, key: tuple[int, str, int], used: int, held: int) -> None:
    changes[total_key(key)] = _encode((*divmod(used, _GIGA), *divmod(held, _GIGA)))


def put_purse(changes: Changes, customer: tuple[int, str], purse: Purse) -> None:
    """Without credits that expire, the row is as it was before there were any."""
    changes[balance_key(customer)] = _encode(purse if purse.lots else (purse.credits, purse.held))


def put_lot(changes: Changes, scope_id: int, customer_ref: str, lot: Lot) -> None:
    """Note when a lot expires, or that it is used up."""
    value = scope_id.to_bytes(_SCOPE_BYTES, "big") + customer_ref.encode() if lot.left else b""
    changes[b"d" + number(lot.expires_at) + number(lot.grant)] = value


def put_move(changes: Changes, scope_id: int, move: CreditMove) -> None:
    what = _EXPIRY + number(move.expiry) if move.expiry else move.kind.encode()
    key = customer_key(b"m", scope_id, move.customer_ref) + number(move.number) + what
    row = (move.kind, move.at, move.credits, move.balance, move.product_ref, move.reason, move.key)
    expires = move.expires_at is not None or move.grant is not None
    changes[key] = _encode((*row, move.expires_at, move.grant) if expires else row)


def put_hold(changes: Changes, scope_id: int, hold: Hold) -> None:
    row = _HoldRow(
        scope_id, hold.number, hold.customer_ref, hold.product_ref, hold.purchase_ref, hold.period,
        hold.meter, pair(hold.units), hold.credits, hold.created_at, hold.expires_at, hold.remaining,
        hold.status, hold.ended_at, hold.expired, pair(hold.used), hold.debited, pair(hold.over),
        hold.event_number,
    )  # fmt: skip
    changes[b"h" + number(hold.number)] = _encode(row)
    where = place(hold)
    has_ended = hold.status is not HoldStatus.OPEN
    changes[customer_key(b"o", scope_id, hold.purchase_ref) + where] = _ENDED if has_ended else b""
    changes[b"d" + where] = b"" if has_ended else scope_id.to_bytes(_SCOPE_BYTES, "big")
    if hold.credits:
        changes[customer_key(b"c", scope_id, hold.customer_ref) + where] = _ENDED if has_ended else b""


def place(hold: Hold | Swept, after: int = 0) -> bytes:
    return number(hold.expires_at) + number(hold.number + after)


def move_place(place: MovePlace) -> bytes:
    """Return what of a movement's key sorts it; a kind may follow."""
    return number(place.number) + (_EXPIRY + number(place.expiry) if place.expiry else b"")


def total_key(key: tuple[int, str, int]) -> bytes:
    scope_id, purchase_ref, period = key
    return customer_key(b"t", scope_id, purchase_ref) + _period(period)


def balance_key(customer: tuple[int, str]) -> bytes:
    return _scope(b"b", customer[0]) + customer[1].encode()


def customer_key(kind: bytes, scope_id: int, ref: str) -> bytes:
    """A prefix that no other ref's keys have: refs hold no zero byte."""
    return _scope(kind, scope_id) + ref.encode() + b"\0"


_ABOUT: Final = {
    b"t": "the use of purchase",
    b"b": "the balance of customer",
    b"m": "a credit movement of customer",
    b"c": "a hold of credits of customer",
    b"o": "a hold of purchase",
}


def described(key: bytes, value: bytes) -> str:
    """Return what a row is about, for a sentence: of which customer or purchase, where the row says it."""
    about = _ABOUT.get(key[:1])
    if about is not None:
        ref, _, _ = key[1 + _SCOPE_BYTES :].partition(b"\0")
        return f"{about} {ref.decode(errors='replace')}"
    if key[:1] != b"h":
        return "the time of an expiry" if key[:1] == b"d" else "its last number and clock"
    try:
        return f"a hold of customer {to_hold(value)[1].customer_ref}"
    except (msgspec.MsgspecError, ValueError):
        return "a hold"
