"""A malformed body costs its sender time, and nobody else."""

import asyncio
import threading

import pytest

from meterhouse import pools
from tests.conftest import Client
from tests.flow.answers import error, ok
from tests.flow.waiting import until

NEVER_CLOSED = b"[" * 900_000


@pytest.mark.parametrize("path", ["/v1/sdk/events/bulk", "/v1/sdk/usages/bulk", "/v1/sdk/meter-events/bulk"])
@pytest.mark.parametrize("body", [NEVER_CLOSED, b'{"events":' + NEVER_CLOSED])
async def test_other_requests_are_answered_while_a_malformed_bulk_is_read(
    path: str, body: bytes, client: Client
) -> None:
    release = threading.Event()
    busy = asyncio.create_task(pools.MALFORMED.run(release.wait, 30))
    malformed = asyncio.create_task(client.post(path, content=body))
    await until(lambda: pools.MALFORMED.waiting == 1)
    ok(await client.get("/health"))
    release.set()
    assert await busy
    error(await malformed, 400, "validation_failed")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/sdk/events/bulk", 413), ("/v1/sdk/usages/bulk", 400), ("/v1/sdk/meter-events/bulk", 413)],
)
@pytest.mark.parametrize("element", [b"{}", b"1", b"[]", b'{"properties":{"a":{"b":1}}}', b"{]"])
async def test_too_many_events_of_any_shape_are_refused(
    path: str, status: int, element: bytes, client: Client
) -> None:
    body = b'{"events":[' + b",".join([element] * 100_000) + b"]}"
    answer = await client.post(path, content=body)
    assert answer.status_code in {status, 400}, answer.text
    assert len(answer.content) < 10_000, "the answer does not grow with the request"


@pytest.mark.parametrize("line", [b"{}\n", b"{}", b"{} ", b"1\r", b"{]\n", b"{}\r\n"])
async def test_too_many_lines_of_any_shape_are_refused(line: bytes, client: Client) -> None:
    answer = await client.post(
        "/v1/sdk/events/bulk", content=line * 100_000, headers={"content-type": "application/x-ndjson"}
    )
    error(answer, 413, "payload_too_large")


async def test_ten_thousand_events_with_nested_properties_are_stored(client: Client) -> None:
    event = b'{"type":"a.b","customerRef":"cus_3C4D5E6F","units":1,"properties":{"a":{"b":{"c":1}}}}'
    body = b'{"events":[' + b",".join([event] * 10_000) + b"]}"
    assert ok(await client.post("/v1/sdk/events/bulk", content=body))["stored"] == 10_000
    lines = b"\n".join([event] * 10_000) + b"\n\n"
    headers = {"content-type": "application/x-ndjson"}
    assert ok(await client.post("/v1/sdk/events/bulk", content=lines, headers=headers))["stored"] == 10_000
