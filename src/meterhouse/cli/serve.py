"""`meterhouse serve`: the whole server in this process."""

import asyncio
import ctypes
import gc
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Annotated, Final, cast

import typer
import uvicorn

from meterhouse.cli.address import url_of
from meterhouse.cli.greeting import greet
from meterhouse.cli.options import Data, load, sentences
from meterhouse.http.front.connection import Connection
from meterhouse.settings import Settings
from meterhouse.wiring import open_service

try:
    from uvloop import run
except ImportError:  # no build of it for this system or this Python; slower
    from asyncio import run  # type: ignore[assignment]

_M_ARENA_MAX: Final = -8  # malloc.h
_COLLECT_EVERY: Final = 10_000  # objects made and not yet let go
_BACKLOG: Final = 4096


def serve(
    data: Data = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Port to listen on; 0 takes a free one.")
    ] = None,
) -> None:
    """Serve until told to stop (SIGTERM or Ctrl-C). Everything it keeps is in the data directory."""
    settings = load(data=data, host=host, port=port)
    _share_arenas()
    os.umask(0o077)  # new files of the data directory are for this user alone
    with sentences(), closing(_listen(settings)) as listener:
        run(_serve(settings, listener))


async def _serve(settings: Settings, listener: socket.socket) -> None:
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
            backlog=_BACKLOG,
            http=cast("type[asyncio.Protocol]", partial(Connection, service.front)),
            ws="none",  # a connection refuses WebSocket itself
            timeout_graceful_shutdown=settings.shutdown_seconds,
        )
        host, port = listener.getsockname()[:2]
        url = settings.public_url or url_of(host, port)
        server = _Server(config, lambda: greet(settings, service, url))
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
    """Take the port, before anything is made in the data directory. Early connections wait for the start.

    Raises RuntimeError with a sentence: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)  # two sockets may be bound to one port, but only one may listen
    except (OSError, UnicodeError) as error:
        listener.close()
        why = getattr(error, "strerror", None) or "no such host"
        raise RuntimeError(
            f"Cannot listen on {settings.host}:{settings.port}: {why}. Choose another --host or --port, or "
            "stop the program that listens there."
        ) from None
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
