"""The example that streams a language model's answer: its tokens count also when the reader leaves."""

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sdk.python.tests.stand_in import blocking

EXAMPLE = Path(__file__).parents[3] / "examples/llm_tokens.py"


@pytest.mark.parametrize("read", [list, next], ids=["to the end", "one piece"])
def test_the_tokens_of_a_stream_count_however_far_it_is_read(read: Callable[[Iterator[str]], Any]) -> None:
    example = runpy.run_path(str(EXAMPLE))
    published: list[bytes] = []

    def server(request: httpx.Request) -> httpx.Response:
        published.append(request.read())
        return httpx.Response(201, json={"eventId": "evt_1"})

    client, _ = blocking(server)
    with httpx.Client(base_url="http://m", transport=httpx.MockTransport(example["replay"])) as llm:
        stream = example["stream"](llm, client, "cus_1", [])
        read(stream)
        stream.close()
    assert len(published) == 1
    assert b'"completion_tokens":' in published[0]
