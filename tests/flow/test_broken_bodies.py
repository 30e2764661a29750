"""Bodies with one broken event, and bodies that begin with a byte order mark."""

import gzip
from typing import Any

import msgspec
import pytest

from tests.conftest import Client
from tests.flow.answers import ok
from tests.flow.test_publish import BULK, GOOD, JSON, SINGLE

BROKEN = [
    r'"properties":{"prompt":"hi \ud83d"}',
    r'"properties":{"prompt":"\udc00"}',
    '"properties":{"prompt":"\xff"}',
    '"properties":{"prompt":"a\nb"}',
    '"properties":' + "[" * 600 + "]" * 600,
    '"properties":{"n":1e99999999999999999999}',
    '"properties":{"n":01}',
    '"productRef":5',
    '"more":',
]


@pytest.mark.parametrize(
    ("broken", "lines"),
    [(each, lines) for each in BROKEN for lines in (False, True) if not (lines and "\n" in each)],
)
async def test_one_broken_event_costs_one_receipt(client: Client, broken: str, *, lines: bool) -> None:
    good = '{"type":"a.b","customerRef":"cus_3C4D5E6F","units":1}'
    bad = good.replace("}", f",{broken}}}")
    events = [good, bad, good]
    body = "\n".join(events) if lines else f'{{"events":[{",".join(events)}]}}'
    headers = {"content-type": "application/x-ndjson"} if lines else JSON
    answer = ok(await client.post(BULK, content=body.encode("latin-1"), headers=headers))
    assert (answer["stored"], answer["rejected"]) == (2, 1)
    assert answer["results"][1]["errors"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SINGLE, GOOD),
        (BULK, {"events": [GOOD]}),
        ("/v1/sdk/usages", {"customerRef": "cus_3C4D5E6F"}),
        ("/v1/sdk/limits", {"customerRef": "cus_3C4D5E6F", "productRef": "prd_content_api"}),
        ("/v1/sdk/customers", {"email": "bom@example.com"}),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
async def test_a_byte_order_mark_is_skipped(
    client: Client, path: str, body: dict[str, Any], *, packed: bool
) -> None:
    content = b"\xef\xbb\xbf" + msgspec.json.encode(body)
    headers = JSON | ({"content-encoding": "gzip"} if packed else {})
    answer = await client.post(path, content=gzip.compress(content) if packed else content, headers=headers)
    assert answer.status_code in (200, 201), answer.text


async def test_lines_may_begin_with_a_byte_order_mark(client: Client) -> None:
    body = b"\xef\xbb\xbf" + msgspec.json.encode(GOOD) + b"\n"
    answer = await client.post(BULK, content=body, headers={"content-type": "application/x-ndjson"})
    assert ok(answer)["stored"] == 1
