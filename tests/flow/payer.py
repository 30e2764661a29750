"""A customer who pays with payment intents."""

from typing import Any

from tests.conftest import Client
from tests.flow.answers import ok
from tests.flow.shop import CUSTOMER, PRODUCT

INTENTS = "/v1/sdk/payment-intents"


async def intent(client: Client, key: str = "key", **fields: Any) -> dict[str, Any]:
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT} | fields
    made: dict[str, Any] = ok(await client.post(INTENTS, json=body, headers={"idempotency-key": key}), 201)
    return made


async def topup(client: Client, amount: float = 2500, key: str = "key") -> dict[str, Any]:
    return await intent(client, key, purpose="credit_topup", amount=amount, currency="usd")


async def confirm(client: Client, made: dict[str, Any], outcome: str = "success") -> dict[str, Any]:
    path = f"/v1/payment-intents/{made['processorPaymentId']}/confirm"
    body = {"clientSecret": made["clientSecret"], "outcome": outcome}
    done: dict[str, Any] = ok(await client.post(path, json=body))
    return done


async def process(client: Client, made: dict[str, Any], **fields: Any) -> Any:
    path = f"{INTENTS}/{made['processorPaymentId']}/process"
    return await client.post(path, json={"customerRef": CUSTOMER} | fields)
