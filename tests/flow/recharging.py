"""A customer whose credits are bought automatically."""

from typing import Any

from tests.conftest import Client
from tests.flow.answers import ok
from tests.flow.payer import INTENTS, confirm, process, topup
from tests.flow.shop import CUSTOMER, activate, plan

PATH = "/v1/sdk/auto-recharge"
ASKED = {
    "customerRef": CUSTOMER, "enabled": True, "triggerType": "balance", "thresholdAmountMajor": 5,
    "topupAmountMajor": 20, "currency": "USD",
}  # fmt: skip
PAYG = {"name": "Pay as you go", "type": "usage-based", "creditsPerUnit": 10_000}
"""A dollar a unit."""


async def save(client: Client, **said: Any) -> dict[str, Any]:
    done: dict[str, Any] = ok(await client.put(PATH, json=ASKED | said))
    return done


async def config(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = ok(await client.get(PATH, params={"customerRef": CUSTOMER}))
    return found


async def switch_off(client: Client) -> dict[str, Any]:
    done: dict[str, Any] = ok(await client.delete(PATH, params={"customerRef": CUSTOMER}))
    return done


async def paid_once(client: Client, amount: int = 1000) -> None:
    """Let the customer pay with a card, which is saved then; the balance is 10 dollars."""
    made = await topup(client, amount, key="first")
    await confirm(client, made)
    ok(await process(client, made))


async def spending(client: Client) -> None:
    """Give the customer a plan that debits a dollar for each unit."""
    await activate(client, await plan(client, **PAYG))


async def recharges(client: Client) -> list[dict[str, Any]]:
    """Return the payments that are not the first one."""
    return ok(await client.get(INTENTS))["paymentIntents"][:-1]  # type: ignore[no-any-return]


async def charged(client: Client) -> int:
    spent: int = (await config(client))["config"]["monthlySpendMinor"]
    return spent
