"""A row of the route table: one operation, the credential it needs, and the code that answers it."""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any, Final

from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.handlers import route as framework_route
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Operation
from msgspec import Struct

from meterhouse.model.tenant import Rights

Handler = Callable[..., Any]  # Any: the framework calls handlers with the arguments that they name

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"


class Credential(Enum):
    """The credential that a request must carry."""

    KEY = auto()
    """An API key; or a session, with the environment in the query."""
    SESSION = auto()
    """A session. A key is not accepted."""
    LINK = auto()
    """A secret in the request itself: the id of a hosted session, or the client secret of a payment."""
    NONE = auto()
    """Nothing."""


class Hot(Struct, frozen=True):
    """The types of a route that bypasses the framework, for /openapi.json.

    bodies: media type and decoded type of each body it accepts. answer: the type of its answer.
    also: further statuses with the same answer, and when they are sent.
    """

    bodies: Sequence[tuple[str, type[Struct]]]
    answer: type[Struct]
    also: Sequence[tuple[int, str]] = ()


class Route(Struct, frozen=True):
    """One operation of the HTTP API. `GET` answers `HEAD` too (see `Edge`).

    path: as the framework writes it, `/v1/events/{event_id:str}`. operation: its OpenAPI operationId.
    status: of a success. errors: statuses besides those that the credential, the path and the method imply.
    hot: set where the connection answers without the framework. parameters: describes the query string
    where the handler reads it itself. right: the rights that a key needs; None: `read` of a GET, else `full`.
    answers: describes answers that have no return type.
    """

    method: str
    path: str
    operation: str
    handler: Handler
    status: int = 200
    credential: Credential = Credential.KEY
    errors: Sequence[int] = ()
    hot: Hot | None = None
    parameters: type[Operation] = Operation
    answers: dict[int, ResponseSpec] | None = None
    media_type: str | None = None
    in_schema: bool = True
    right: Rights | None = None

    @property
    def needs(self) -> Rights:
        return self.right or (Rights.READ if self.method == "GET" else Rights.FULL)

    @property
    def template(self) -> str:
        """The path without types, as /openapi.json and the metrics name it."""
        return self.path.replace(":str}", "}")


def framework_routes(table: Sequence[Route]) -> list[HTTPRouteHandler]:
    """Return new framework handlers for every route that is not hot."""
    return [
        framework_route(
            route.path,
            http_method=HttpMethod(route.method),
            operation_id=route.operation,
            operation_class=route.parameters,
            status_code=route.status,
            responses=route.answers,
            media_type=route.media_type,
            include_in_schema=route.in_schema,
            opt={CREDENTIAL: route.credential, NEEDS: route.needs},
        )(route.handler)
        for route in table
        if route.hot is None
    ]


CREDENTIAL: Final = "credential"
"""Under this name a framework handler keeps its route's `Credential`."""
NEEDS: Final = "needs"
"""Under this name it keeps the rights that a key needs."""
