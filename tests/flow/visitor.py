"""A customer with a checkout link, and what it has bought."""

from typing import Any

from tests.conftest import Client
from tests.flow.answers import ok
from tests.flow.shop import CUSTOMER, PRODUCT


class Page:
    """What a browser does with a checkout link."""

    def __init__(self, browser: Client, session_id: str) -> None:
        self._browser = browser
        self.path = f"/v1/checkout-sessions/{session_id}"

    async def look(self) -> dict[str, Any]:
        found: dict[str, Any] = ok(await self._browser.get(self.path))
        return found

    async def offers(self) -> list[str]:
        return [each["reference"] for each in ok(await self._browser.get(f"{self.path}/plans"))["plans"]]

    async def send(self, action: str, **body: Any) -> Any:
        return await self._browser.post(f"{self.path}/{action}", json=body)

    async def does(self, action: str, **body: Any) -> dict[str, Any]:
        done: dict[str, Any] = ok(await self.send(action, **body))
        return done


async def opened(client: Client, nobody: Client, **fields: Any) -> Page:
    body = {"customerRef": CUSTOMER, "productRef": PRODUCT} | fields
    session = ok(await client.post("/v1/sdk/checkout-sessions", json=body), 201)
    return Page(nobody, session["sessionId"])


async def purchases(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(await client.get("/v1/sdk/purchases"))["purchases"]
    return found
