"""Leases: what is handed out never exceeds what is held, and every lease is settled by exactly one."""

import random

from meterhouse_sdk._lease import Lease, Leases
from meterhouse_sdk._terms import Terms

TERMS = Terms(product_ref="prd_1")


def lease(units: int = 3, until: float = 10.0, running: int = 0) -> Lease:
    return Lease("cus_1", TERMS, "hld_1", units, until, "requests", running)


def test_units_are_handed_out_until_there_are_none() -> None:
    leases, one = Leases(), lease()
    leases.add(one)
    assert [leases.take(one.share, 0) is one for _ in range(4)] == [True, True, True, False]
    assert leases.take(TERMS.share("cus_2"), 0) is None


def test_a_unit_that_was_not_used_is_handed_out_again() -> None:
    leases, one = Leases(), lease(units=1)
    leases.add(one)
    assert leases.take(one.share, 0)
    assert leases.ended(one, used=False) is None
    assert leases.take(one.share, 0)
    assert leases.ended(one, used=True) is one
    assert (one.used, leases.all()) == (1, [])


def test_nothing_is_handed_out_after_its_time() -> None:
    leases, one = Leases(), lease(until=10.0)
    leases.add(one)
    assert leases.take(one.share, 10.0) is None
    assert leases.due(9.9) == []
    assert leases.next_due() == 10.0
    assert leases.due(10.0) == [one]
    assert (leases.due(10.0), leases.all(), leases.next_due()) == ([], [], None)


def test_a_lease_in_use_is_settled_by_the_last_who_uses_it() -> None:
    leases, one = Leases(), lease(until=10.0, running=2)
    leases.add(one)
    assert leases.due(10.0) == []
    assert leases.take(one.share, 9.0) is None
    assert leases.ended(one, used=True) is None
    assert leases.ended(one, used=False) is one
    assert one.used == 1


def test_a_lease_that_could_not_be_settled_is_due_again() -> None:
    leases, one = Leases(), lease(until=10.0)
    leases.add(one)
    assert leases.due(10.0) == [one]
    leases.again(one, 12.0)
    assert (leases.due(11.0), leases.due(12.0)) == ([], [one])
    leases.again(one, 13.0)
    assert leases.all() == [one]


def test_at_the_end_units_in_use_count_as_used() -> None:
    leases, one = Leases(), lease(running=2)
    leases.add(one)
    assert leases.all() == [one]
    assert one.used == 2
    assert leases.ended(one, used=True) is None


def test_a_lease_that_runs_is_replaced_and_still_settled() -> None:
    leases, first, second = Leases(), lease(units=1, running=1), lease(until=20.0)
    leases.add(first)
    leases.add(second)
    assert leases.take(first.share, 0) is second
    assert leases.ended(first, used=True) is first
    assert leases.take(first.share, 0) is second


def test_whatever_happens_no_more_is_handed_out_than_held() -> None:
    chance = random.Random(7)
    for _ in range(300):
        leases, held, settled, running, now = Leases(), 0, [], [], 0.0
        for _ in range(60):
            now += chance.choice((0, 0, 1))
            act = chance.random()
            if act < 0.5:
                taken = leases.take(TERMS.share("cus_1"), now)
                if taken is None and chance.random() < 0.5:
                    taken = lease(units=chance.randint(1, 4), until=now + 4, running=1)
                    held += taken.units
                    leases.add(taken)
                running += [] if taken is None else [taken]
            elif act < 0.9 and running:
                done = leases.ended(running.pop(chance.randrange(len(running))), used=chance.random() < 0.8)
                settled += [] if done is None else [done]
            else:
                settled += leases.due(now)
            assert all(each.used + each.running <= each.units for each in [*running, *settled])
        settled += leases.all()
        assert len({id(each) for each in settled}) == len(settled)
        assert sum(each.units for each in settled) == held
