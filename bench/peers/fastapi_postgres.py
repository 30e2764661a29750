"""What most teams would write: FastAPI, asyncpg, one INSERT a request into PostgreSQL, which fsyncs it."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import asyncpg
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Event(BaseModel):
    type: str
    customerRef: str  # noqa: N815 - as in JSON
    units: Decimal


class Usage(BaseModel):
    customerRef: str  # noqa: N815 - as in JSON
    productRef: str  # noqa: N815 - as in JSON
    units: Decimal


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(sys.argv[2], min_size=16, max_size=32) as pool:
        app.state.pool = pool
        await pool.execute(
            "CREATE TABLE IF NOT EXISTS event (id bigserial PRIMARY KEY, type text NOT NULL,"
            " customer_ref text NOT NULL, units numeric(38, 9) NOT NULL, at timestamptz DEFAULT now())"
        )
        await pool.execute(
            "CREATE TABLE IF NOT EXISTS total (customer_ref text, product_ref text, units numeric(38, 9) NOT NULL,"
            " PRIMARY KEY (customer_ref, product_ref))"
        )
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/v1/sdk/events", status_code=201)
async def publish(event: Event) -> dict[str, str]:
    number = await app.state.pool.fetchval(
        "INSERT INTO event (type, customer_ref, units) VALUES ($1, $2, $3) RETURNING id",
        event.type,
        event.customerRef,
        event.units,
    )
    return {"eventId": f"evt_{number:016x}"}


@app.post("/v1/sdk/usages")
async def track(usage: Usage) -> dict[str, object]:
    """The event and its total, in one transaction."""
    async with app.state.pool.acquire() as connection, connection.transaction():
        number = await connection.fetchval(
            "INSERT INTO event (type, customer_ref, units) VALUES ('usage.api_call', $1, $2) RETURNING id",
            usage.customerRef,
            usage.units,
        )
        await connection.execute(
            "INSERT INTO total VALUES ($1, $2, $3)"
            " ON CONFLICT (customer_ref, product_ref) DO UPDATE SET units = total.units + excluded.units",
            usage.customerRef,
            usage.productRef,
            usage.units,
        )
    return {"success": True, "reference": f"usage_{number:016x}"}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
