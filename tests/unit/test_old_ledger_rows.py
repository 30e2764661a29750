"""Ledgers and logs of before credits could expire: they are read, and made again from the log the same."""

import msgspec

from meterhouse.model.credit import CreditKind, CreditMove
from meterhouse.model.entry import Credited, Entry
from meterhouse.stores.embedded.accounts import layout
from meterhouse.stores.embedded.accounts.purse import Purse

encode = msgspec.msgpack.encode
MOVE = CreditMove(
    number=7, customer_ref="cus_1", kind=CreditKind.GRANT, at=5, credits=50, balance=60, key="k"
)
MOVE_ROW = encode((CreditKind.GRANT, 5, 50, 60, None, None, "k"))


def test_a_grant_in_the_log_without_an_expiry_never_expires() -> None:
    body = encode(("credited", 1, 7, 5, "cus_1", "GRANT", 50, None, "k"))
    grant = Credited(1, 7, 5, "cus_1", CreditKind.GRANT, 50, None, "k")
    assert msgspec.msgpack.decode(body, type=Entry) == grant
    assert grant.expires_at is None


def test_a_balance_without_expiring_credits_is_stored_as_before() -> None:
    assert layout.to_purse(encode((60, 10))) == Purse(60, 10)
    changes: layout.Changes = {}
    layout.put_purse(changes, (1, "cus_1"), Purse(60, 10))
    assert changes == {layout.balance_key((1, "cus_1")): encode((60, 10))}


def test_a_movement_without_an_expiry_is_stored_as_before() -> None:
    changes: layout.Changes = {}
    layout.put_move(changes, 1, MOVE)
    place = layout.number(7) + b"GRANT"
    assert changes == {layout.customer_key(b"m", 1, "cus_1") + place: MOVE_ROW}
    assert layout.to_move("cus_1", place, MOVE_ROW) == MOVE
