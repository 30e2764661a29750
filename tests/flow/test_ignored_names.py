"""docs/compatibility.md lists the names that bodies ignore: a request with them answers as one without."""

import re
from pathlib import Path
from typing import Any

from tests.conftest import Client
from tests.docs.answers import lasting
from tests.flow.answers import ok
from tests.flow.shop import CUSTOMER, PRODUCT

_PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
_PAYMENT = re.compile(r"(pi|seti)_[0-9a-f]+(_secret_[\w-]+)?")
EVENT = {"type": "usage.call", "customerRef": CUSTOMER, "units": 1}
USAGE = {"customerRef": CUSTOMER, "productRef": PRODUCT}
INTENT = {"customerRef": CUSTOMER, "purpose": "credit_topup", "amount": 1000, "currency": "USD"}
RECHARGE = {
    "customerRef": CUSTOMER,
    "enabled": True,
    "triggerType": "balance",
    "thresholdAmountMajor": 5,
    "topupAmountMajor": 20,
    "currency": "USD",
}


def listed() -> list[tuple[str, str, list[str]]]:
    """Return method, path and ignored names of each row."""
    section = _PAGE.read_text(encoding="utf-8").split("## Names that are ignored")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+) (\S+)` \| (`.*?`) \|", section, re.MULTILINE)
    return [(method, path, re.findall(r"`(\w+)`", names)) for method, path, names in rows]


async def test_names_that_the_page_lists_are_ignored(client: Client) -> None:
    headers = {"Idempotency-Key": "intent"}
    intent = ok(await client.post("/v1/sdk/payment-intents", json=INTENT, headers=headers), 201)
    bodies: dict[str, dict[str, Any]] = {
        "/v1/sdk/events": EVENT,
        "/v1/sdk/usages": USAGE,
        "/v1/sdk/limits": USAGE,
        "/v1/sdk/products": {"name": "Maps"},
        "/v1/sdk/products/{reference}/plans": {"name": "Free"},
        "/v1/sdk/payment-intents": INTENT,
        "/v1/sdk/payment-intents/{processorPaymentId}/business-details": {
            "isBusiness": True,
            "country": "SE",
        },
        "/v1/sdk/auto-recharge": RECHARGE,
    }
    assert [path for _, path, _ in listed()] == list(bodies)
    for method, path, names in listed():
        filled = path.replace("{reference}", PRODUCT).replace(
            "{processorPaymentId}", intent["processorPaymentId"]
        )
        for name in names:
            answers: list[object] = []
            for more in ({}, {name: "anything"}):
                body = bodies[path] | more
                body |= {"name": f"{name} {len(answers)}"} if "name" in body else {}
                key = {"Idempotency-Key": f"{name}{len(answers)}"}
                answer = await client.request(method, filled, json=body, headers=key)
                assert answer.status_code in (200, 201), (path, name, answer.text)
                text = _PAYMENT.sub("pi", answer.text.replace(f"{name} {len(answers)}", ""))
                answers.append(lasting(text, ""))
            assert answers[0] == answers[1], (path, name)
