"""The lines that `serve` prints once it answers. Secrets go to a terminal or to a file, never into a log."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import typer

from meterhouse.cli.address import note_url
from meterhouse.cli.login import new_link
from meterhouse.model.errors import Unavailable
from meterhouse.settings import Settings
from meterhouse.wiring import Service

FIRST_START_FILE: Final = "first-start.txt"


async def greet(settings: Settings, service: Service, url: str) -> None:
    """Print where the server answers, and how to look into it and send a first event.

    On a terminal that includes a sign-in link and, at the first start, the key. Elsewhere stdout may be a
    log: the first start writes both to FIRST_START_FILE in the data directory, for this user alone.
    """
    data = _directory(settings)
    noted = _noted(data, url)
    if sys.stdout is not None and sys.stdout.isatty():
        lines = [*_dashboard(data, await _link(service, url)), *_key(data, service, url)]
    elif service.first_start is None:
        lines = [f"A link into the dashboard: {_command('login', data)}", _new_key(data)]
    else:
        secrets = [*_dashboard(data, await _link(service, url)), *_key(data, service, url)]
        lines = list(_kept(data, secrets))
    for line in (f"Meterhouse serves {data} on {url}", *noted, *service.healing, *lines):
        typer.echo(line)


def _directory(settings: Settings) -> Path:
    return Path(settings.data).absolute()


def _noted(data: Path, url: str) -> Iterator[str]:
    try:
        note_url(data, url)
    except OSError as error:
        yield f"The address could not be noted in {data} ({error.strerror}); `login` may print another one."


async def _link(service: Service, url: str) -> str:
    """Return a sign-in link; where the disk refuses, serving goes on without one."""
    try:
        return await new_link(service.catalog.sessions, "default", url, "serve")
    except Unavailable as error:
        return f"(none now: {error})"


def _dashboard(data: Path, link: str) -> Iterator[str]:
    yield (
        "Open the dashboard (the link signs in once, within 15 minutes; "
        f"`{_command('login', data)}` prints another):"
    )
    yield f"  {link}"


def _key(data: Path, service: Service, url: str) -> Iterator[str]:
    first = service.first_start
    if first is None:
        yield _new_key(data)
        return
    yield f"Your sandbox key, shown this once: {first.secret}"
    yield "Publish a first event:"
    body = f'{{"type":"usage.api_call","customerRef":"{first.customer_ref}","units":1}}'
    yield (
        f"  curl {url}/v1/sdk/events -H 'Authorization: Bearer {first.secret}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )


def _new_key(data: Path) -> str:
    return f"A new API key: {_command('key create', data)} --environment sandbox"


def _kept(data: Path, secrets: list[str]) -> Iterator[str]:
    """Write the secrets to their file, and yield the lines that name it."""
    path = data / FIRST_START_FILE
    try:
        path.unlink(missing_ok=True)
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write("\n".join([*secrets, "Keep the key somewhere safe, then delete this file.", ""]))
    except OSError as error:
        yield f"The first key could not be written to {path}: {error.strerror}."
        yield _new_key(data)
        return
    yield f"The first key and a sign-in link are in {path}, which only this user may read."


def _command(name: str, data: Path) -> str:
    return f"{_program()} {name} --data {shlex.quote(str(data))}"


def _program() -> str:
    """Return the text to type here for `meterhouse`: `make serve` installs it outside the PATH."""
    started = Path(sys.argv[0])
    found = shutil.which("meterhouse")
    on_path = found is not None and Path(found).resolve() == started.resolve()
    return shlex.quote(str(started)) if started.name == "meterhouse" and not on_path else "meterhouse"
