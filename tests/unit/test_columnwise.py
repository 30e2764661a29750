"""Reading many events at once never differs from reading one after the other."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.ingest.body import EventBody, Rules, read_event
from meterhouse.ingest.columnwise import read_columns
from meterhouse.ingest.decode import decode_bulk
from meterhouse.model.event import Columns

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
GOOD = {
    "type": st.sampled_from(["usage.api_call", "usage.token", "büro.Seiten"]),
    "units": st.one_of(st.integers(0, 10**15), st.sampled_from([0.5, 1e15, 1.000000001, 0])),
}
OPTIONAL = {
    "productRef": st.sampled_from(["prd_A", None]),
    "timestamp": st.sampled_from(["2026-11-01T00:00:00Z", "2026-11-02T11:59:59.123456789+00:00", None]),
    "bufferedAt": st.sampled_from(["2026-10-01T00:00:00Z", "2026-11-02T11:59:59.5+00:00", None]),
    "idempotencyKey": st.one_of(st.none(), st.text(min_size=1, max_size=256)),
    "properties": st.sampled_from([{}, {"b": 1, "a": "x"}, {"n": 1.50}, None]),
}
BAD = {
    "type": st.sampled_from(["", "one", "a..b", "a. b", None]),
    "customerRef": st.sampled_from(["", "cus_NONE", "c" * 40, None]),
    "units": st.sampled_from([-1, 10**16, 0.0000000001, True, None, "5"]),
    "productRef": st.sampled_from(["", "prd_NONE"]),
    "timestamp": st.sampled_from(["2026-11-01T00:00:00", "2026-11-02T12:00:01Z", "1969-12-31T23:59:59Z", ""]),
    "idempotencyKey": st.sampled_from(["", "k" * 257]),
    "properties": st.sampled_from([[], 5, {"": 1}]),
    "bufferedAt": st.sampled_from(["2026-11-01T00:00:00", "2026-11-02T12:00:01Z"]),
    "externalRef": st.sampled_from(["", "ada", "bob", "nobody", "e" * 256]),
    "actionType": st.sampled_from(["api_call", ""]),
    "customerId": st.sampled_from(["cus_A", "cus_NONE"]),
    "productReference": st.sampled_from(["prd_A", "prd_NONE"]),
}
NAMES = st.sampled_from(
    [{"customerRef": "cus_A"}, {"externalRef": "ada"}, {"customerRef": "cus_B", "externalRef": "bob"}]
)
good_events = st.builds(
    lambda event, names: {**event, **names}, st.fixed_dictionaries(GOOD, optional=OPTIONAL), NAMES
)
any_events = st.one_of(
    good_events, st.builds(lambda good, bad: good | bad, good_events, st.fixed_dictionaries({}, optional=BAD))
)


def rules() -> Rules:
    return Rules(
        {"cus_A", "cus_B"}, {"prd_A"}, NOW + timedelta(hours=24), {}, {"ada": "cus_A", "bob": "cus_B"}
    )


def bodies(events: list[dict[str, object]]) -> list[EventBody]:
    decoded = decode_bulk(msgspec.json.encode({"events": events}))
    return [each for each in decoded if isinstance(each, EventBody)]


def one_by_one(read: list[EventBody], header_keys: list[str | None]) -> Columns | None:
    columns = Columns.empty()
    for body, key in zip(read, header_keys, strict=True):
        if read_event(body, None if body.idempotency_key else key, rules(), columns) is not None:
            return None
    return columns


def at_once(read: list[EventBody], header_keys: list[str | None]) -> Columns | None:
    keys = [
        key if body.idempotency_key is None else body.idempotency_key
        for body, key in zip(read, header_keys, strict=True)
    ]
    return read_columns(read, keys, rules())


@given(st.lists(any_events, min_size=1, max_size=6), st.sampled_from([None, "header"]))
def test_what_is_taken_at_once_is_what_is_taken_one_by_one(
    events: list[dict[str, object]], header: str | None
) -> None:
    read = bodies(events)
    header_keys = [None if header is None else f"{header}#{row}" for row in range(len(read))]
    if read and (taken := at_once(read, header_keys)) is not None:
        alone = one_by_one(read, header_keys)
        assert alone is not None
        received = range(len(read))
        assert taken.happened(received) == alone.happened(received)
        assert msgspec.structs.astuple(taken)[:-1] == msgspec.structs.astuple(alone)[:-1]


@given(st.lists(good_events, min_size=1, max_size=6))
def test_good_events_are_taken_at_once(events: list[dict[str, object]]) -> None:
    assert at_once(bodies(events), [None] * len(events)) is not None
