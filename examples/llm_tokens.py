"""Publish the tokens of language model calls: one that answers whole, and one that streams.

The model's answers are replayed from `recorded/`; give `httpx.Client` your provider's URL and key instead,
and the rest stays as it is.

    METERHOUSE_API_KEY=sk_sandbox_… python llm_tokens.py
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from meterhouse_sdk import Meterhouse

RECORDED = Path(__file__).with_name("recorded")
Messages = list[dict[str, str]]


def answer(llm: httpx.Client, meterhouse: Meterhouse, customer_ref: str, messages: Messages) -> str:
    reply = llm.post("/chat/completions", json={"model": "gpt-4", "messages": messages})
    completion = reply.raise_for_status().json()
    publish(meterhouse, customer_ref, completion)
    text: str = completion["choices"][0]["message"]["content"]
    return text


def stream(llm: httpx.Client, meterhouse: Meterhouse, customer_ref: str, messages: Messages) -> Iterator[str]:
    """Yield the answer as it comes. The last chunk has no text; it carries the usage, if asked to.

    A reader who leaves early pays too: the rest of the answer is read for its usage.
    """
    wish = {"model": "gpt-4", "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
    with llm.stream("POST", "/chat/completions", json=wish) as reply:
        chunks = chunks_of(reply.raise_for_status(), meterhouse, customer_ref)
        try:
            for chunk in chunks:
                yield from (choice["delta"].get("content") or "" for choice in chunk["choices"])
        finally:
            for _ in chunks:
                pass


def chunks_of(
    reply: httpx.Response, meterhouse: Meterhouse, customer_ref: str
) -> Iterator[dict[str, Any]]:  # Any: JSON
    """Yield the chunks of a streamed answer, and publish the usage that one of them carries."""
    for line in reply.iter_lines():
        data = line.removeprefix("data: ")
        if data in (line, "[DONE]"):  # a blank line between chunks, or the end
            continue
        chunk = json.loads(data)
        if chunk.get("usage"):
            publish(meterhouse, customer_ref, chunk)
        yield chunk


def publish(meterhouse: Meterhouse, customer_ref: str, completion: dict[str, Any]) -> None:  # Any: JSON
    """Count the tokens of a completion. Its id is the key: whatever is retried, they count once."""
    usage = completion["usage"]
    meterhouse.create_event(
        type="usage.token",
        customer_ref=customer_ref,
        product_ref="prd_ai_assistant",
        units=usage["total_tokens"],
        idempotency_key=completion["id"],
        properties={
            "model": completion["model"],
            "prompt_tokens": usage["prompt_tokens"],
            "completion_tokens": usage["completion_tokens"],
        },
    )


def replay(request: httpx.Request) -> httpx.Response:
    streams = json.loads(request.content).get("stream", False)
    recorded = RECORDED / ("chat_completion_stream.txt" if streams else "chat_completion.json")
    return httpx.Response(200, content=recorded.read_bytes())


def main() -> None:
    question = [{"role": "user", "content": "What is tea?"}]
    with (
        httpx.Client(base_url="http://recorded/v1", transport=httpx.MockTransport(replay)) as llm,
        Meterhouse() as meterhouse,
    ):
        print(answer(llm, meterhouse, "cus_3C4D5E6F", question))
        for text in stream(llm, meterhouse, "cus_3C4D5E6F", question):
            print(text, end="")
        print()


if __name__ == "__main__":
    main()
