"""Files of the dashboard and the hosted pages, from memory. They may load and ask nothing but this server."""

import gzip
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Any, Final

from litestar import Request, Response
from msgspec import Struct

AnyRequest = Request[Any, Any, Any]  # Any: the framework's user, auth and state, unused

_PREFIX: Final = "/dashboard"
_PAGES: Final = {
    "index.html": "/",
    "hosted/checkout.html": "/checkout",
    "hosted/customer.html": "/customer",
}
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "vary": "accept-encoding",
    "x-content-type-options": "nosniff",
}
_ALWAYS_ASK: Final = "no-cache"
_FOR_EVER: Final = "public, max-age=31536000, immutable"  # vendored: the version is in the path


class _File(Struct, frozen=True):
    plain: bytes
    packed: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, path: PurePosixPath, plain: bytes) -> "_File":
        headers = _HEADERS | {
            "content-type": _TYPES[path.suffix],
            "cache-control": _FOR_EVER if "@" in str(path) else _ALWAYS_ASK,
            "etag": f'W/"{sha256(plain).hexdigest()[:32]}"',
        }
        return cls(plain, gzip.compress(plain, mtime=0), headers)


class DashboardRoutes:
    """Reads every file once."""

    def __init__(self) -> None:
        static = files("meterhouse.dashboard") / "static"
        self._files = {
            _PAGES.get(str(path), f"{_PREFIX}/{path}"): _File.of(path, file.read_bytes())
            for path, file in _walk(static, PurePosixPath())
        }

    @property
    def paths(self) -> list[str]:
        return list(self._files)

    async def file(self, request: AnyRequest) -> Response[bytes]:
        """Return a file, or 304 where the browser has it."""
        file = self._files[request.scope["path"]]
        headers = dict(request.scope["headers"])
        if file.headers["etag"].encode() in _listed(headers.get(b"if-none-match", b"")):
            return Response(b"", status_code=304, headers=file.headers)
        if b"gzip" in headers.get(b"accept-encoding", b""):
            return Response(file.packed, headers=file.headers | {"content-encoding": "gzip"})
        return Response(file.plain, headers=file.headers)


def _walk(directory: Traversable, at: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in directory.iterdir():
        path = at / entry.name
        if entry.is_dir():
            yield from _walk(entry, path)
        elif path.suffix in _TYPES:
            yield path, entry


def _listed(header: bytes) -> set[bytes]:
    return {tag.strip() for tag in header.split(b",")}
