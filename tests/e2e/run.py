"""Running a command of `meterhouse` to its end, whatever its exit status."""

import os
import subprocess
from pathlib import Path

from msgspec import Struct
from typer.testing import CliRunner

from meterhouse.cli import command_line
from tests.e2e.server import COMMAND, Server, clean_environment

LONGEST_SECONDS = 300


class Done(Struct):
    """What a command printed, and how it ended."""

    status: int
    stdout: str
    stderr: str


def run(
    *arguments: str | Path, environment: dict[str, str] | None = None, stdin: bytes | None = None
) -> Done:
    """Run it in a process of its own, without a terminal. Asserts that it ended without a traceback."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        input=stdin,
        timeout=LONGEST_SECONDS,
        check=False,
        env=clean_environment() | {"COLUMNS": "120"} | (environment or {}),
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err, err
    return Done(done.returncode, out, err)


def run_here(*arguments: str | Path, environment: dict[str, str] | None = None) -> Done:
    """Run it in this process, which saves the time a process takes to start."""
    forgotten = dict.fromkeys(os.environ.keys() - clean_environment().keys())
    runner = CliRunner(env=forgotten | {"COLUMNS": "120"} | (environment or {}))
    done = runner.invoke(command_line(str(arguments[0])), [str(each) for each in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.exit_code, done.stdout, done.stderr)


def asking(server: Server, key: str) -> dict[str, str]:
    """The environment of a command that asks a server."""
    return {"METERHOUSE_URL": server.url, "METERHOUSE_API_KEY": key}
