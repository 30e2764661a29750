"""/openapi.json, from the route table: the framework describes its routes, and hot routes are described from
the structs that they decode and answer."""

import inspect
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from meterhouse import __version__
from meterhouse.http import access, cookies
from meterhouse.http.problems import Problem
from meterhouse.http.routing import JSON, Credential, Hot, Route, framework_routes
from meterhouse.model.once import MAX_KEY
from meterhouse.model.tenant import Environment
from meterhouse.model.units import NUMBER

Json = dict[str, Any]  # Any: JSON Schema

_REF: Final = "#/components/schemas/{name}"
_DESCRIPTION: Final = "Usage events and metering: every event stored durably, counted once, seen at once."
_ENVIRONMENT: Final = "With a session it must be named. A key has its own, and no other may be named."
_REPEATS: Final = "Repeats with this key are answered as the first request was."
_OBJECT: Final = {"type": "object", "additionalProperties": True}
_AMOUNTS: Final = {"units", "total", "value", "duration"}
_RAW: Final[Sequence[Json]] = ({}, {"oneOf": [{}]})  # the second may be left out
_AMOUNT: Final = {"type": ["number", "string", "null"], "description": "A string with numbers=string."}
# The required fields of bodies. The checks require them after decoding, so that one answer names every fault;
# the types leave them optional. Of several names one is required.
_REQUIRED: Final[dict[str, Sequence[str | tuple[str, ...]]]] = {
    "EventBody": [("type", "actionType"), "customerRef", ("units", "actionType")],
    "BulkBody": ["events"],
    "UsageBody": ["customerRef"],
    "BulkUsageBody": ["events"],
    "MeterEventBody": ["customerRef"],
    "BulkMeterBody": ["events"],
    "LimitBody": ["customerRef", "productRef"],
    "ReserveBody": ["units"],
    "SettleBody": ["units"],
    "CreditsBody": ["credits"],
    "ActivateBody": ["customerRef", "productRef", "planRef"],
    "UserInfoBody": ["customerRef", "productRef"],
    "CustomerSessionBody": ["customerRef"],
    "CheckoutSessionBody": ["customerRef"],
    "PaymentBody": ["customerRef"],
    "ProcessBody": ["customerRef"],
    "ConfirmBody": ["clientSecret"],
    "BusinessBody": ["isBusiness"],
    "AutoRechargeBody": ["customerRef", "enabled", "triggerType", "currency"],
    "SelectPlanBody": ["planRef"],
    "SelectTopupBody": ["amount"],
    "PayBody": ["outcome"],
    "NewCustomer": ["email"],
    "NewProduct": ["name"],
    "NewMeter": ["name"],
}
_NAMES: Final = {
    "customerRef": ("customerRef", "customerId", "externalRef"),
    "productRef": ("productRef", "productReference"),
}
"""Further names of a field, where a body has them."""
_END: Final = re.compile(r"[.;](?:\s|$)")
_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def document(table: Sequence[Route]) -> bytes:
    """Return the OpenAPI 3.1 document of the routes as JSON."""
    schema = _framework_schema(table)
    _add_hot(schema, table)
    components = schema["components"]["schemas"]
    usage = schema["paths"]["/v1/usage"]["get"]["responses"]["200"]["content"]
    usage["text/csv"] = {"schema": {"type": "string"}}
    for name, required in _REQUIRED.items():
        _require(components[name], required)
    for component in components.values():
        for name, field in component.get("properties", {}).items():
            if field.get("description") == NUMBER:  # it is checked after decoding
                field["type"] = "number" if name in component.get("required", ()) else ["number", "null"]
            elif field in _RAW:  # raw JSON, which has no schema of its own
                component["properties"][name] = _AMOUNT if name in _AMOUNTS else _OBJECT
    for route in table:
        if route.in_schema:
            _complete(route, schema["paths"][route.template][route.method.lower()])
    schema["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": cookies.NAME},
    }
    return msgspec.json.encode(schema)


def _require(component: Json, required: Sequence[str | tuple[str, ...]]) -> None:
    """Add the fields that a body must have, by any of the names that it takes for each."""
    properties = component["properties"]
    component["required"] = []
    for field in required:
        known = field if isinstance(field, tuple) else _NAMES.get(field, (field,))
        names = [name for name in known if name in properties]
        for name in names:
            properties[name] = _not_null(properties[name])
        if len(names) == 1:
            component["required"] += names
        else:
            either = {"anyOf": [{"required": [name]} for name in names]}
            component.setdefault("allOf", []).append(either)


def _framework_schema(table: Sequence[Route]) -> Json:
    """Describe the routes that are not hot, in an application of their own that serves nothing."""
    config = OpenAPIConfig(
        title="Meterhouse",
        version=__version__,
        description=_DESCRIPTION,
        use_handler_docstrings=True,
        render_plugins=[JsonRenderPlugin()],
    )
    application = Litestar(
        framework_routes(table),
        dependencies=access.dependencies(),
        openapi_config=config,
        logging_config=None,
    )
    return application.openapi_schema.to_schema()


def _add_hot(schema: Json, table: Sequence[Route]) -> None:
    """Add the hot routes, and the components that they need beside the framework's."""
    types: list[type[Any]] = [Problem]
    for route in table:
        if route.hot is not None:
            schema["paths"].setdefault(route.template, {})[route.method.lower()] = _hot_operation(
                route, route.hot
            )
            types += [route.hot.answer, *(body for _, body in route.hot.bodies)]
    components = schema["components"]["schemas"]
    for name, component in msgspec.json.schema_components(types, ref_template=_REF)[1].items():
        components.setdefault(name, component)


def _hot_operation(route: Route, hot: Hot) -> Json:
    statuses = [(route.status, HTTPStatus(route.status).description), *hot.also]
    return {
        "operationId": route.operation,
        "description": inspect.getdoc(route.handler),
        "requestBody": {"required": True, "content": {kind: _content(body) for kind, body in hot.bodies}},
        "responses": {
            str(status): {"description": description, "content": {JSON: _content(hot.answer)}}
            for status, description in statuses
        },
    }


def _content(of: type[Any]) -> Json:
    return {"schema": {"$ref": _REF.format(name=of.__name__)}}


def _not_null(schema: Json) -> Json:
    either: list[Json] = schema.get("oneOf") or schema.get("anyOf") or [schema]
    given = [each for each in either if each != {"type": "null"}]
    return given[0] if len(given) == 1 else {"oneOf": given}


def _complete(route: Route, operation: Json) -> None:
    """Add the parts that every operation has: summary, tags, credentials, common parameters, errors."""
    responses = operation["responses"]
    responses.pop("400", None)  # the framework's own error shape
    # Python run with -OO has no docstrings.
    description = operation.get("description") or _WORDS.sub(" ", route.operation).capitalize()
    operation["summary"] = _END.split(description, maxsplit=1)[0]
    path = route.template
    operation["tags"] = [path.removeprefix("/v1").removeprefix("/sdk").split("/")[1].removesuffix(".json")]
    operation["security"] = _SECURITY[route.credential]
    parameters = _parameters(route)
    if parameters or path.startswith("/v1/"):
        operation.setdefault("parameters", []).extend(parameters)
    for status in sorted(_errors(route, takes_body="requestBody" in operation)):
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {JSON: _content(Problem)},
        }


_SECURITY: Final[dict[Credential, Sequence[Json]]] = {
    Credential.KEY: [{"bearer": []}, {"session": []}],
    Credential.SESSION: [{"session": []}],
    Credential.LINK: [],
    Credential.NONE: [],
}


def _parameters(route: Route) -> Sequence[Json]:
    writes, found = route.method != "GET", []
    if route.credential is Credential.KEY:
        found.append(_parameter("environment", "query", _ENVIRONMENT, enum=list(Environment)))
        if writes:
            bounds = {"minLength": 1, "maxLength": MAX_KEY}
            found.append(_parameter("Idempotency-Key", "header", _REPEATS, **bounds))
    if writes and route.credential in (Credential.KEY, Credential.SESSION):
        found.append(_parameter(cookies.CSRF_HEADER, "header", "With a session: its csrfToken."))
    return found


def _errors(route: Route, *, takes_body: bool) -> set[int]:
    statuses = set(route.errors)
    match route.credential:
        case Credential.KEY | Credential.SESSION:
            statuses |= {400, 401, 403, 503}
        case Credential.LINK:
            statuses |= {400, 403, 503}
    if "{" in route.path:
        statuses.add(404)
    if takes_body:
        statuses |= {413, 415}
    if route.method != "GET" and route.credential in (Credential.KEY, Credential.LINK):
        statuses.add(409)
    return statuses


def _parameter(name: str, place: str, description: str, **bounds: Any) -> Json:  # Any: JSON Schema
    return {"name": name, "in": place, "description": description, "schema": {"type": "string"} | bounds}
