"""Opens a data directory that a power cut left, and checks that the server keeps its promises on it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx

from meterhouse import wiring
from meterhouse.model.finding import Health
from meterhouse.settings import Settings
from tests.conftest import speak_to
from tests.power.traffic import CUSTOMER, EACH, GRANTED, LIMIT, Asked

_MEGABYTES = 256
_BULK = 1_000
_HOLDS = 20
"""How many of the last holds are looked at one by one; the ledger's totals have the others."""


async def check(
    data: Path, key: str, product: str, acknowledged: Sequence[Asked], others: Sequence[Asked]
) -> None:
    """Raise whatever shows that a promise is broken.

    acknowledged: the requests that were answered before the cut. others: some that were not.
    """
    settings = Settings(data=str(data), warehouse_memory_megabytes=_MEGABYTES, warehouse_threads=1)
    async with wiring.open_service(settings) as service, speak_to(service, key) as client:
        if acknowledged:
            await _everything_is_there(client, acknowledged)
            await _keys_count_once(client, acknowledged, others)
            await service.catch_up()
            await _projections_agree(client, acknowledged)
            await _nothing_is_oversold(client, product, acknowledged)
    found = [each async for each in wiring.examine(settings) if each.health is Health.PROBLEM]
    assert not found, f"doctor finds {found}"
    _, differences = await wiring.rebuild_ledger(settings, lambda *_: None)
    assert differences == 0, f"the rebuilt ledger differs in {differences} rows"
    await wiring.rebuild_warehouse(settings, lambda *_: None)


async def _everything_is_there(client: httpx.AsyncClient, acknowledged: Iterable[Asked]) -> None:
    """Promise 1, for the catalog and the holds; `_projections_agree` sees the events."""
    for asked in acknowledged:
        if asked.path == "/v1/sdk/products":
            await _get(client, f"/v1/sdk/products/{asked.answer['reference']}")
    ended: dict[str, str] = {}
    for asked in acknowledged:
        if "holdRef" in asked.answer:
            ended[asked.answer["holdRef"]] = asked.answer.get(
                "status", ended.get(asked.answer["holdRef"], "")
            )
    for hold, status in [*ended.items()][-_HOLDS:]:
        found = await _get(client, f"/v1/sdk/holds/{hold}")
        assert not status or found["status"] == status, f"hold {hold} was {status}, and is {found['status']}"


async def _keys_count_once(
    client: httpx.AsyncClient, acknowledged: Sequence[Asked], others: Sequence[Asked]
) -> None:
    """Promises 1 and 2: a repeat gets the answer that was given; an unanswered request counts once, too."""
    for path, ids in (("events", _event_ids), ("usages", _references)):
        asked = [each for each in acknowledged if each.path.startswith(f"/v1/sdk/{path}")]
        expected = [one for each in asked for one in ids(each.answer)]
        assert await _send_again(client, path, asked) == expected, f"repeats of {path} got other ids"
        unanswered = [each for each in others if each.path.startswith(f"/v1/sdk/{path}")]
        first = await _send_again(client, path, unanswered)
        assert await _send_again(client, path, unanswered) == first, f"second repeats of {path} got other ids"
        assert len({*expected, *first}) == len(expected) + len(first), f"two of {path} have one id"


async def _send_again(client: httpx.AsyncClient, path: str, asked: Iterable[Asked]) -> list[str]:
    bodies = [one for each in asked for one in each.body.get("events", [each.body])]
    found: list[str] = []
    for start in range(0, len(bodies), _BULK):
        body = {"events": bodies[start : start + _BULK]}
        answer = await client.post(f"/v1/sdk/{path}/bulk", json=body)
        assert answer.status_code == 200, answer.text
        found += (_event_ids if path == "events" else _references)(answer.json())
    return found


def _event_ids(answer: Any) -> list[str]:
    return [each["eventId"] for each in answer.get("results", [answer])]


def _references(answer: Any) -> list[str]:
    return [each["reference"] for each in answer.get("results", [answer])]


async def _projections_agree(client: httpx.AsyncClient, acknowledged: Iterable[Asked]) -> None:
    """Promises 1, 2 and 8: tally, warehouse and ledger say the same, and each event is there once."""
    tally = (await _get(client, "/v1/ingest"))["total"]
    assert tally["received"] == tally["stored"] + tally["duplicates"] + tally["rejected"]
    events = [event for kind in ("usage", "meter") async for event in _events(client, kind)]
    assert len(events) == tally["stored"], f"{tally['stored']} were stored, {len(events)} are answered"
    ids = {event["eventId"] for event in events}
    assert len(ids) == len(events), "an event is answered twice"
    counts = Counter((event["kind"], event["idempotencyKey"]) for event in events if event["idempotencyKey"])
    assert all(count == 1 for count in counts.values()), "a key has two events"
    for asked in acknowledged:
        answers = asked.answer.get("results", [asked.answer])
        said = {each["eventId"] for each in answers if "eventId" in each}
        said |= {each["reference"].replace("usage_", "evt_") for each in answers if "usage_" in str(each)}
        assert said <= ids, f"acknowledged, and not there: {said - ids}"
    for kind in ("usage", "meter"):
        mine = [event for event in events if event["kind"] == kind]
        counted = (await _get(client, f"/v1/usage?aggregate=count&kind={kind}"))["total"] or 0
        assert counted == len(mine), f"{len(mine)} {kind} events, and {counted} counted"
    if any(asked.path == "/v1/sdk/activate" for asked in acknowledged):
        used = sum(event["units"] for event in events if event["productRef"] == "prd_content_api")
        balance = (await _get(client, f"/v1/sdk/customers/{CUSTOMER}/balance"))["credits"]
        assert balance == GRANTED - EACH * used, f"{used} units were used, and {balance} credits are left"


async def _events(client: httpx.AsyncClient, kind: str) -> Any:
    cursor = None
    while True:
        page = await _get(
            client, f"/v1/events?limit=1000&kind={kind}" + (f"&cursor={cursor}" if cursor else "")
        )
        for event in page["events"]:
            yield event
        cursor = page["nextCursor"]
        if cursor is None:
            return


async def _nothing_is_oversold(
    client: httpx.AsyncClient, product: str, acknowledged: Iterable[Asked]
) -> None:
    """Promise 6: what is used, held and left is the limit, and what is left can be reserved once."""
    asked = {"customerRef": CUSTOMER, "productRef": product}
    if not any(each.path == "/v1/sdk/limits" for each in acknowledged):
        return
    (purchase,) = (await _get(client, f"/v1/sdk/purchases/product/{product}"))["purchases"]
    usage = (await _get(client, f"/v1/sdk/purchases/{purchase['reference']}"))["usage"]
    left = LIMIT - usage["used"] - usage["heldUnits"]
    assert left >= 0, f"oversold: {usage}"
    found = (await client.post("/v1/sdk/limits", json=asked)).json()
    assert found["remaining"] == left, f"{usage} of {LIMIT}, and {found['remaining']} are said to remain"
    for units, is_free in ((left, True), (1, False)):
        if units:
            reserve = asked | {"reserve": {"units": units}}
            found = (await client.post("/v1/sdk/limits", json=reserve)).json()
            assert ("holdRef" in found) == is_free, f"{left} were left, and {units} got {found}"


async def _get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.text}"
    return answer.json()
