"""What a seller does and the Python client cannot: default plans, activation, credits."""

from itertools import count
from typing import Any, Final
from uuid import uuid4

import httpx

from tests.flow.answers import ok

FREE_UNITS: Final = 3
MONTHLY: Final[dict[str, Any]] = {
    "type": "recurring", "price": 0, "billingCycle": "monthly", "freeUnits": FREE_UNITS, "limit": FREE_UNITS,
}  # fmt: skip
_number = count(1)


def some(what: str) -> str:
    """Make a name that nothing else has."""
    return f"{what} {next(_number)} {uuid4().hex[:6]}"


class Shop:
    """Sends plain requests; every answer is checked to be a success."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def customer(self, key: str | None = None, **fields: Any) -> str:
        body = {"email": f"{uuid4().hex}@example.com", "name": "Ada"} | fields
        return self._reference("/v1/sdk/customers", body, key)

    def product(self) -> str:
        return self._reference("/v1/sdk/products", {"name": some("Writer")})

    def plan(self, product: str, **fields: Any) -> str:
        return self._reference(f"/v1/sdk/products/{product}/plans", {"name": some("Plan")} | fields)

    def free_plan(self, product: str, units: int = FREE_UNITS) -> str:
        """Make a plan that the first look at a customer's limits enrols the customer in."""
        free = {"type": "recurring", "price": 0, "default": True, "freeUnits": units, "limit": units}
        return self.plan(product, **free)

    def metered_plan(self, product: str, credits_per_unit: int = 100, **fields: Any) -> str:
        """Make a plan whose units are paid from the customer's credits."""
        terms = {"type": "usage-based", "billingModel": "pre-paid", "creditsPerUnit": credits_per_unit}
        return self.plan(product, **terms, **fields)

    def activate(self, customer: str, product: str, plan: str) -> dict[str, Any]:
        refs = {"customerRef": customer, "productRef": product, "planRef": plan}
        answer: dict[str, Any] = ok(self.http.post("/v1/sdk/activate", json=refs))
        return answer

    def grant(self, customer: str, amount: int) -> None:
        ok(self.http.post(f"/v1/sdk/customers/{customer}/credits", json={"credits": amount}))

    def read(self, path: str) -> Any:
        return ok(self.http.get(path))

    def limits(self, customer: str, product: str, **fields: Any) -> dict[str, Any]:
        """Check limits, with all the answer has and not only what the Python client keeps of it."""
        refs = {"customerRef": customer, "productRef": product}
        answer: dict[str, Any] = ok(self.http.post("/v1/sdk/limits", json=refs | fields))
        return answer

    def purchased(self, product: str, customer: str, **plan: Any) -> str:
        """Activate a new plan and return the purchase."""
        activated = self.activate(customer, product, self.plan(product, **plan))
        assert activated["status"] == "activated", activated
        reference: str = activated["purchaseRef"]
        return reference

    def _reference(self, path: str, body: dict[str, Any], key: str | None = None) -> str:
        headers = {} if key is None else {"idempotency-key": key}
        reference: str = ok(self.http.post(path, json=body, headers=headers), 201)["reference"]
        return reference
