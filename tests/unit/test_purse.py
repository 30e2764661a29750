"""A customer's credits with those that expire. Its rules have a property test: see the ledger's."""

import time

from meterhouse.stores.embedded.accounts.purse import Purse


def test_many_grants_expire_in_a_time_that_grows_with_their_number() -> None:
    purse, grants = Purse(), 20_000
    for grant in range(grants):
        purse.add(10, grant, expires_at=grant // 2)
    began = time.perf_counter()
    expired = 0
    for at in purse.due(grants):
        for grant, credits_ in purse.lapsed(at):
            (used_up,) = purse.expire(grant, credits_)
            expired += used_up.left == 0
    assert (expired, purse.credits, purse.lots) == (grants, 0, [])
    assert time.perf_counter() - began < 2, "it takes a tenth of a second; each looking at all took ten"


def test_an_expiry_leaves_what_a_hold_keeps_and_every_other_grant() -> None:
    purse = Purse()
    for grant in (1, 2, 3):
        purse.add(10, grant, expires_at=100)
    purse.reserve(7, 15)
    assert purse.lapsed(100) == [(2, 5), (3, 10)]
    assert purse.expire(2, 5) == ()
    assert [lot.grant for lot in purse.expire(3, 10)] == [3]
    assert [(lot.grant, lot.left) for lot in purse.lots] == [(1, 10), (2, 5)]
