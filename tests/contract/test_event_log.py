"""What `ports.EventLog` promises, on every adapter."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.model.errors import FieldError, Overloaded
from meterhouse.model.event import Columns, Receipt, Rejection, Repeat, Submission
from meterhouse.ports import EventLog
from tests.contract.adapters import EmbeddedLog, ReopenableLog

SCOPE, OTHER_SCOPE = 1, 2
REJECTED = Rejection("validation_failed", (FieldError("units", "must not be negative"),))


def events(*keys: str | None, units: int = 1) -> Columns:
    n = len(keys)
    nothing: list[None] = [None] * n
    return Columns(
        ["usage.api_call"] * n, ["cus_1"] * n, [*nothing], [units] * n,
        [0] * n, [*nothing], list(keys), [*nothing],
    )  # fmt: skip


@pytest.fixture(params=[EmbeddedLog])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ReopenableLog]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(request.param(tmp_path))


@pytest.fixture
def log(opened: ReopenableLog) -> EventLog:
    return opened.log


async def stored(log: EventLog) -> Columns:
    """All events of the log, in order."""
    whole = Columns.empty()
    position = 0
    while records := await log.read(position, 100):
        for record in records:
            assert record.position > position
            position = record.position
            assert sum(count for _, count in record.scopes) == len(record.events)
            whole.extend(record.events)
    return whole


async def test_what_is_appended_is_read_in_order_and_unchanged(log: EventLog) -> None:
    first = Columns(
        ["usage.api_call", "文書.作成"], ["cus_1", "cus_2"], ["prd_1", None], [10**15, 0], [0, 999_999_999],
        [0, None], ["k" * 256, None], ['{"a":1}', None],
    )  # fmt: skip
    await log.append(Submission(SCOPE, first))
    await log.append(Submission(SCOPE, events(None)))
    expected = Columns.empty()
    expected.extend(first)
    expected.extend(events(None))
    assert await stored(log) == expected


async def test_event_numbers_increase_without_a_gap_inside_a_submission(log: EventLog) -> None:
    first = await log.append(Submission(SCOPE, events(None, None, None)))
    second = await log.append(Submission(SCOPE, events(None)))
    assert second.first_number >= first.first_number + 3
    numbers = [
        record.first_number + row for record in await log.read(0, 100) for row in range(len(record.events))
    ]
    assert numbers == [first.first_number + i for i in range(3)] + [second.first_number]


async def test_a_key_counts_once(log: EventLog) -> None:
    first = await log.append(Submission(SCOPE, events("a")))
    again = await log.append(Submission(SCOPE, events("a")))
    assert again.repeats == {0: Repeat(first.first_number, conflict=False)}
    assert len(await stored(log)) == 1


async def test_the_same_key_with_another_meaning_is_a_conflict_and_not_stored(log: EventLog) -> None:
    first = await log.append(Submission(SCOPE, events("a")))
    again = await log.append(Submission(SCOPE, events("a", units=2)))
    assert again.repeats == {0: Repeat(first.first_number, conflict=True)}
    assert (await stored(log)).units_whole == [1]


async def test_two_equal_keys_in_one_submission_are_one_event(log: EventLog) -> None:
    receipt = await log.append(Submission(SCOPE, events("a", "b", "a", None)))
    assert receipt == Receipt(receipt.first_number, {2: Repeat(receipt.first_number, conflict=False)})
    assert (await stored(log)).idempotency_key == ["a", "b", None]


async def test_a_key_is_taken_in_its_own_scope_only(log: EventLog) -> None:
    await log.append(Submission(SCOPE, events("a")))
    assert not (await log.append(Submission(OTHER_SCOPE, events("a")))).repeats


async def test_the_same_key_at_the_same_instant_is_one_event(log: EventLog) -> None:
    receipts = await asyncio.gather(*(log.append(Submission(SCOPE, events("a"))) for _ in range(50)))
    first = [receipt for receipt in receipts if not receipt.repeats]
    assert len(first) == 1
    repeat = Repeat(first[0].first_number, conflict=False)
    assert [r.repeats for r in receipts if r.repeats] == [{0: repeat}] * 49
    assert len(await stored(log)) == 1


async def test_many_callers_at_once_lose_nothing_and_count_each_key_once(log: EventLog) -> None:
    async def caller(name: int) -> None:
        for i in range(100):
            await log.append(Submission(SCOPE, events(f"own-{name}-{i}", f"shared-{i}", None)))

    await asyncio.gather(*(caller(name) for name in range(16)))
    found = (await stored(log)).idempotency_key
    assert found.count(None) == 1_600
    keyed = [key for key in found if key]
    assert len(keyed) == len(set(keyed)) == 1_600 + 100


async def test_events_of_several_scopes_stay_apart(log: EventLog) -> None:
    await asyncio.gather(
        log.append(Submission(SCOPE, events(None, units=1))),
        log.append(Submission(OTHER_SCOPE, events(None, None, units=2))),
    )
    units_of: dict[int, list[int]] = {SCOPE: [], OTHER_SCOPE: []}
    for record in await log.read(0, 100):
        rows = iter(record.events.units_whole)
        for scope_id, count in record.scopes:
            units_of[scope_id] += [next(rows) for _ in range(count)]
    assert units_of == {SCOPE: [1], OTHER_SCOPE: [2, 2]}


async def test_reading_stops_at_the_limit_but_gives_at_least_one_record(log: EventLog) -> None:
    for _ in range(3):
        await log.append(Submission(SCOPE, events(None, None)))
    assert len(await log.read(0, 1)) == 1
    assert len(await log.read(0, 4)) == 2
    assert await log.read((await log.read(0, 100))[-1].position, 100) == []


async def test_waiting_ends_when_something_is_appended(log: EventLog) -> None:
    waiting = asyncio.create_task(log.wait(0))
    await asyncio.sleep(0)
    assert not waiting.done()
    await log.append(Submission(SCOPE, events(None)))
    async with asyncio.timeout(5):
        await waiting


async def test_a_full_queue_is_refused_and_stores_nothing_of_what_it_refuses(tmp_path: Path) -> None:
    async with EmbeddedLog(tmp_path, max_waiting_events=4) as opened:
        outcomes = await asyncio.gather(
            *(opened.log.append(Submission(SCOPE, events(None, None))) for _ in range(50)),
            return_exceptions=True,
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, Overloaded)]
        assert refused
        assert len(await stored(opened.log)) == 2 * (len(outcomes) - len(refused))


async def test_what_came_in_is_what_became_of_it(opened: ReopenableLog) -> None:
    await opened.log.append(Submission(SCOPE, events("a", "a", None), [REJECTED]))
    await opened.log.append(Submission(SCOPE, events("a", units=2)))
    await opened.log.append(Submission(OTHER_SCOPE, Columns.empty(), [REJECTED]))
    assert opened.tally(SCOPE) == {
        "received": 5, "stored": 2, "duplicate": 1, "validation_failed": 1, "idempotency_conflict": 1,
    }  # fmt: skip
    assert opened.tally(OTHER_SCOPE) == {"received": 1, "validation_failed": 1}


async def test_a_log_opened_again_knows_its_events_and_its_keys(opened: ReopenableLog) -> None:
    first = await opened.log.append(Submission(SCOPE, events("a", None)))
    before = await stored(opened.log)
    await opened.reopen()
    assert await stored(opened.log) == before
    again = await opened.log.append(Submission(SCOPE, events("a")))
    assert again.repeats == {0: Repeat(first.first_number, conflict=False)}
    later = await opened.log.append(Submission(SCOPE, events(None)))
    assert later.first_number > first.first_number + 1


async def test_keys_survive_the_loss_of_whatever_can_be_derived(opened: ReopenableLog) -> None:
    first = await opened.log.append(Submission(SCOPE, events(*(f"k{i}" for i in range(1000)))))
    await opened.reopen(lose_derived=True)
    again = await opened.log.append(Submission(SCOPE, events("k7")))
    assert again.repeats == {0: Repeat(first.first_number + 7, conflict=False)}


keys = st.lists(st.none() | st.sampled_from("abcde"), max_size=8)


@given(st.lists(keys, max_size=8))
def test_whatever_comes_in_a_key_is_stored_once_and_the_rest_always(
    tmp_path_factory: pytest.TempPathFactory, submissions: list[list[str | None]]
) -> None:
    async def check(directory: Path) -> None:
        async with EmbeddedLog(directory) as opened:
            await asyncio.gather(*(opened.log.append(Submission(SCOPE, events(*s))) for s in submissions))
            found = (await stored(opened.log)).idempotency_key
        sent = [key for submission in submissions for key in submission]
        assert sorted(key for key in found if key) == sorted({key for key in sent if key})
        assert found.count(None) == sent.count(None)

    asyncio.run(check(tmp_path_factory.mktemp("log")))


@pytest.mark.parametrize("count", [1, 1000])
async def test_a_record_of_the_log_can_be_read_without_meterhouse(tmp_path: Path, count: int) -> None:
    """The format is documented: msgpack, in a zstd frame where that is smaller. Any language reads it."""
    async with EmbeddedLog(tmp_path) as opened:
        await opened.log.append(Submission(SCOPE, events(*["a"] + [None] * (count - 1))))
        body = opened.first_body()
    if count > 1:
        body = zstandard.decompress(body)
    scopes, columns = msgspec.msgpack.decode(body)
    assert scopes == [[SCOPE, count]]
    *columns, buffered_at = columns
    assert buffered_at == []
    first = [column[0] for column in columns]
    assert first == ["usage.api_call", "cus_1", None, 1, 0, None, "a", None]


async def test_the_sdks_own_time_is_kept_and_is_no_part_of_the_meaning(opened: ReopenableLog) -> None:
    """design §6.1, also after the key index was made again from the log."""
    first = events("a", None, "b")
    first.buffered_at = [1_000_000]
    again = events("a")
    again.buffered_at = [2_000_000]
    timed = events("b")
    timed.timestamp = [1_000_000]
    receipt = await opened.log.append(Submission(SCOPE, first))
    for lose_derived in (False, True):
        await opened.reopen(lose_derived=lose_derived)
        repeat = (await opened.log.append(Submission(SCOPE, again))).repeats[0]
        assert repeat == Repeat(receipt.first_number, conflict=False)
        assert (await opened.log.append(Submission(SCOPE, events("a")))).repeats[0] == repeat
        assert (await opened.log.append(Submission(SCOPE, timed))).repeats[0].conflict
    (record,) = await opened.log.read(0, 10)
    received = [record.received_at] * 3
    assert record.events.happened(received) == [1_000_000, record.received_at, record.received_at]
    assert record.events.timestamp == [None, None, None]
