"""Load from wrk: a C program, so that the server and not the client is measured."""

import re
import shutil
import subprocess
import tempfile

from msgspec import Struct

from bench.servers import pinned

_SINGLE = """
wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer {key}"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{{"type":"usage.api_call","customerRef":"{customer}","units":1}}'
"""
# What a meter event or a limit check says, of a customer that is drawn anew for every request.
_DRAWN = """
math.randomseed(os.time())
local random, format = math.random, string.format
local headers = {{["Authorization"] = "Bearer {key}", ["Content-Type"] = "application/json"}}
request = function()
  return wrk.format("POST", nil, headers, format('{body}', random(0, {customers} - 1)))
end
"""
# Customers are drawn anew for every request; keys are 36 random hexadecimal characters and dashes.
_BULK = """
math.randomseed({seed} + os.time())
local keyed = {keyed}
local types = {{"usage.api_call", "usage.token", "usage.search", "usage.storage", "usage.compute"}}
local random, format, concat = math.random, string.format, table.concat
request = function()
  local events = {{}}
  for i = 1, {events} do
    local head = format('{{"type":"%s","customerRef":"cus_b%07d","units":%d', types[i % 5 + 1], random(0, {customers} - 1), random(1, 5000))
    if keyed then
      head = format('%s,"idempotencyKey":"%08x-%04x-%04x-%04x-%06x%06x"', head, random(0, 2^31 - 1), random(0, 65535),
        random(0, 65535), random(0, 65535), random(0, 2^24 - 1), random(0, 2^24 - 1))
    end
    events[i] = head .. '}}'
  end
  return wrk.format("POST", nil, {{["Authorization"] = "Bearer {key}", ["Content-Type"] = "application/json"}},
    '{{"events":[' .. concat(events, ",") .. ']}}')
end
"""


class Loaded(Struct, frozen=True):
    """requests_per_second over the whole run; bad: answers that were not 2xx, or no answers."""

    requests_per_second: float
    requests: int
    bad: int
    p99_ms: float


def require_wrk() -> None:
    """Raises SystemExit with a sentence where wrk is not installed."""
    if shutil.which("wrk") is None:
        raise SystemExit(
            "The bench needs wrk: apt-get install wrk (Debian, Ubuntu), brew install wrk (macOS)."
        )


def single(url: str, key: str, customer: str, seconds: int, connections: int = 32) -> Loaded:
    return _run(
        f"{url}/v1/sdk/events", _SINGLE.format(key=key, customer=customer), seconds, connections, core=1
    )


def usages(url: str, key: str, customers: int, seconds: int, connections: int = 32) -> Loaded:
    """One usage per request."""
    body = '{"customerRef":"cus_b%07d","productRef":"prd_content_api","units":1}'
    script = _DRAWN.format(key=key, body=body, customers=customers)
    return _run(f"{url}/v1/sdk/usages", script, seconds, connections, core=1)


def limits(url: str, key: str, customers: int, seconds: int, connections: int = 32) -> Loaded:
    """One limit check per request."""
    body = '{"customerRef":"cus_b%07d","productRef":"prd_content_api","meterName":"requests"}'
    script = _DRAWN.format(key=key, body=body, customers=customers)
    return _run(f"{url}/v1/sdk/limits", script, seconds, connections, core=1)


def bulk(url: str, key: str, customers: int, seconds: int, *, keyed: bool, connections: int = 4) -> Loaded:
    """Bulks of 1000 events."""
    script = _BULK.format(
        key=key, customers=customers, events=1000, keyed=str(keyed).lower(), seed=connections
    )
    return _run(f"{url}/v1/sdk/events/bulk", script, seconds, connections, core=None)


def _run(url: str, script: str, seconds: int, connections: int, core: int | None) -> Loaded:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = [
            *pinned(core),
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "--latency",
            "--timeout",
            "30s",
        ]
        text = subprocess.run(
            [*command, "-s", file.name, url], check=True, capture_output=True, text=True
        ).stdout
    return Loaded(
        float(_number(r"Requests/sec:\s+([\d.]+)", text)),
        int(_number(r"(\d+) requests in", text)),
        int(_number(r"Non-2xx or 3xx responses: (\d+)", text, "0"))
        + sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", text))),
        _milliseconds(_number(r"99%\s+([\d.]+\w+)", text)),
    )


def _number(pattern: str, text: str, default: str | None = None) -> str:
    found = re.search(pattern, text)
    if found is None:
        if default is None:
            raise RuntimeError(f"wrk said something else:\n{text}")
        return default
    return found[1]


def _milliseconds(text: str) -> float:
    for unit, factor in (("us", 0.001), ("ms", 1.0), ("s", 1000.0)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise RuntimeError(f"wrk's time {text!r}")
