"""/openapi.json: the framework's description of its routes, and the hot routes from their own structs."""

from collections.abc import Sequence
from http import HTTPStatus
from types import GenericAlias
from typing import Annotated, Any, Final, get_type_hints

import msgspec
from litestar import Litestar, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from msgspec import Meta, Struct

from meterhouse import __version__
from meterhouse.http import access, cookies
from meterhouse.http.problems import Problem
from meterhouse.ingest.body import EventBody
from meterhouse.ingest.decode import BulkBody
from meterhouse.model.errors import FieldError
from meterhouse.model.once import MAX_KEY
from meterhouse.model.tenant import Environment
from meterhouse.model.units import MAX_UNITS, PLACES

Json = dict[str, Any]  # Any: JSON Schema

_JSON: Final = "application/json"
_REF: Final = "#/components/schemas/{name}"
_DESCRIPTION: Final = "Usage events and metering: every event stored durably, counted once, seen at once."
_NDJSON: Final = "application/x-ndjson"
_EXACT: Final = Meta(ge=0, le=MAX_UNITS, description=f"Exact, at most {PLACES} decimals.")
_ENVIRONMENT: Final = "With a session it must be named. A key has its own, and no other may be named."
_OBJECT: Final = {"type": "object", "additionalProperties": True}
_AMOUNTS: Final = {"units", "total", "value", "duration"}
_RAW: Final[Sequence[Json]] = ({}, {"oneOf": [{}]})  # the second may be left out
_AMOUNT: Final = {"type": ["number", "string", "null"], "description": "A string with numbers=string."}
# What the types cannot say, since one answer names every fault: the checks require it, not the decoder.
_REQUIRED: Final = {
    "EventBody": ["type", "customerRef", "units"],
    "BulkBody": ["events"],
    "NewCustomer": ["email"],
    "NewProduct": ["name"],
    "NewMeter": ["name"],
}
_SESSION: Final = "/v1/session"
_FINDS: Final = {"findCustomer", "publishEvent", "getMerchant"}  # 404 though no ref is in the path


class PublishedEvent(Struct, rename="camel", omit_defaults=True):
    """duplicate: the event was stored by an earlier request with this idempotency key."""

    event_id: str
    duplicate: bool = False


class BulkResult(Struct, rename="camel", omit_defaults=True):
    """status: stored, duplicate or rejected. code, errors: why it was rejected."""

    status: str
    event_id: str | None = None
    code: str | None = None
    errors: tuple[FieldError, ...] | None = None


class BulkAnswer(Struct):
    """results: one for each event, in the order of the request."""

    stored: int
    duplicates: int
    rejected: int
    results: list[BulkResult]


async def publish_event() -> PublishedEvent:
    """Publish one usage event; 200 where the idempotency key's event is stored already."""
    raise NotImplementedError  # only described, see events.py


async def publish_events() -> BulkAnswer:
    """Publish up to 10 000 usage events, as JSON or as NDJSON with one event a line; plain, gzip or zstd."""
    raise NotImplementedError  # only described, see events.py


def document(routes: Sequence[HTTPRouteHandler]) -> bytes:
    """Return the OpenAPI 3.1 document as JSON."""
    problem = {400: ResponseSpec(Problem, generate_examples=False)}
    hot = [
        post("/v1/sdk/events", operation_id="publishEvent", responses=problem)(publish_event),
        post("/v1/sdk/events/bulk", operation_id="publishEvents", status_code=200)(publish_events),
    ]
    schema = _schema([*hot, *routes])
    components = schema["components"]["schemas"]
    components.update(_hot_bodies())
    usage = schema["paths"]["/v1/usage"]["get"]["responses"]["200"]["content"]
    usage["text/csv"] = {"schema": {"type": "string"}}
    _take_body(schema["paths"]["/v1/sdk/events"], (_JSON, "EventBody"))
    _take_body(schema["paths"]["/v1/sdk/events/bulk"], (_JSON, "BulkBody"), (_NDJSON, "EventBody"))
    for name, required in _REQUIRED.items():
        component = components[name]
        component["required"] = required
        for field in required:
            component["properties"][field] = _not_null(component["properties"][field])
    for component in components.values():
        for name, field in component.get("properties", {}).items():
            if field in _RAW:  # raw JSON, which has no schema of its own
                component["properties"][name] = _AMOUNT if name in _AMOUNTS else _OBJECT
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            _complete(path, method, operation)
    published = schema["paths"]["/v1/sdk/events"]["post"]["responses"]
    published["200"] = published["201"] | {"description": "Stored earlier, with this idempotency key"}
    schema["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": cookies.NAME},
    }
    return msgspec.json.encode(schema)


def _schema(routes: Sequence[HTTPRouteHandler]) -> Json:
    """Describe the routes in an application of their own, which serves nothing."""
    config = OpenAPIConfig(
        title="Meterhouse",
        version=__version__,
        description=_DESCRIPTION,
        use_handler_docstrings=True,
        render_plugins=[JsonRenderPlugin()],
    )
    described = Litestar(
        routes, dependencies=access.dependencies(), openapi_config=config, logging_config=None
    )
    return described.openapi_schema.to_schema()


def _hot_bodies() -> Json:
    """Describe what the hot routes decode; `units` and `properties` are checked after decoding."""
    types = get_type_hints(EventBody) | {
        "units": Annotated[float, _EXACT],
        "properties": dict[str, Any] | None,
    }
    fields = [(name, types[name], None) for name in EventBody.__struct_fields__]
    event = msgspec.defstruct(EventBody.__name__, fields, rename="camel")
    (events,) = BulkBody.__struct_fields__
    bulk = msgspec.defstruct(BulkBody.__name__, [(events, GenericAlias(list, (event,)))])
    return msgspec.json.schema_components((event, bulk), ref_template=_REF)[1]


def _not_null(schema: Json) -> Json:
    either: list[Json] = schema.get("oneOf") or schema.get("anyOf") or [schema]
    (given,) = (each for each in either if each != {"type": "null"})
    return given


def _take_body(path: Json, *kinds: tuple[str, str]) -> None:
    content = {media_type: {"schema": {"$ref": _REF.format(name=name)}} for media_type, name in kinds}
    path["post"]["requestBody"] = {"required": True, "content": content}


def _complete(path: str, method: str, operation: Json) -> None:
    """Add what every operation has: who may ask, common parameters, and its errors."""
    responses = operation["responses"]
    responses.pop("400", None)  # the framework's own error shape
    operation["summary"] = operation["description"].partition(".")[0].partition(";")[0]
    operation["tags"] = [path.removeprefix("/v1").removeprefix("/sdk").split("/")[1].removesuffix(".json")]
    if not path.startswith("/v1/"):
        operation["security"] = []
        if path == "/ready":
            responses["503"] = _problem(503)
        return
    parameters = operation.setdefault("parameters", [])
    _identify(path, method, operation)
    statuses = {400, 401, 403, 503}
    if "{" in path or operation["operationId"] in _FINDS:
        statuses.add(404)
    if "requestBody" in operation:
        statuses |= {413, 415}
    if method != "get" and path != _SESSION:
        statuses.add(409)
        described = "Repeats with this key are answered as the first request was."
        parameters.append(_parameter("Idempotency-Key", "header", described, minLength=1, maxLength=MAX_KEY))
    for status in sorted(statuses):
        responses[str(status)] = _problem(status)


def _identify(path: str, method: str, operation: Json) -> None:
    """Say how an operation learns who asks: by a key, or by a session."""
    parameters = operation["parameters"]
    if path == _SESSION:
        operation["security"] = [] if method == "post" else [{"session": []}]
    else:
        operation["security"] = [{"bearer": []}, {"session": []}]
        parameters.append(_parameter("environment", "query", _ENVIRONMENT, enum=list(Environment)))
    if method != "get" and operation["security"]:
        parameters.append(_parameter(cookies.CSRF_HEADER, "header", "With a session: its csrfToken."))


def _problem(status: int) -> Json:
    content = {_JSON: {"schema": {"$ref": _REF.format(name="Problem")}}}
    return {"description": HTTPStatus(status).phrase, "content": content}


def _parameter(name: str, place: str, description: str, **bounds: Any) -> Json:  # Any: JSON Schema
    return {"name": name, "in": place, "description": description, "schema": {"type": "string"} | bounds}
