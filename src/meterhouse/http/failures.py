"""Every failure of the framework's routes, in the one error shape."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import structlog
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.params import ParameterKwarg
from litestar.typing import FieldDefinition

from meterhouse.http import problems
from meterhouse.http.routing import Route
from meterhouse.ingest import complaints
from meterhouse.model.errors import (
    FieldError,
    MeterhouseError,
    MethodNotAllowed,
    NotFound,
    Refused,
    ValidationFailed,
)

_SHOWN_CHARACTERS: Final = 200
_logger = structlog.get_logger()
AnyRequest = Request[Any, Any, Any]  # Any: the framework's user, auth and state, unused


def answer(methods: "Methods") -> Callable[[AnyRequest, Exception], Response[bytes]]:
    """Return the framework's handler of exceptions. methods: of every path, hot or not."""

    def handle(request: AnyRequest, exception: Exception) -> Response[bytes]:
        error = _error_of(exception, request)
        extra: dict[str, str] = {}
        if isinstance(error, NotFound | MethodNotAllowed) and not isinstance(exception, MeterhouseError):
            error, extra = methods.error(request.scope["path"])
        request_id = request.scope["state"]["request_id"]
        if not isinstance(exception, MeterhouseError) and not isinstance(error, Refused):
            # The template: in the path itself there may be a hosted session's id, which is a secret.
            path = request.scope.get("path_template") or request.scope["path"]
            _logger.error("request_failed", path=path, request_id=request_id, exc_info=exception)
        status, body, headers = problems.render(error, request_id)
        problems.let_go(exception)
        return Response(body, status_code=status, headers=headers | extra, media_type="application/json")

    return handle


class Methods:
    """The methods of each path, for `Allow` and 405."""

    def __init__(self, table: Iterable[Route]) -> None:
        found: dict[str, set[str]] = {}
        for route in table:
            methods = (route.method, "HEAD") if route.method == "GET" else (route.method,)
            found.setdefault(route.template, set()).update(methods)
        self._exact = found
        self._patterns = [
            (re.compile(re.sub(r"\{[^}]*\}", "[^/]+", template)), methods)
            for template, methods in found.items()
            if "{" in template
        ]

    def of(self, path: str) -> str:
        """Return the value of an Allow header; empty for an unknown path."""
        allowed = self._exact.get(path)  # wins over a template with a parameter
        if allowed is None:
            matching = (methods for pattern, methods in self._patterns if pattern.fullmatch(path))
            allowed = set[str]().union(*matching)
        return ", ".join(sorted(allowed))

    def error(self, path: str) -> tuple[Refused, dict[str, str]]:
        """Return why no route took a request for this path, and further headers."""
        if allowed := self.of(path):
            return MethodNotAllowed(), {"allow": allowed}
        return NotFound(f"Path {path[:_SHOWN_CHARACTERS]} not found; see /docs."), {}


def _error_of(exception: Exception, request: AnyRequest) -> MeterhouseError:  # noqa: PLR0911 - one return for each kind
    match exception:
        case MeterhouseError():
            return exception
        case ValidationException():
            parameters = request.route_handler.parsed_fn_signature.parameters
            return ValidationFailed([_field_error(each, parameters) for each in exception.extra or ()])
        case NotFoundException():
            return NotFound()
        case MethodNotAllowedException():
            return MethodNotAllowed()
        case ConnectionError():
            return ValidationFailed.of("", "The request ended before its body was whole")
        case ClientException():
            return ValidationFailed.of("", "The request cannot be read; /docs shows what this route takes")
    return MeterhouseError()


def _field_error(
    message: Any,  # Any: the framework's own dictionaries
    parameters: Mapping[str, FieldDefinition],
) -> FieldError:
    """Read one of the framework's validation messages: Python names, msgspec's sentences."""
    name = str(message.get("key", ""))
    if name == "data":
        return FieldError("", "a JSON body is required")
    said = str(message["message"])
    parameter = parameters.get(name)
    if parameter is None:
        return FieldError(name, complaints.sentence_of(said, ()))
    alias, bounds = name, ""
    if isinstance(known := parameter.kwarg_definition, ParameterKwarg):
        alias = known.name or name
        bounds = f" from {known.ge} to {known.le}" if known.le is not None else ""
    if parameter.has_inner_subclass_of(bool) or parameter.annotation is bool:
        return FieldError(alias, "must be true or false")
    if parameter.has_inner_subclass_of(int) or parameter.annotation is int:
        return FieldError(alias, f"must be a whole number{bounds}")
    return FieldError(alias, complaints.sentence_of(said, complaints.choices_of(parameter.annotation)))
