"""The first start shows its key once, to the person who started the server, and never to a log."""

import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from meterhouse.model.errors import CustomerNotFound, MethodNotAllowed
from tests.e2e.run import run
from tests.e2e.server import COMMAND, Server, clean_environment

_KEY = re.compile(r"\bsk_sandbox_\w+")
_LINK = re.compile(r"http://\S+/#sign-in=\S+")


@contextmanager
def taken_port() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        yield taken.getsockname()[1]


def test_a_busy_port_leaves_no_directory_behind(tmp_path: Path) -> None:
    with taken_port() as port:
        done = run("serve", "--data", tmp_path / "data", "--port", str(port))
    assert (done.status, done.stdout) == (1, "")
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_start_that_fails_leaves_no_key_that_nobody_saw(tmp_path: Path) -> None:
    data = tmp_path / "data"
    half = {"METERHOUSE_STRIPE_SECRET_KEY": "sk_test_1"}
    refused = run("serve", "--data", data, "--port", "0", environment=half)
    assert refused.status == 1
    assert "METERHOUSE_STRIPE_PUBLISHABLE_KEY" in refused.stderr
    with Server(data) as server:
        assert len(set(_KEY.findall(server.first_start()))) == 1


def test_a_log_gets_no_secret_and_the_file_of_the_first_start_is_closed_to_others(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        path = server.data / "first-start.txt"
        printed = server.printed_until(str(path))
        assert not _KEY.search(printed)
        assert "sign-in" not in printed.replace("sign-in link", "")
        assert path.stat().st_mode & 0o777 == 0o600
        said = server.first_start()
        (key,) = set(_KEY.findall(said))
        assert len(_LINK.findall(said)) == 1
        with server.client(key) as client:
            assert client.get("/v1/usage").status_code == 200
        path.unlink()
        server.stop()
        server.start()
        printed = server.printed_until("key create")
        assert f"login --data {server.data}" in printed
        assert not _KEY.search(printed)
        assert "#sign-in=" not in printed
        assert not path.exists()


def test_a_terminal_gets_key_and_link_and_no_file_is_written(tmp_path: Path) -> None:
    data = tmp_path / "data"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "serve", "--data", str(data), "--port", "0"], stdout=theirs, env=clean_environment()
    )
    os.close(theirs)
    try:
        with os.fdopen(ours, encoding="utf-8") as terminal:
            printed = ""
            while "curl " not in printed:
                printed += terminal.readline()
    finally:
        process.kill()
        process.wait(30)
    assert len(set(_KEY.findall(printed))) == 1
    assert len(_LINK.findall(printed)) == 1
    assert not (data / "first-start.txt").exists()


def without(module: str) -> list[str]:
    """`meterhouse` in a Python that has no such module, no docstrings and no assertions."""
    program = f"import sys; sys.modules[{module!r}] = None; from meterhouse.cli import main; main()"
    return [sys.executable, "-OO", "-c", program]


def test_a_python_without_uvloop_and_docstrings_serves(tmp_path: Path) -> None:
    with Server(tmp_path / "data", program=without("uvloop")) as server:
        event = {"type": "usage.api_call", "customerRef": "cus_3C4D5E6F", "units": 1}
        with server.client(server.key()) as client:
            assert client.post("/v1/sdk/events", json=event).status_code == 201
            unknown = client.post("/v1/sdk/events", json=event | {"customerRef": "cus_nobody"}).json()
            assert unknown["message"] == CustomerNotFound.named("cus_nobody").args[0]
            assert client.delete("/v1/usage").json()["message"] == MethodNotAllowed.sentence
        assert server.stop() == 0


def test_a_system_without_flock_is_told_which_systems_serve(tmp_path: Path) -> None:
    done = subprocess.run(
        [*without("fcntl"), "serve", "--data", str(tmp_path / "data"), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=clean_environment(),
    )
    assert done.returncode == 1
    assert done.stderr.startswith("meterhouse: Meterhouse runs on Linux and macOS.")
    assert not (tmp_path / "data").exists()
