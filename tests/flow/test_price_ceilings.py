"""What a plan may cost at most: of the plan, of each pricing option, of each tier."""

from collections.abc import Callable
from typing import Any, Final

from tests.conftest import Client
from tests.flow.answers import faults, ok
from tests.flow.shop import PLANS

PRICE: Final = 10_000_000
MONEY: Final = 10**12
CREDITS: Final = 10**9


def options(**second: Any) -> dict[str, Any]:
    return {"pricingOptions": [{"currency": "USD", "price": 1}, {"currency": "IDR", "price": 1} | second]}


def tiers(**second: Any) -> dict[str, Any]:
    first = {"minUsage": 0, "maxUsage": 9, "creditsPerUnit": 1}
    return {"usageTiers": [first, {"minUsage": 9, "creditsPerUnit": 1} | second]}


CEILINGS: Final[list[tuple[Callable[[int], dict[str, Any]], int, str]]] = [
    (lambda most: {"price": most}, PRICE, "price"),
    (lambda most: {"basePrice": most}, MONEY, "basePrice"),
    (lambda most: {"setupFee": most}, MONEY, "setupFee"),
    (lambda most: {"creditsPerUnit": most}, CREDITS, "creditsPerUnit"),
    (lambda most: options(price=most), MONEY, "pricingOptions.1.price"),
    (lambda most: options(basePrice=most), MONEY, "pricingOptions.1.basePrice"),
    (lambda most: options(setupFee=most), MONEY, "pricingOptions.1.setupFee"),
    (lambda most: options(price=most, default=True), PRICE, "pricingOptions.1.price"),
    (lambda most: options(price=most) | {"currency": "idr"}, PRICE, "pricingOptions.1.price"),
    (lambda most: {"pricingOptions": [{"currency": "USD", "price": most}]}, PRICE, "pricingOptions.0.price"),
    (lambda most: tiers(creditsPerUnit=most), CREDITS, "usageTiers.1.creditsPerUnit"),
    (lambda most: {"overagePolicy": {"overageRate": most}}, CREDITS, "overagePolicy.overageRate"),
]


async def test_a_price_goes_up_to_its_ceiling_and_no_further(client: Client) -> None:
    for said, most, path in CEILINGS:
        made = ok(await client.post(PLANS, json={"name": "Pro", "type": "hybrid"} | said(most)), 201)
        over = {"name": "Pro"} | said(most + 1)
        assert faults(await client.post(PLANS, json=over)) == {
            path: f"must be a whole number, {_from(path)} to {most}"
        }
        refused = await client.put(f"{PLANS}/{made['reference']}", json=said(most + 1))
        assert list(faults(refused)) == [path]


def _from(path: str) -> int:
    return 1 if path == "creditsPerUnit" else 0
