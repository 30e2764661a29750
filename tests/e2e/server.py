"""A real server in a process of its own, on a free port of 127.0.0.1."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.e2e.wait import until

COMMAND = (sys.executable, "-m", "meterhouse")
START_SECONDS = 60
_LISTENING = re.compile(r"http://127\.0\.0\.1:(\d+)")


def command(*arguments: str | Path, environment: dict[str, str] | None = None) -> str:
    """Run `meterhouse …` to its end and return what it printed on stdout."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        env=clean_environment() | (environment or {}),
    )
    return done.stdout


def clean_environment() -> dict[str, str]:
    """The environment without settings of the shell the tests run in."""
    return {
        name: text for name, text in os.environ.items() if not name.startswith(("METERHOUSE_", "SOLVAPAY_"))
    }


class Server:
    """`meterhouse serve` on a data directory; may be killed and started again.

    under: a command to run it under, such as strace. program: another one than `meterhouse`.
    """

    def __init__(
        self,
        data: Path,
        *,
        under: Sequence[str] = (),
        program: Sequence[str] = COMMAND,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.data = data
        self._under = under
        self._program = program
        self._environment = clean_environment() | (environment or {})
        self._port = 0  # a free one at first, the same one at every later start
        self.url = ""
        self.printed: list[str] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.kill()

    def start(self) -> None:
        """Return once it accepts connections."""
        self.printed = []
        self.process = subprocess.Popen(
            [*self._under, *self._program, "serve", "--data", str(self.data), "--port", str(self._port)],
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        listening = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(listening,), daemon=True)
        self._reader.start()
        if not listening.wait(START_SECONDS) or not self.url:
            self.process.kill()
            raise RuntimeError(f"The server did not start; it printed: {self.printed}")

    def printed_until(self, text: str) -> str:
        """Return the lines printed so far, once one of them has `text` in it."""
        until(lambda: any(text in line for line in self.printed), f"the server prints {text!r}")
        return "".join(self.printed)

    def _read(self, listening: threading.Event) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed.append(line)
            if not listening.is_set() and (found := _LISTENING.search(line)):
                self._port = int(found[1])
                self.url = f"http://127.0.0.1:{found[1]}"
                listening.set()
        self.process.stdout.close()
        listening.set()  # it ended

    def kill(self) -> None:
        """As a power cut would: no warning, no clean-up."""
        self._signal(signal.SIGKILL)
        self.process.wait(30)
        self._reader.join(30)

    def stop(self) -> int:
        """Ask it to end, as an operator's service manager does; return its exit status."""
        self._signal(signal.SIGTERM)
        status = self.process.wait(30)
        self._reader.join(30)
        return status

    def _signal(self, number: signal.Signals) -> None:
        """Signal the server itself where it runs under another command."""
        pid = self.process.pid
        if self._under:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
            pid = int(children[0]) if children else pid
        os.kill(pid, number)

    def first_start(self) -> str:
        """Return the text that the first start left in the data directory: the key, a link, a `curl` line."""
        return (self.data / "first-start.txt").read_text(encoding="utf-8")

    def key(self, environment: str = "sandbox") -> str:
        return command("key", "create", "--data", self.data, "--environment", environment).strip()

    def client(self, key: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
