"""`http/front/connection.py` overrides parts of uvicorn: these are the ones that it was written for."""

import hashlib
import inspect
from collections.abc import Callable

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server

from meterhouse.http.front.connection import Connection

READ: dict[Callable[..., object], str] = {
    HttpToolsProtocol.__init__: "4f08999410347141",
    HttpToolsProtocol.connection_made: "6efb565ff3d36b91",
    HttpToolsProtocol.connection_lost: "c91a4c9bf2e29c55",
    HttpToolsProtocol.eof_received: "5652627579a02369",
    HttpToolsProtocol.data_received: "010a7ae59a5d3b1a",
    HttpToolsProtocol.on_message_begin: "96d377fdc7c2baef",
    HttpToolsProtocol.on_url: "37be44e962b04ca8",
    HttpToolsProtocol.on_header: "65d62c044f61fdbd",
    HttpToolsProtocol.on_headers_complete: "1ea8589acfad92d8",
    HttpToolsProtocol.on_body: "dba9c32aeba35b6a",
    HttpToolsProtocol.on_message_complete: "1fbad42dc31fc01f",
    HttpToolsProtocol.on_response_complete: "64e254f28e389e76",
    HttpToolsProtocol._should_upgrade: "8fcad1ab8e096739",
    HttpToolsProtocol._start_asgi_task: "9c08c2571ae9b038",
    HttpToolsProtocol.shutdown: "d7351fa33f00d430",
    RequestResponseCycle: "e67d470d435dcc1c",
    FlowControl: "126debcdaa894c83",
    Server.startup: "2aa1d70a244bfcf2",
    Server.shutdown: "9b33c50562992b1e",
}


@pytest.mark.parametrize("part", READ, ids=lambda part: part.__qualname__)
def test_a_part_of_uvicorn_is_the_one_that_was_read(part: Callable[..., object]) -> None:
    found = hashlib.sha256(inspect.getsource(part).encode()).hexdigest()[:16]
    assert found == READ[part], (
        f"uvicorn's {part.__qualname__} has changed: compare it with http/front/connection.py, then put "
        f"{found} here"
    )


def test_every_override_of_uvicorn_is_pinned() -> None:
    theirs = {name for name in vars(HttpToolsProtocol) if callable(getattr(HttpToolsProtocol, name))}
    overridden = theirs & {name for name in vars(Connection) if callable(getattr(Connection, name))}
    assert len(overridden) >= 6
    assert overridden <= {part.__qualname__.rpartition(".")[2] for part in READ}
