"""Credits that expire: given until a time, spent before others, gone when that has come."""

from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import Client
from tests.contract.catalogs import Clock
from tests.flow.answers import error, faults, ok
from tests.flow.shop import CUSTOMER, PAY_AS_YOU_GO, activate, balance, limits, plan, reserve, settle, track

GRANTS = f"/v1/sdk/customers/{CUSTOMER}/credits"
HISTORY = f"/v1/customers/{CUSTOMER}/credits"
ADJUST = f"{HISTORY}/adjust"


def after(clock: Clock, **time: float) -> str:
    return (clock() + timedelta(**time)).isoformat()


async def give(client: Client, credits_: int, expires: str | None = None, **said: Any) -> dict[str, Any]:
    body = {"credits": credits_} | ({} if expires is None else {"expiresAt": expires}) | said
    done: dict[str, Any] = ok(await client.post(GRANTS, json=body))
    return done


async def history(client: Client, **asked: Any) -> list[tuple[str, int, int]]:
    items = ok(await client.get(HISTORY, params=asked))["items"]
    return [(each["type"], each["amount"], each["balance"]) for each in items]


async def test_credits_are_gone_when_their_time_has_come(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    await activate(client, await plan(client, **PAY_AS_YOU_GO))
    await give(client, 300)
    given = await give(client, 500, after(clock, days=30))
    assert (given["balance"], given["expiresAt"]) == (800, "2026-12-01T00:00:00.000Z")
    found = ok(await client.get(f"/v1/sdk/customers/{CUSTOMER}/balance"))
    assert found["expiring"] == [{"credits": 500, "expiresAt": "2026-12-01T00:00:00.000Z"}]
    assert (await limits(client))["remaining"] == 8
    clock.advance(timedelta(days=30))
    found = ok(await client.get(f"/v1/sdk/customers/{CUSTOMER}/balance"))
    assert (found["credits"], found["expiring"]) == (300, [])
    assert (await limits(client))["remaining"] == 3
    newest, granted, _ = ok(await client.get(HISTORY))["items"]
    assert newest == {
        "reference": f"{granted['reference']}_1", "type": "EXPIRY", "timestamp": "2026-12-01T00:00:00.000Z",
        "amount": -500, "balance": 300, "grantRef": granted["reference"],
    }  # fmt: skip
    assert granted["expiresAt"] == "2026-12-01T00:00:00.000Z"
    assert (await track(client, units=4))["creditDebit"] == {
        "debited": True, "amount": 300, "unitsRemaining": 0,
    }  # fmt: skip
    assert (await history(client))[:2] == [("USAGE", -300, 0), ("EXPIRY", -500, 300)]
    assert await history(client, type="EXPIRY") == [("EXPIRY", -500, 300)]


async def test_credits_that_expire_first_are_spent_first(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    await activate(client, await plan(client, **PAY_AS_YOU_GO))
    await give(client, 100)
    for days in (3, 1, 2):
        await give(client, 100 * days, after(clock, days=days))
    await track(client, units=2)  # those of the first day, and half of the second's
    assert await balance(client) == 500
    clock.advance(timedelta(days=2))
    assert await balance(client) == 400
    clock.advance(timedelta(days=1))
    assert await balance(client) == 100
    assert await history(client, type="EXPIRY") == [("EXPIRY", -300, 100), ("EXPIRY", -100, 400)]


async def test_a_hold_keeps_credits_beyond_their_time(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    await activate(client, await plan(client, **PAY_AS_YOU_GO))
    await give(client, 1_000, after(clock, seconds=60))
    await give(client, 200)
    holds = [await reserve(client, units, ttl=3_600) for units in (3, 4)]
    clock.advance(timedelta(seconds=60))
    assert await balance(client) == 900
    assert (await limits(client))["remaining"] == 2
    done = await settle(client, holds[0], 1)
    assert done["creditDebit"] == {"debited": True, "amount": 100, "unitsRemaining": 2}
    assert (await history(client))[:3] == [
        ("EXPIRY", -200, 600), ("USAGE", -100, 800), ("EXPIRY", -300, 900),
    ]  # fmt: skip
    ok(await client.post(f"/v1/sdk/holds/{holds[1]['holdRef']}/release"))
    assert await balance(client) == 200


async def test_a_repeat_of_a_grant_answers_alike_after_its_credits_expired(
    timed: tuple[Clock, Client],
) -> None:
    clock, client = timed
    expires = after(clock, hours=1)
    first = await give(client, 500, expires, idempotencyKey="g")
    clock.advance(timedelta(hours=2))
    assert await give(client, 500, expires, idempotencyKey="g") == first
    for other in ({}, {"expiresAt": after(clock, hours=1)}):
        body = {"credits": 500, "idempotencyKey": "g"} | other
        error(await client.post(GRANTS, json=body), 409, "idempotency_conflict")
    assert await balance(client) == 0


async def test_an_adjustment_gives_credits_that_expire_too(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    expires = after(clock, hours=1)
    done = ok(await client.post(ADJUST, json={"credits": 50, "expiresAt": expires}))
    assert done["expiresAt"] == "2026-11-01T01:00:00.000Z"
    refused = await client.post(ADJUST, json={"credits": -5, "expiresAt": expires})
    assert set(faults(refused)) == {"expiresAt"}
    clock.advance(timedelta(hours=1))
    assert await history(client) == [("EXPIRY", -50, 0), ("ADJUSTMENT", 50, 50)]


@pytest.mark.parametrize(
    "expires",
    ["2026-11-01T00:00:00Z", "2020-01-01T00:00:00Z", "2027-01-01T00:00:00", "2027-01-01", "soon", ""],
)
async def test_an_expiry_is_a_time_to_come_with_an_offset(timed: tuple[Clock, Client], expires: str) -> None:
    _, client = timed
    for url in (GRANTS, ADJUST):
        answer = await client.post(url, json={"credits": 5, "expiresAt": expires})
        assert set(faults(answer)) == {"expiresAt"}
    assert await history(client) == []


async def test_an_expiry_beyond_the_last_time_is_told_so(client: Client) -> None:
    answer = await client.post(GRANTS, json={"credits": 5, "expiresAt": "9999-12-31T23:59:59-01:00"})
    assert "year 10000" in faults(answer)["expiresAt"]


async def test_a_clock_set_back_gives_no_credits_again(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    await give(client, 500, after(clock, hours=1))
    clock.advance(timedelta(hours=1))
    assert await balance(client) == 0
    await give(client, 1, after(clock, hours=9))  # writes the expiry, as the sweep does within a second
    clock.advance(timedelta(hours=-1))
    assert await balance(client) == 1


async def test_a_page_of_history_ends_between_two_expiries(timed: tuple[Clock, Client]) -> None:
    clock, client = timed
    for credits_ in (1, 2, 3):
        await give(client, credits_, after(clock, hours=1))
    clock.advance(timedelta(hours=1))
    seen: list[tuple[str, int]] = []
    asked: dict[str, Any] = {"limit": 1}
    while asked:
        page = ok(await client.get(HISTORY, params=asked))
        seen += [(each["reference"], each["amount"]) for each in page["items"]]
        asked = {} if page["nextCursor"] is None else {"limit": 1, "cursor": page["nextCursor"]}
    assert [amount for _, amount in seen] == [-3, -2, -1, 3, 2, 1]
    assert len({reference for reference, _ in seen}) == 6
