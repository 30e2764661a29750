"""Addresses of hosted pages."""

from collections.abc import Mapping

from meterhouse.model.hosted import HostedKind

_PATHS = {HostedKind.CHECKOUT: "/checkout", HostedKind.CUSTOMER: "/customer"}


class Addresses:
    """public_url: where browsers reach the server; empty: where the request came to."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url

    def of(self, kind: HostedKind, session_id: str, headers: Mapping[bytes, bytes]) -> str:
        base = self._public_url or f"http://{headers.get(b'host', b'127.0.0.1').decode('latin-1')}"
        return f"{base}{_PATHS[kind]}?id={session_id}"
