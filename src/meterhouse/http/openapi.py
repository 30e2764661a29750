"""/openapi.json: the framework's description of its routes, and the hot routes from their own structs."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from meterhouse import __version__
from meterhouse.http import access, cookies, described
from meterhouse.http.described import Json
from meterhouse.model.once import MAX_KEY
from meterhouse.model.tenant import Environment
from meterhouse.model.units import NUMBER

_JSON: Final = "application/json"
_DESCRIPTION: Final = "Usage events and metering: every event stored durably, counted once, seen at once."
_ENVIRONMENT: Final = "With a session it must be named. A key has its own, and no other may be named."
_REPEATS: Final = "Repeats with this key are answered as the first request was."
_OBJECT: Final = {"type": "object", "additionalProperties": True}
_AMOUNTS: Final = {"units", "total", "value", "duration"}
_RAW: Final[Sequence[Json]] = ({}, {"oneOf": [{}]})  # the second may be left out
_AMOUNT: Final = {"type": ["number", "string", "null"], "description": "A string with numbers=string."}
# What the types cannot say, since one answer names every fault: the checks require it, not the decoder.
_REQUIRED: Final = {
    "EventBody": ["type", "customerRef", "units"],
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
_SESSION: Final = "/v1/session"
_CUSTOMERS: Final = ("/v1/checkout-sessions/", "/v1/customer-sessions/", "/v1/payment-intents/")
"""For whoever has the link, or the secret, that is in the request."""
_FINDS: Final = {
    "findCustomer", "publishEvent", "getMerchant", "recordMeterEvent", "recordMeterEvents", "checkLimits",
    "createCustomerSession", "createCheckoutSession", "getUserInfo", "createPaymentIntent",
    "getPaymentMethod", "getAutoRecharge", "saveAutoRecharge", "disableAutoRecharge",
}  # fmt: skip
"""Operations that answer 404 though no ref is in the path."""


def document(routes: Sequence[HTTPRouteHandler]) -> bytes:
    """Return the OpenAPI 3.1 document as JSON."""
    schema = _schema([*described.described(), *routes])
    described.add_bodies(schema)
    components = schema["components"]["schemas"]
    usage = schema["paths"]["/v1/usage"]["get"]["responses"]["200"]["content"]
    usage["text/csv"] = {"schema": {"type": "string"}}
    for name, required in _REQUIRED.items():
        component = components[name]
        component["required"] = required
        for field in required:
            component["properties"][field] = _not_null(component["properties"][field])
    for component in components.values():
        for name, field in component.get("properties", {}).items():
            if field.get("description") == NUMBER:  # it is checked after decoding
                field["type"] = "number" if name in component.get("required", ()) else ["number", "null"]
            elif field in _RAW:  # raw JSON, which has no schema of its own
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
    application = Litestar(
        routes, dependencies=access.dependencies(), openapi_config=config, logging_config=None
    )
    return application.openapi_schema.to_schema()


def _not_null(schema: Json) -> Json:
    either: list[Json] = schema.get("oneOf") or schema.get("anyOf") or [schema]
    given = [each for each in either if each != {"type": "null"}]
    return given[0] if len(given) == 1 else {"oneOf": given}


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
    is_open = path.startswith(_CUSTOMERS)
    if is_open:
        operation["security"] = []
        statuses = {400, 403, 503}
    else:
        _identify(path, method, operation)
        statuses = {400, 401, 403, 503}
    if "{" in path or operation["operationId"] in _FINDS:
        statuses.add(404)
    if "requestBody" in operation:
        statuses |= {413, 415}
    if method != "get" and path != _SESSION:
        statuses.add(409)
        if not is_open:
            bounds = {"minLength": 1, "maxLength": MAX_KEY}
            parameters.append(_parameter("Idempotency-Key", "header", _REPEATS, **bounds))
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
    content = {_JSON: {"schema": {"$ref": described.REF.format(name="Problem")}}}
    return {"description": HTTPStatus(status).phrase, "content": content}


def _parameter(name: str, place: str, description: str, **bounds: Any) -> Json:  # Any: JSON Schema
    return {"name": name, "in": place, "description": description, "schema": {"type": "string"} | bounds}
