"""What a provider sets up before it can meter: a product, its plans, and a customer who has one of them."""

from typing import Any

from tests.conftest import Client
from tests.flow.answers import ok

CUSTOMER = "cus_3C4D5E6F"
PRODUCT = "prd_content_api"
PLANS = f"/v1/sdk/products/{PRODUCT}/plans"
FREE = {"name": "Free", "price": 0, "freeUnits": 10, "limit": 10, "default": True}
PAY_AS_YOU_GO = {"name": "Pay as you go", "type": "usage-based", "creditsPerUnit": 100}


async def made_plan(client: Client, url: str = PLANS, **fields: Any) -> dict[str, Any]:
    """Make a plan, of the product unless the url is another's; return the answer."""
    made: dict[str, Any] = ok(await client.post(url, json={"name": "Plan"} | fields), 201)
    return made


async def plan(client: Client, **fields: Any) -> str:
    """Make a plan of the product; return its ref."""
    return str((await made_plan(client, **fields))["reference"])


async def activate(client: Client, plan_ref: str, customer: str = CUSTOMER) -> dict[str, Any]:
    body = {"customerRef": customer, "productRef": PRODUCT, "planRef": plan_ref}
    done: dict[str, Any] = ok(await client.post("/v1/sdk/activate", json=body))
    return done


async def grant(client: Client, credits_: int, customer: str = CUSTOMER) -> None:
    ok(await client.post(f"/v1/sdk/customers/{customer}/credits", json={"credits": credits_}))


async def with_credits(client: Client, credits_: int, **fields: Any) -> str:
    """Let the customer pay as it goes; return its purchase's ref."""
    await grant(client, credits_)
    return str((await activate(client, await plan(client, **PAY_AS_YOU_GO | fields)))["purchaseRef"])


async def track(client: Client, **fields: Any) -> dict[str, Any]:
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT} | fields
    done: dict[str, Any] = ok(await client.post("/v1/sdk/usages", json=body))
    return done


async def limits(client: Client, **fields: Any) -> dict[str, Any]:
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT} | fields
    found: dict[str, Any] = ok(await client.post("/v1/sdk/limits", json=body))
    return found


async def reserve(client: Client, units: Any, ttl: int = 60, key: str | None = None) -> dict[str, Any]:
    wanted = {"units": units, "ttlSeconds": ttl} | ({} if key is None else {"idempotencyKey": key})
    return await limits(client, reserve=wanted)


async def settle(client: Client, hold: dict[str, Any], units: Any, **said: Any) -> dict[str, Any]:
    url = f"/v1/sdk/holds/{hold['holdRef']}/settle"
    done: dict[str, Any] = ok(await client.post(url, json={"units": units} | said))
    return done


async def balance(client: Client, customer: str = CUSTOMER) -> int:
    return int(ok(await client.get(f"/v1/sdk/customers/{customer}/balance"))["credits"])


async def usage_of(client: Client, purchase: str) -> dict[str, Any]:
    found: dict[str, Any] = ok(await client.get(f"/v1/sdk/purchases/{purchase}"))["usage"]
    return found
