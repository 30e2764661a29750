"""docs/compatibility.md lists the names that bodies ignore: a request with them answers as one without."""

import re
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tests.conftest import Client
from tests.docs.answers import lasting
from tests.flow.answers import ok
from tests.flow.shop import CUSTOMER, FREE, PRODUCT, activate, plan, reserve

_PAGE: Final = Path(__file__).parents[2] / "docs" / "compatibility.md"
_NEW: Final = re.compile(r'(pi|seti)_[0-9a-f]+(_secret_[\w-]+)?|(?<="balance":)\d+')
_UNIQUE: Final = "UNIQUE"
_USAGE: Final = {"customerRef": CUSTOMER, "productRef": PRODUCT}
_INTENT: Final = {"customerRef": CUSTOMER, "purpose": "credit_topup", "amount": 1000, "currency": "USD"}
_BODIES: Final[dict[str, dict[str, Any]]] = {
    "/v1/sdk/events": {"type": "usage.call", "customerRef": CUSTOMER, "units": 1},
    "/v1/sdk/usages": _USAGE,
    "/v1/sdk/meter-events": _USAGE,
    "/v1/sdk/limits": _USAGE,
    "/v1/sdk/holds/{holdRef}/settle": {"units": 1},
    "/v1/sdk/customers/{reference}/credits": {"credits": 5},
    "/v1/sdk/customers": {"email": f"{_UNIQUE}@example.com"},
    "/v1/sdk/products": {"name": _UNIQUE},
    "/v1/sdk/products/{reference}/plans": {"name": _UNIQUE},
    "/v1/sdk/payment-intents": _INTENT,
    "/v1/sdk/payment-intents/{processorPaymentId}/business-details": {"isBusiness": True, "country": "SE"},
    "/v1/sdk/checkout-sessions": _USAGE,
    "/v1/sdk/auto-recharge": {
        "customerRef": CUSTOMER, "enabled": True, "triggerType": "balance", "currency": "USD",
        "thresholdAmountMajor": 5, "topupAmountMajor": 20,
    },
}  # fmt: skip


def listed() -> dict[str, tuple[str, list[str]]]:
    """Return method and ignored names by path."""
    section = _PAGE.read_text(encoding="utf-8").split("## Names that are ignored")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+) (\S+)` \| (`.*?`) \|", section, re.MULTILINE)
    return {path: (method, re.findall(r"`(\w+)`", names)) for method, path, names in rows}


def test_every_row_of_the_page_is_tested() -> None:
    assert listed().keys() == _BODIES.keys()


@pytest.mark.parametrize("path", _BODIES)
async def test_a_listed_name_changes_no_answer(client: Client, path: str) -> None:
    method, names = listed()[path]
    await activate(client, await plan(client, **FREE | {"limit": 0, "freeUnits": 0}))
    for name in names:
        without, with_name = [
            await _send(client, method, path, _BODIES[path] | more, f"{name}{len(more)}")
            for more in ({}, {name: "anything"})
        ]
        assert without == with_name, name


async def _send(client: Client, method: str, path: str, body: dict[str, Any], unique: str) -> object:
    """Return the answer without the parts that differ in each request."""
    if "{holdRef}" in path:
        path = path.replace("{holdRef}", (await reserve(client, 2))["holdRef"])
    if "{processorPaymentId}" in path:
        key = {"Idempotency-Key": f"intent {unique}"}
        intent = ok(await client.post("/v1/sdk/payment-intents", json=_INTENT, headers=key), 201)
        path = path.replace("{processorPaymentId}", intent["processorPaymentId"])
    path = path.replace("{reference}", CUSTOMER if "customers" in path else PRODUCT)
    content = msgspec.json.encode(body).replace(_UNIQUE.encode(), unique.encode())
    headers = {"Idempotency-Key": unique, "Content-Type": "application/json"}
    answer = await client.request(method, path, content=content, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    return lasting(_NEW.sub("0", answer.text.replace(unique, _UNIQUE)), "")
