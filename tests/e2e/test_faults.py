"""The disk fills, the service is stopped, a file rots, two servers start at once."""

import resource
import socket
import subprocess
import uuid
from pathlib import Path

import httpx
import pytest

from meterhouse.model.errors import LogUnavailable
from tests.e2e.server import COMMAND, Server, clean_environment
from tests.e2e.wait import until

EVENT = {"type": "usage.api_call", "customerRef": "cus_3C4D5E6F", "units": 1}


def total(client: httpx.Client) -> object:
    answer = client.get("/v1/usage", params={"aggregate": "count"})
    return answer.json()["total"] if answer.status_code == 200 else answer.json()["code"]


def test_a_full_disk_is_503_loses_nothing_and_heals_without_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server(data) as server, server.client(server.key()) as client:
        client.post("/v1/sdk/events", json=EVENT).raise_for_status()
        until(lambda: total(client) == 1, "the first event is seen")
        pid = server.process.pid
        # The kernel refuses growth past this, for every file of the server, as a full disk does.
        limit = max(file.stat().st_size for file in data.rglob("*") if file.is_file()) + 100_000
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        acknowledged: list[str] = []
        events: list[dict[str, object]] = []
        refused = httpx.Response(200)
        for _ in range(200):
            keys = [str(uuid.uuid4()) for _ in range(500)]
            events = [EVENT | {"idempotencyKey": key} for key in keys]
            refused = client.post("/v1/sdk/events/bulk", json={"events": events})
            if refused.status_code != 200:
                break
            acknowledged += keys
        assert refused.status_code == 503
        assert refused.json()["code"] == "log_unavailable"
        assert refused.json()["message"] == LogUnavailable.sentence, "it tells no path and no store's text"
        assert refused.headers["retry-after"].isdigit()
        # What is smaller may still fit: each look writes the least there is, until not even that does.
        until(lambda: client.get("/ready").status_code == 503, "nothing fits any more")
        assert client.post("/v1/sdk/events", json=EVENT).status_code == 503

        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        assert client.post("/v1/sdk/events", json=EVENT).status_code == 201
        again = client.post("/v1/sdk/events/bulk", json={"events": events}).json()
        assert again["stored"] == 500, "what was refused had not been stored"
        for start in range(0, len(acknowledged), 500):
            part = [EVENT | {"idempotencyKey": key} for key in acknowledged[start : start + 500]]
            assert client.post("/v1/sdk/events/bulk", json={"events": part}).json()["duplicates"] == len(part)
        until(lambda: total(client) == 2 + len(acknowledged) + 500, "the warehouse has them all")
        until(lambda: client.get("/ready").status_code == 200, "it is ready again", 5)


def test_sigterm_answers_what_is_in_flight_and_exits_0(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        key = server.key()
        host, port = server.url.removeprefix("http://").split(":")
        body = b'{"type":"usage.api_call","customerRef":"cus_3C4D5E6F","units":1}'
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(
                b"POST /v1/sdk/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % (key.encode(), len(body))
            )
            assert b"100 Continue" in connection.recv(1000), "the request is in flight"
            server.process.terminate()
            until(lambda: not accepts(server.url), "the server takes no new connections")
            connection.sendall(body)
            assert b"201 Created" in connection.recv(10_000)
        assert server.process.wait(10) == 0


def accepts(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def test_a_second_server_on_the_same_directory_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with Server(tmp_path / "data"):
        second = subprocess.run(
            [*COMMAND, "serve", "--data", str(tmp_path / "data"), "--port", "0"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=clean_environment(),
        )
    assert second.returncode == 1
    assert second.stderr.startswith("meterhouse: Another Meterhouse serves ")
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    "damage", ["garbage at the front", "garbage in the middle", "cut in half", "emptied"]
)
def test_a_damaged_warehouse_is_rebuilt_while_events_come_in(tmp_path: Path, damage: str) -> None:
    data = tmp_path / "data"
    with Server(data) as server:
        key = server.key()
        with server.client(key) as client:
            client.post("/v1/sdk/events/bulk", json={"events": [EVENT] * 5000}).raise_for_status()
            until(lambda: total(client) == 5000, "the events are seen")
        assert server.stop() == 0
        harm(data / "warehouse.duckdb", damage)
        server.start()
        with server.client(key) as client:
            assert client.post("/v1/sdk/events", json=EVENT).status_code == 201
            until(lambda: total(client) == 5001, "the warehouse is whole again")


def harm(path: Path, damage: str) -> None:
    whole = bytearray(path.read_bytes())
    match damage:
        case "garbage at the front":
            whole[:4096] = bytes(range(256)) * 16
        case "garbage in the middle":
            third = len(whole) // 3
            whole[third : 2 * third] = b"\xa5" * third
        case "cut in half":
            del whole[len(whole) // 2 :]
        case "emptied":
            whole.clear()
    path.write_bytes(whole)
