"""Errors as JSON, one shape everywhere (design §6, in the contract's envelope §2.1)."""

from http import HTTPStatus

import msgspec
from msgspec import UNSET, Struct, UnsetType

from meterhouse.model.errors import (
    FieldError,
    KeyEnvironmentMismatch,
    MeterhouseError,
    PaymentNotFound,
    Unavailable,
    ValidationFailed,
)


class Problem(Struct, rename="camel"):
    """What every error answers. `errors` is there for validation errors, one entry per wrong field.

    success: false, with `error` the message, where a payment intent was not found (contract §2.1).
    """

    status_code: int
    error: str
    message: str
    code: str
    request_id: str
    errors: tuple[FieldError, ...] | UnsetType = UNSET
    key_environment: str | UnsetType = UNSET
    provider_environment: str | UnsetType = UNSET
    success: bool | UnsetType = UNSET


def render(error: MeterhouseError, request_id: str) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and further headers."""
    problem = Problem(
        status_code=error.status,
        error=HTTPStatus(error.status).phrase,
        message=str(error),
        code=error.code,
        request_id=request_id,
    )
    if isinstance(error, ValidationFailed):
        problem.errors = error.errors
    elif isinstance(error, KeyEnvironmentMismatch):
        problem.key_environment = error.key_environment
        problem.provider_environment = error.asked_environment
    elif isinstance(error, PaymentNotFound):
        problem.success, problem.error = False, problem.message
    headers: dict[str, str] = {}
    if isinstance(error, Unavailable):
        headers["retry-after"] = str(error.retry_after_seconds)
    elif error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return error.status, msgspec.json.encode(problem), headers


def let_go(error: BaseException) -> None:
    """Forget where an error was raised; call it once the answer is made.

    A traceback keeps the variables of every function that it went through, the request's body among them. A
    function that has the error in a variable makes a cycle of both, and the collector visits those rarely.
    """
    link: BaseException | None = error
    while link is not None and link.__traceback__ is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
