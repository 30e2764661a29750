"""Count the calls of a FastAPI application.

The buffer takes an event at once and delivers it in the background, so that no caller waits for it, and
none is lost while Meterhouse is away. Run it where `meterhouse serve` runs:

    METERHOUSE_API_KEY=sk_sandbox_… uvicorn fastapi_api:app --port 8000
    curl -X POST localhost:8000/api/generate -H 'X-Customer-Ref: cus_3C4D5E6F' \
         -H 'Content-Type: application/json' -d '{"topic": "tea"}'
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel

from meterhouse_sdk import EventBuffer


@asynccontextmanager
async def metering(app: FastAPI) -> AsyncIterator[None]:
    with EventBuffer(spool_dir=os.environ.get("SPOOL_DIR", "spool")) as buffer:
        app.state.buffer = buffer
        yield


app = FastAPI(lifespan=metering)


async def counted(
    request: Request,
    x_customer_ref: Annotated[str, Header(min_length=1, max_length=20)],
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=256)] = None,
) -> AsyncIterator[None]:
    """Count the call once it has succeeded; a call repeated with its Idempotency-Key counts once.

    For `scope="function"`: it ends before the answer is sent, so that what is answered is counted.
    """
    yield  # the route runs here; what it raises is raised here too, and nothing is counted
    request.app.state.buffer.add(
        type="usage.api_call",
        customer_ref=x_customer_ref,
        product_ref="prd_content_api",
        units=1,
        idempotency_key=idempotency_key,
        properties={"path": request.url.path},
    )


class Wish(BaseModel):
    topic: str


@app.post("/api/generate", dependencies=[Depends(counted, scope="function")])
async def generate(wish: Wish) -> dict[str, str]:
    if not wish.topic:
        raise HTTPException(422, "topic must not be empty")
    return {"text": f"All there is to say of {wish.topic}."}
