"""A server of a few lines that sells: it counts usages once, and keeps to a limit, holds included."""

import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from meterhouse_sdk import AsyncMeterhouse, Meterhouse
from sdk.python.tests.stand_in import KEY, WAIT_SECONDS, problem

Body = dict[str, Any]  # Any: JSON
LIMITS = "POST /v1/sdk/limits"
USAGES = "POST /v1/sdk/usages"
CUSTOMERS = "POST /v1/sdk/customers"


class Shop:
    """limit: units that may be used. says: more fields of a denied check.

    unknown: refs of customers who are not there.
    away: ends of paths that are answered 503. interrupts: ends of paths where Ctrl-C is pressed.
    """

    def __init__(self, limit: int = 1_000_000) -> None:
        self.limit = limit
        self.says: Body = {"checkoutUrl": "http://pay"}
        self.unknown: set[str] = set()
        self.away: set[str] = set()
        self.interrupts: set[str] = set()
        self.requests: list[str] = []
        self.bodies: list[Body] = []
        self.customers: dict[str, str] = {}
        self.usages: dict[str, Body] = {}
        self.held: dict[str, int] = {}
        self.ended: dict[str, Body] = {}
        self.used = 0
        self._changed = threading.Condition()

    def client(self, **knobs: Any) -> Meterhouse:  # Any: the client's knobs
        transport = httpx.MockTransport(self)
        return Meterhouse(KEY, "http://h", transport=transport, sleep=lambda _: None, **knobs)

    def async_client(self, sleep: Callable[[float], Awaitable[object]] | None = None) -> AsyncMeterhouse:
        async def at_once(_: float) -> None: ...

        transport = httpx.MockTransport(self)
        return AsyncMeterhouse(KEY, "http://h", transport=transport, sleep=sleep or at_once)

    def wait_for(self, happened: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(happened, WAIT_SECONDS)

    def outcomes(self) -> list[str]:
        return [usage["outcome"] for usage in self.usages.values()]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        body: Body = json.loads(request.content or b"{}")
        with self._changed:
            self._changed.notify_all()
            self.requests.append(f"{request.method} {path}")
            self.bodies.append(body)
            if path.endswith(tuple(self.interrupts)):
                raise KeyboardInterrupt
            if path.endswith(tuple(self.away)):
                return httpx.Response(503)
            if path == "/v1/sdk/customers":
                return self._customer(request, body)
            if path == "/v1/sdk/limits":
                return self._limits(body)
            if path == "/v1/sdk/usages":
                return self._usage(body)
            return self._end(path, body)

    def _customer(self, request: httpx.Request, body: Body) -> httpx.Response:
        if request.method == "GET":
            found = self.customers.get(request.url.params["externalRef"])
            return problem(404, "customer_not_found") if found is None else _customer(found)
        made = self.customers[body["externalRef"]] = f"cus_{len(self.customers) + 1}"
        return _customer(made)

    def _limits(self, body: Body) -> httpx.Response:
        if not body["customerRef"].startswith("cus_") or body["customerRef"] in self.unknown:
            return problem(404, "customer_not_found")
        free = self.limit - self.used - sum(self.held.values())
        wanted = body.get("reserve", {}).get("units", 0)
        is_within = free >= max(wanted, 1)
        answer = {
            "withinLimits": is_within,
            "remaining": free,
            "meterName": "requests",
            "plan": "pln_1",
        }
        if not is_within:
            return httpx.Response(200, json=answer | self.says)
        if wanted:
            ref = f"hld_{len(self.held) + len(self.ended) + 1}"
            self.held[ref] = wanted
            granted = {"holdRef": ref, "reservedUnits": wanted, "expiresAt": "2026-11-01T00:01:00Z"}
            answer |= granted | {"remaining": free - wanted}
        return httpx.Response(200, json=answer)

    def _usage(self, body: Body) -> httpx.Response:
        key = body["idempotencyKey"]
        reference = f"usage_{key}"
        if key in self.usages:
            skipped = {"debited": False, "reason": "duplicate"}
            return httpx.Response(200, json={"success": True, "reference": reference, "creditDebit": skipped})
        self.usages[key] = body
        self.used += body["units"] if body["outcome"] == "success" else 0
        return httpx.Response(200, json={"success": True, "reference": reference})

    def _end(self, path: str, body: Body) -> httpx.Response:
        hold_ref, how = path.split("/")[-2:]
        if hold_ref not in self.ended:
            if hold_ref not in self.held:
                return problem(404, "hold_not_found")
            reserved, units = self.held.pop(hold_ref), body.get("units", 0)
            self.used += units
            left = max(0, reserved - units)
            self.ended[hold_ref] = {"holdRef": hold_ref, "status": how, "releasedUnits": left} | (
                {
                    "status": "settled",
                    "reference": f"usage_{hold_ref}",
                    "units": units,
                    "reservedUnits": reserved,
                    "overLimitUnits": max(0, self.used - self.limit),
                }
                if how == "settle"
                else {"status": "released"}
            )
        answer = self.ended[hold_ref]
        is_settled = answer["status"] == "settled"
        if is_settled != (how == "settle"):
            return problem(409, "hold_settled" if is_settled else "hold_released")
        return httpx.Response(200, json=answer)


def _customer(reference: str) -> httpx.Response:
    return httpx.Response(200, json={"reference": reference, "email": "a@b.se"})
