"""A server under mixed traffic, refusals and broken connections included, holds no more as time passes."""

import gzip
import itertools
import json
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.e2e.growth import sample, slopes, table
from tests.e2e.server import Server
from tests.e2e.test_doctor import EVENT
from tests.e2e.threads import going_on

SOAK_SECONDS: Final = float(os.environ.get("SOAK_SECONDS", "3600"))
SAMPLES: Final = 120
CUSTOMER: Final = EVENT["customerRef"]
USAGE: Final = {
    "customerRef": CUSTOMER,
    "actionType": "api_call",
    "units": 1,
    "productRef": "prd_content_api",
}
LIMIT: Final = {"customerRef": CUSTOMER, "productRef": "prd_content_api"}
JSON: Final = {"Content-Type": "application/json"}
NDJSON_GZIP: Final = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
MANY_EVENTS: Final = gzip.compress(b"{}\n" * 400_000)


def accepted(client: httpx.Client, turn: int) -> httpx.Response:
    """Send one of the requests that a server accepts."""
    keyed = EVENT | {"idempotencyKey": f"{os.urandom(8).hex()}"}
    asked: list[Callable[[], httpx.Response]] = [
        lambda: client.post("/v1/sdk/events", json=EVENT),
        lambda: client.post("/v1/sdk/events", json=keyed),
        lambda: client.post("/v1/sdk/events/bulk", json={"events": [EVENT] * 100 + [EVENT | {"units": -1}]}),
        lambda: client.post("/v1/sdk/usages", json=USAGE),
        lambda: client.post("/v1/sdk/limits", json=LIMIT),
        lambda: client.get("/v1/usage", params={"groupBy": "type", "granularity": "hour"}),
        lambda: client.get("/v1/events", params={"limit": "20"}),
        lambda: client.get("/v1/ingest"),
        lambda: client.get("/v1/customers", params={"search": "a"}),
        lambda: client.get("/metrics"),
        lambda: client.get("/ready"),
    ]
    return asked[turn % len(asked)]()


def refused(client: httpx.Client, turn: int) -> httpx.Response:
    """Send one of the requests that a server refuses, each in its own way."""
    asked: list[Callable[[], httpx.Response]] = [
        lambda: client.post("/v1/sdk/events", json=EVENT | {"units": "5"}),
        lambda: client.post("/v1/sdk/events", json=EVENT | {"customerRef": "cus_UNKNOWN1"}),
        lambda: client.post("/v1/sdk/events", content=b'{"type":', headers=JSON),
        lambda: client.post("/v1/sdk/events", content=b"x" * 300_000, headers=JSON),
        lambda: client.post("/v1/sdk/events", content=b"<a/>", headers={"Content-Type": "text/xml"}),
        lambda: client.post("/v1/sdk/events/bulk", content=MANY_EVENTS, headers=NDJSON_GZIP),
        lambda: client.post("/v1/sdk/events", json=EVENT, headers={"Authorization": "Bearer sk_sandbox_no"}),
        lambda: client.get(f"/v1/unknown/{turn}"),
        lambda: client.get("/v1/usage", params={"groupBy": "nonsense"}),
        lambda: client.post("/v1/sdk/holds/hld_unknown/release", json={}),
    ]
    return asked[turn % len(asked)]()


def broken(server: Server) -> None:
    """Announce a body, send half of it, and go away."""
    body = json.dumps(EVENT).encode()
    head = f"POST /v1/sdk/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(
        ("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=30
    ) as connection:
        connection.sendall(head.encode() + body[: len(body) // 2])


@pytest.mark.soak
def test_nothing_grows_under_mixed_traffic(tmp_path: Path) -> None:
    """SOAK_SECONDS sets how long; an hour by default."""
    stop = threading.Event()
    statuses: Counter[int] = Counter()
    faults: list[BaseException] = []
    samples = []
    with Server(tmp_path / "data") as server:
        key = server.key()

        def send(ask: Callable[[httpx.Client, int], httpx.Response]) -> None:
            try:
                with server.client(key) as client:
                    for turn in itertools.takewhile(lambda _: not stop.is_set(), itertools.count()):
                        statuses[ask(client, turn).status_code] += 1
                        if turn % 20 == 0:
                            broken(server)
            except BaseException as fault:
                faults.append(fault)
                raise

        with going_on([lambda: send(accepted), lambda: send(refused)], stop):
            end = time.monotonic() + SOAK_SECONDS
            while time.monotonic() < end and not faults:
                samples.append(sample(server))
                stop.wait(SOAK_SECONDS / SAMPLES)
    said = f"{SOAK_SECONDS:g} s, answers by status: {dict(sorted(statuses.items()))}\n{table(samples)}"
    print(said)  # noqa: T201 - the figures of docs/operating.md; `make soak` shows them
    assert not faults
    assert not [status for status in statuses if status >= 500], statuses
    assert {200, 201, 400, 401, 404, 413, 415} <= statuses.keys()
    assert not slopes(samples)


def test_slope_is_found_and_noise_is_not() -> None:
    flat = [{"memory, MB": 300 + number % 7, "rows of session": 3.0} for number in range(90)]
    assert slopes(flat) == []
    leaking = [each | {"memory, MB": 300.0 + number} for number, each in enumerate(flat)]
    assert [found.split(" grew")[0] for found in slopes(leaking)] == ["memory, MB"]
    filling = [each | {"rows of session": 3.0 * number} for number, each in enumerate(flat)]
    assert [found.split(" grew")[0] for found in slopes(filling)] == ["rows of session"]
    assert slopes([each | {"rows of audit": 9.0 * number} for number, each in enumerate(flat)]) == []
    assert slopes([each | {"rows of rejection": 12.0 * number} for number, each in enumerate(flat)]) == []
    (found,) = slopes([each | {"rows of rejection": 20.0 * number} for number, each in enumerate(flat)])
    assert found.startswith("rows of rejection grew")
