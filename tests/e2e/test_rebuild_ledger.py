"""Promise 8 for the ledger: `meterhouse rebuild --ledger`, and what a start makes again by itself."""

import shutil
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.server import Server, command

CUSTOMER, PRODUCT = "cus_3C4D5E6F", "prd_content_api"
ASKED = {"customerRef": CUSTOMER, "productRef": PRODUCT}


def post(client: httpx.Client, path: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def live_a_little(client: httpx.Client) -> str:
    """Buy, use, hold, settle and grant; return the purchase's ref."""
    terms = {"name": "Pay as you go", "type": "usage-based", "creditsPerUnit": 3}
    plan = post(client, f"/v1/sdk/products/{PRODUCT}/plans", terms, 201)["reference"]
    post(client, f"/v1/sdk/customers/{CUSTOMER}/credits", {"credits": 1_000})
    expiring = {"credits": 40, "expiresAt": "2099-01-01T00:00:00Z"}
    post(client, f"/v1/sdk/customers/{CUSTOMER}/credits", expiring)
    bought = post(client, "/v1/sdk/activate", ASKED | {"planRef": plan})["purchaseRef"]
    for units in range(20):
        post(client, "/v1/sdk/usages", ASKED | {"units": units, "idempotencyKey": f"k{units}"})
    for units in (5, 7, 9):
        hold = post(client, "/v1/sdk/limits", ASKED | {"reserve": {"units": units, "ttlSeconds": 3600}})
        if units != 9:
            post(client, f"/v1/sdk/holds/{hold['holdRef']}/settle", {"units": units - 0.5})
    return str(bought)


def told(client: httpx.Client, purchase: str) -> list[Any]:
    return [
        client.get(f"/v1/sdk/purchases/{purchase}").json()["usage"],
        client.get(f"/v1/sdk/customers/{CUSTOMER}/balance").json(),
        client.get(f"/v1/customers/{CUSTOMER}/credits").json(),
        client.post("/v1/sdk/limits", json=ASKED).json(),
    ]


def test_the_ledger_is_made_again_from_the_log_and_is_the_same(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server(data) as server:
        key = server.key()
        with server.client(key) as client:
            purchase = live_a_little(client)
            before = told(client, purchase)
        server.kill()  # what the ledger had in memory alone is lost
        printed = command("rebuild", "--ledger", "--data", data)
        assert printed.startswith("The ledger is made again: ")
        assert "all is as it was" in printed
        server.start()
        with server.client(key) as client:
            assert told(client, purchase) == before
        server.stop()
        shutil.rmtree(data / "ledger")  # as after restoring a backup, which is meterhouse.db alone
        server.start()
        with server.client(key) as client:
            assert told(client, purchase) == before


def test_a_hold_outlives_kill_9_and_is_settled_once(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        key = server.key()
        with server.client(key) as client:
            purchase = live_a_little(client)
            wanted = {"units": 10, "ttlSeconds": 3600, "idempotencyKey": "h"}
            hold = post(client, "/v1/sdk/limits", ASKED | {"reserve": wanted})
        server.kill()
        server.start()
        with server.client(key) as client:
            assert post(client, "/v1/sdk/limits", ASKED | {"reserve": wanted}) == hold
            url = f"/v1/sdk/holds/{hold['holdRef']}/settle"
            done = post(client, url, {"units": 8, "idempotencyKey": "s"})
            used = client.get(f"/v1/sdk/purchases/{purchase}").json()["usage"]["used"]
        server.kill()
        server.start()
        with server.client(key) as client:
            assert post(client, url, {"units": 8, "idempotencyKey": "s"}) == done
            assert client.get(f"/v1/sdk/purchases/{purchase}").json()["usage"]["used"] == used
