"""The answers to requests that may not go on, and how Flask comes to give them without code of the user's."""

import json
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from meterhouse_sdk._error import MeterhouseError
from meterhouse_sdk._errors import CustomerNotFound, PaymentRequired, Unavailable

if TYPE_CHECKING:
    from meterhouse_sdk._call import Call

R = TypeVar("R", bound=MeterhouseError)
Refusal = PaymentRequired | CustomerNotFound | Unavailable
REFUSALS: Final = (PaymentRequired, CustomerNotFound, Unavailable)
RETRY_SECONDS: Final = "1"  # the Retry-After of a 503


def refusal(error: Refusal) -> tuple[int, dict[str, Any]]:  # Any: JSON
    """Return status and body of the answer: 402, 401, or 503."""
    if isinstance(error, PaymentRequired):
        return 402, error.to_body()
    if isinstance(error, CustomerNotFound):
        return 401, {"success": False, "error": "Unauthorized", "message": "This is no customer."}
    return 503, {"success": False, "error": "Service Unavailable", "message": "Try again later."}


def answerable(error: R) -> R:
    """Return the error; in a request of Flask it is one of Flask's too, which then answers it by itself.

    A handler that the application has registered for the error is still called.
    """
    if in_flask():
        error.__class__ = _of_flask(cast("Any", type(error)))
    return error


def in_flask() -> bool:
    """Whether a request of Flask is being answered here."""
    flask = sys.modules.get("flask")
    return flask is not None and bool(flask.has_request_context())


def note_result(call: "Call", result: object) -> None:
    """Note the status of a result that is an answer of a web framework."""
    status = getattr(result, "status_code", None)
    if in_flask():
        if isinstance(result, tuple) and len(result) > 1:
            status = _number_of(result[1])  # Flask takes (body, status) and (body, status, headers)
        call.sells = sys.modules["flask"].request.method != "HEAD"
    call.status = status if isinstance(status, int) else None


def _number_of(status: object) -> object:
    """Return the number that a status such as "404 NOT FOUND" begins with; another status as it is."""
    number = status.partition(" ")[0] if isinstance(status, str) else ""
    return int(number) if number.isdecimal() else status


@cache
def _of_flask(kind: Any) -> type[Any]:  # Any: a class of error, and one that is of both packages
    from werkzeug.exceptions import HTTPException  # noqa: PLC0415 - only where Flask is
    from werkzeug.wrappers import Response  # noqa: PLC0415

    def get_response(self: Refusal, *_: object, **__: object) -> Response:
        status, body = refusal(self)
        headers = {"Retry-After": RETRY_SECONDS} if status == 503 else None
        return Response(json.dumps(body), status, headers, mimetype="application/json")

    status = 402 if issubclass(kind, PaymentRequired) else 401 if issubclass(kind, CustomerNotFound) else 503
    return type(kind.__name__, (kind, HTTPException), {"get_response": get_response, "code": status})
