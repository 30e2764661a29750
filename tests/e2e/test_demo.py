"""`meterhouse demo` against a real server: stopped by counts, not by time."""

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterhouse.cli.simulation.sales import OFFERS
from tests.e2e.run import asking, run_here
from tests.e2e.server import COMMAND, Server, clean_environment
from tests.e2e.wait import until

FAST = ("--customers", "10", "--rate", "1")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("demo") / "data") as server:
        yield server


def sent(server: Server, key: str, *arguments: str) -> dict[str, int]:
    done = run_here("demo", *FAST, *arguments, environment=asking(server, key))
    assert done.status == 0, done.stderr
    words = ("sent", "stored", "there already", "refused")
    return {
        word: int(re.search(rf"([\d,]+) {word}", done.stdout)[1].replace(",", ""))  # type: ignore[index]
        for word in words
    }


def test_history_is_sent_and_every_event_accounted_for(server: Server) -> None:
    key = server.key()
    counts = sent(server, key, "--backfill-days", "2", "--events", "4000")
    assert counts["sent"] == 4_000
    assert counts["stored"] + counts["there already"] + counts["refused"] == 4_000
    assert counts["there already"], "some are sent twice"
    assert counts["refused"], "some are bad"
    with server.client(key) as client:
        total = client.get("/v1/ingest").json()["total"]
        assert total["rejected"] == counts["refused"]
        assert set(total["codes"]) <= {"customer_not_found", "product_not_found", "validation_failed"}

        def seen() -> set[str]:
            answer = client.get("/v1/usage", params={"groupBy": "type"}).json()
            return {series["group"]["type"] for series in answer["series"]}

        wanted = {"usage.api_call", "usage.token", "usage.document_generated", "usage.storage"}
        until(lambda: seen() == wanted, "every type is seen")

        def stored() -> int:
            return int(client.get("/v1/usage", params={"aggregate": "count"}).json()["total"])

        until(lambda: stored() == counts["stored"], "every event is counted")


def test_the_company_sells_plans_and_its_customers_use_them(server: Server) -> None:
    key = server.key()
    sent(server, key, "--events", "5", "--rate", "50")
    with server.client(key) as client:
        products = client.get("/v1/sdk/products").json()["products"]
        plans = {plan["reference"] for product in products for plan in product["plans"]}
        assert plans >= {offer.ref for offer in OFFERS}
        purchases = client.get("/v1/sdk/purchases").json()["purchases"]
        by_plan = {each["planRef"] for each in purchases}
        assert by_plan >= {"pln_demo_free", "pln_demo_pro", "pln_demo_team"}
        assert {each["status"] for each in purchases} <= {"active", "trialing"}
        assert sum(each["usage"]["used"] for each in purchases) > 0
        customers = client.get("/v1/customers", params={"limit": 100}).json()["customers"]
        credits_before = {each["reference"]: each["credits"] for each in customers}
        assert sum(credits_before.values()) > 0
    sent(server, key, "--events", "5", "--rate", "50")
    with server.client(key) as client:
        again = client.get("/v1/sdk/purchases").json()["purchases"]
        assert len(again) == len(purchases), "a second run sells nothing twice"
        customers = client.get("/v1/customers", params={"limit": 100}).json()["customers"]
        assert all(each["credits"] <= credits_before[each["reference"]] for each in customers)


def test_the_same_history_again_counts_once(server: Server) -> None:
    key = server.key("live")
    first = sent(server, key, "--backfill-days", "1", "--events", "1000", "--seed", "7")
    again = sent(server, key, "--backfill-days", "1", "--events", "1000", "--seed", "7")
    assert again["stored"] < first["stored"] / 4, "but for what happened between the two starts"


@pytest.mark.parametrize("ask", [signal.SIGINT, signal.SIGTERM])
def test_it_goes_on_live_and_is_stopped_politely(server: Server, ask: signal.Signals) -> None:
    key = server.key()
    process = subprocess.Popen(
        [*COMMAND, "demo", "--customers", "5", "--rate", "200", "--seed", "9"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment() | asking(server, key),
    )
    with server.client(key) as client:
        before = client.get("/v1/ingest").json()["total"]["received"]
        until(
            lambda: client.get("/v1/ingest").json()["total"]["received"] > before + 20, "live events come in"
        )
        (newest,) = client.get("/v1/events", params={"order": "received", "limit": "1"}).json()["events"]
        assert newest["idempotencyKey"].startswith("demo-")
    process.send_signal(ask)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert b"Traceback" not in err
    assert re.search(rb"\d+ sent, \d+ stored", out)


def test_without_a_server_it_says_so(tmp_path: Path) -> None:
    done = run_here("demo", "--url", "http://127.0.0.1:9", "--api-key", "sk_sandbox_x")
    assert done.status == 1
    assert "No answer from the server" in done.stderr
