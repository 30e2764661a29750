"""The examples run as they are, against a real server, and what they publish is in the answers."""

import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from examples import document_generator, fastapi_api, file_upload, flask_api
from meterhouse_sdk import Meterhouse
from tests.e2e.server import Server, clean_environment
from tests.e2e.wait import until

EXAMPLES = Path(__file__).parents[2] / "examples"
CUSTOMER = {"X-Customer-Ref": "cus_3C4D5E6F"}


@pytest.fixture
def client(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Meterhouse]:
    """A new server, with the environment the examples read."""
    with Server(tmp_path_factory.mktemp("data")) as server:
        monkeypatch.setenv("METERHOUSE_URL", server.url)
        monkeypatch.setenv("METERHOUSE_API_KEY", server.key())
        monkeypatch.setenv("SPOOL_DIR", str(tmp_path / "spool"))
        monkeypatch.chdir(tmp_path)
        with Meterhouse() as client:
            yield client


def run(name: str, *arguments: str) -> str:
    names = ("METERHOUSE_URL", "METERHOUSE_API_KEY")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        env=clean_environment() | {each: os.environ[each] for each in names},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


def until_total(client: Meterhouse, type_: str, expected: int) -> None:
    until(lambda: client.usage(type=type_).total == expected, f"{type_} sums up to {expected}")


async def test_fastapi_counts_the_calls_that_succeed_and_a_repeated_one_once(client: Meterhouse) -> None:
    app = fastapi_api.app
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as api,
    ):

        async def call(topic: str, headers: dict[str, str]) -> int:
            return (await api.post("/api/generate", json={"topic": topic}, headers=headers)).status_code

        for _ in range(3):
            assert await call("tea", CUSTOMER) == 200
        for _ in range(2):
            assert await call("tea", CUSTOMER | {"Idempotency-Key": "again"}) == 200
        assert await call("", CUSTOMER) == 422
        assert await call("tea", {}) == 422
    until_total(client, "usage.api_call", 4)
    usage = client.usage(type="usage.api_call", group_by=["product_ref", "properties.path"])
    assert usage.series[0].group == {"product_ref": "prd_content_api", "properties.path": "/api/generate"}


@pytest.mark.usefixtures("client")
async def test_fastapi_answers_no_call_with_success_that_is_not_counted() -> None:
    app = fastapi_api.app
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as api,
    ):
        app.state.buffer.close()
        answer = await api.post("/api/generate", json={"topic": "tea"}, headers=CUSTOMER)
    assert answer.status_code == 500


def test_flask_counts_the_calls_that_succeed(client: Meterhouse) -> None:
    app = flask_api.create_app()
    with app.test_client() as api:
        for _ in range(3):
            assert api.get("/api/search?q=tea", headers=CUSTOMER).json == {"found": ["A page about tea"]}
        assert api.get("/api/search", headers=CUSTOMER).status_code == 400
        assert api.get("/api/search?q=tea").status_code == 401
    app.extensions["meterhouse"].close()
    until_total(client, "usage.search", 3)


def test_the_tokens_of_a_whole_and_of_a_streamed_answer_are_published_once(client: Meterhouse) -> None:
    for _ in range(2):  # the same completions again: the same keys
        printed = run("llm_tokens.py").splitlines()
        assert printed[0].startswith("Tea is a drink made")
        assert printed[1] == "Tea is a drink of hot water and leaves."
    until_total(client, "usage.token", 30 + 21)
    events = list(client.events(type="usage.token", properties={"model": "gpt-4-0613"}))
    assert [event.units for event in events] == [Decimal(21), Decimal(30)]
    assert {event.product_ref for event in events} == {"prd_ai_assistant"}


def test_a_generated_document_is_counted(client: Meterhouse) -> None:
    run("document_generator.py", "report.pdf")
    assert Path("report.pdf").read_bytes().startswith(b"%PDF-")
    assert document_generator.generate_report(client, "cus_3C4D5E6F", "Again (2)")
    until_total(client, "usage.document_generated", 2)


def test_an_upload_counts_its_megabytes_rounded_up(client: Meterhouse) -> None:
    Path("photo.jpg").write_bytes(b"\0" * (file_upload.BYTES_PER_MEGABYTE + 1))
    run("file_upload.py", "photo.jpg")
    assert Path("storage/photo.jpg").is_file()
    until_total(client, "usage.storage", 2)


def test_megabytes_are_rounded_up_exactly() -> None:
    one = file_upload.BYTES_PER_MEGABYTE
    assert [file_upload.megabytes(size) for size in (0, 1, one, one + 1)] == [0, 1, 1, 2]
    assert file_upload.megabytes(2**53 * one + 1) == 2**53 + 1
