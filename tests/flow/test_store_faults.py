"""An answer tells nothing of files, SQL or stores, whatever breaks below its route."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import httpx
import pytest

from meterhouse.model.errors import KeyIndexUnavailable
from meterhouse.settings import Settings
from meterhouse.stores.embedded.key_index import Entry, KeyIndex
from meterhouse.wiring import open_service
from tests.conftest import Client, speak_to
from tests.flow.answers import ok
from tests.flow.test_error_shape import concrete
from tests.flow.test_openapi import operations

NEEDED_TO_GET_IN: Final = {"api_key", "scope", "provider"}
EVENT: Final = {"type": "usage.api_call", "customerRef": "cus_3C4D5E6F", "units": 1}
BODY: Final = EVENT | {
    "actionType": "api_call", "productRef": "prd_content_api", "email": "a@example.com", "name": "A thing",
    "credits": 5, "amount": 5, "currency": "USD", "meterName": "tokens", "displayName": "Tokens",
    "events": [EVENT], "planRef": "pln_1", "purchaseRef": "pur_1", "eventName": "usage.api_call",
}  # fmt: skip
_INSIDE = re.compile(
    r"sqlite|duckdb|rocks|no such table|SELECT|INSERT|meterhouse\.db|\.sst|Traceback|\.py\b|0x", re.IGNORECASE
)


def tells_nothing(answer: httpx.Response, data: Path) -> None:
    assert not _INSIDE.search(answer.text), answer.text
    assert str(data) not in answer.text
    body = answer.json()
    assert body["statusCode"] == answer.status_code
    assert body["requestId"] == answer.headers["x-request-id"]


async def every_answer(client: Client) -> list[httpx.Response]:
    """Ask every route of /openapi.json, with a body that most of them take."""
    described = operations(ok(await client.get("/openapi.json")))
    return [
        await client.request(method, concrete(path), json=BODY if "requestBody" in each else None)
        for method, path, each in described
    ]


def lose_tables(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for name in {name for (name,) in rows if not name.startswith("sqlite_")} - NEEDED_TO_GET_IN:
            connection.execute(f"ALTER TABLE {name} RENAME TO lost_{name}")


async def test_a_database_that_refuses_everything_is_not_described_in_any_answer(tmp_path: Path) -> None:
    async with open_service(Settings(data=str(tmp_path))) as opened:
        assert opened.first_start is not None
        client = speak_to(opened, opened.first_start.secret)
        ok(await client.post("/v1/sdk/events", json=EVENT), 201)
        lose_tables(tmp_path / "meterhouse.db")
        answers = await every_answer(client)
        ready = await client.get("/ready")
    failed = [answer for answer in answers if answer.status_code >= 500]
    assert len(failed) > len(answers) / 4
    assert {503} <= {answer.status_code for answer in failed}
    assert ready.status_code == 503
    for answer in (*answers, ready):
        if answer.status_code >= 400:
            tells_nothing(answer, tmp_path)


async def test_a_body_that_does_not_decompress_is_refused_without_the_librarys_words(client: Client) -> None:
    for encoding in ("gzip", "zstd"):
        answer = await client.post(
            "/v1/sdk/events", content=b"\x1f\x8b" + b"x" * 50, headers={"content-encoding": encoding}
        )
        assert answer.status_code == 400
        assert "Error -" not in answer.text
        assert "zlib" not in answer.text
        assert "Content-Encoding" in answer.text


def test_a_damaged_key_index_says_what_to_do_and_not_where_it_lies(tmp_path: Path) -> None:
    hashes = [number.to_bytes(16, "big") for number in range(50_000)]
    with closing(KeyIndex(tmp_path / "keys")) as index:
        index.put({hashed: Entry(1, b"12345678") for hashed in hashes}, 1)
    for file in (tmp_path / "keys").glob("*.sst"):
        whole = bytearray(file.read_bytes())
        whole[len(whole) // 4 : len(whole) // 2] = b"\xa5" * (len(whole) // 2 - len(whole) // 4)
        file.write_bytes(whole)
    with closing(KeyIndex(tmp_path / "keys")) as index, pytest.raises(KeyIndexUnavailable) as refused:
        index.get(hashes)
    assert str(refused.value) == KeyIndexUnavailable.sentence
    assert ".sst" in str(refused.value.__cause__), "the log says which file"
