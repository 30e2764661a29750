"""Sending what the TypeScript SDK was recorded to send (contract §1, §5.1)."""

import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from tests.e2e.server import Server
from tests.flow.answers import ok


class TypeScript:
    """Sends as that SDK does: its headers on every request, also without a body; `//` before the path."""

    def __init__(self, server: Server, key: str, http: httpx.Client) -> None:
        self._base = f"{server.url}/"
        self._headers = {
            "content-type": "application/json", "authorization": f"Bearer {key}", "user-agent": "node",
        }  # fmt: skip
        self._http = http

    def send(self, method: str, path: str, body: str = "", key: str | None = None) -> httpx.Response:
        headers = self._headers | ({} if key is None else {"idempotency-key": key})
        # Building it apart keeps the `//`, and a body of nothing has the content-length 0 of a fetch.
        request = httpx.Request(method, f"{self._base}{path}", headers=headers, content=body.encode())
        return self._http.send(request)

    def track(self, customer: str, product: str, outcome: str = "success", **extra: Any) -> dict[str, Any]:
        """Send step 5 of a call, its keys in the order recorded."""
        milliseconds = int(time.time() * 1000)
        request_id = f"solvapay_{milliseconds}_{uuid4().hex[:9]}"
        metadata = json.dumps({"action": "requests", "requestId": request_id} | extra, separators=(",", ":"))
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = (
            f'{{"customerRef":"{customer}","actionType":"api_call","units":1,"outcome":"{outcome}",'
            f'"productRef":"{product}","duration":12,"metadata":{metadata},"timestamp":"{now}"}}'
        )
        answer: dict[str, Any] = ok(self.send("POST", "/v1/sdk/usages", body))
        assert answer["success"] is True
        return answer

    def limits(self, customer: str, product: str) -> httpx.Response:
        body = (
            f'{{"customerRef":"{customer}","productRef":"{product}","meterName":"requests",'
            '"includeCheckoutSession":true}'
        )
        return self.send("POST", "/v1/sdk/limits", body)
