"""Routes about the server itself: health, readiness, metrics, and the description of the API."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from importlib.resources import files
from typing import Final

from litestar import Response
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from meterhouse import telemetry

Ready = Callable[[], Awaitable[None]]
"""Raises Unavailable, naming the part, while the server cannot store or answer."""

_METRICS_TYPE: Final = CONTENT_TYPE_LATEST.partition("; charset")[0]  # the framework adds it
_PAGE: Final = (files(__package__) / "docs.html").read_text()


class Status(Struct):
    status: str


class ServiceRoutes:
    """document: makes the OpenAPI document as JSON. It is called once, in a thread: it takes about 0.4 s."""

    def __init__(self, ready: Ready, document: Callable[[], bytes]) -> None:
        self._ready = ready
        self._document = document
        self._described: asyncio.Task[bytes] | None = None

    async def health(self) -> Status:
        """Answer 200 while the process runs."""
        return Status("ok")

    async def ready(self) -> Status:
        """Answer 200 while events can be stored and queries answered. A 503 names the part that fails."""
        await self._ready()
        return Status("ready")

    async def metrics(self) -> Response[bytes]:
        """Metrics for Prometheus."""
        return Response(generate_latest(telemetry.registry), media_type=_METRICS_TYPE)

    async def openapi(self) -> Response[bytes]:
        """Describe the API as an OpenAPI 3.1 document."""
        if self._described is None:
            self._described = asyncio.create_task(asyncio.to_thread(self._document))
        return Response(await asyncio.shield(self._described), media_type="application/json")

    async def docs(self) -> Response[str]:
        """Show the OpenAPI document as a page."""
        return Response(_PAGE, media_type="text/html", headers=_PAGE_HEADERS)


def _policy(page: str) -> str:
    """Allow the page's own script and style, and nothing from anywhere else."""
    script, style = (_source(page, tag) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _source(page: str, tag: str) -> str:
    text = page.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


_PAGE_HEADERS: Final = {"content-security-policy": _policy(_PAGE), "referrer-policy": "no-referrer"}
