"""`meterhouse serve`: the whole server in this process."""

import asyncio
import ctypes
import gc
import shutil
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final

import typer
import uvicorn
import uvloop

from meterhouse import telemetry
from meterhouse.cli.address import note_url, url_of
from meterhouse.cli.login import new_link
from meterhouse.cli.options import Data, load, sentences
from meterhouse.model.errors import Unavailable
from meterhouse.settings import Settings
from meterhouse.wiring import Service, open_service

_M_ARENA_MAX: Final = -8  # malloc.h
_COLLECT_EVERY: Final = 10_000  # objects made and not yet let go


def serve(
    data: Data = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
) -> None:
    """Serve until told to stop (SIGTERM or Ctrl-C). Everything it keeps is in the data directory."""
    settings = load(data=str(data) if data else None, host=host, port=port)
    telemetry.configure_logs(as_json=settings.log_json)
    _share_arenas()
    with sentences():
        uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    async with open_service(settings) as service:
        config = uvicorn.Config(
            service.app,
            host=settings.host,
            port=settings.port,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,  # the framework's part is wrapped for them; the hot routes need none
            backlog=4096,
            timeout_graceful_shutdown=settings.shutdown_seconds,
        )
        listener = _listen(settings)
        host, port = listener.getsockname()[:2]
        url = settings.public_url or url_of(host, port)
        server = _Server(config, lambda: _greet(settings, service, url))
        with _collector_spared():
            await server.serve(sockets=[listener])


def _share_arenas() -> None:
    """Let glibc's allocator keep two arenas, not one for each thread: 30 MB less after 10 M events."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


@contextmanager
def _collector_spared() -> Iterator[None]:
    """Keep what was loaded at start out of the garbage collector's sight, and let it look less often:
    walking all of it took 35 ms, in which nobody was answered."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY, 20, 20)
    try:
        yield
    finally:
        gc.unfreeze()


def _listen(settings: Settings) -> socket.socket:
    """Raises RuntimeError with a sentence: the port is taken, or the address is not this machine's."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise RuntimeError(f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.") from None
    return listener


class _Server(uvicorn.Server):
    """Calls back once it accepts connections, and ends with status 0 when it is told to stop."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await self._listening()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, without sending the signal on to this process at the end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


async def _greet(settings: Settings, service: Service, url: str) -> None:
    """Print where the server is, how to look into it, and how to send it a first event."""
    for line in _greeting(Path(settings.data), service, url, await _link(settings, service, url)):
        typer.echo(line)


async def _link(settings: Settings, service: Service, url: str) -> str:
    """Return a sign-in link; where the disk refuses, serving goes on without one."""
    try:
        note_url(Path(settings.data), url)
        return await new_link(service.catalog.sessions, "default", url, "serve")
    except (Unavailable, OSError) as error:
        return f"(none now: {error})"


def _greeting(data: Path, service: Service, url: str, link: str) -> Iterator[str]:
    yield f"Meterhouse serves {data.absolute()} on {url}"
    program = _program()
    yield (
        "Open the dashboard (the link signs in once, within 15 minutes; "
        f"`{program} login --data {data}` prints another):"
    )
    yield f"  {link}"
    first = service.first_start
    if first is None:
        yield f"A new API key: {program} key create --data {data} --environment sandbox"
        return
    yield f"Your sandbox key, shown this once: {first.secret}"
    yield "Publish a first event:"
    body = f'{{"type":"usage.api_call","customerRef":"{first.customer_ref}","units":1}}'
    yield (
        f"  curl {url}/v1/sdk/events -H 'Authorization: Bearer {first.secret}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )


def _program() -> str:
    """Return what to type here for `meterhouse`: `make serve` installs it outside the PATH."""
    started = Path(sys.argv[0])
    found = shutil.which("meterhouse")
    on_path = found is not None and Path(found).resolve() == started.resolve()
    return str(started) if started.name == "meterhouse" and not on_path else "meterhouse"
