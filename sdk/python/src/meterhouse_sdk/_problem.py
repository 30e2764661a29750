"""A server's error as one of ours: by its `code` where we know it, else by its status."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from msgspec import Struct

from meterhouse_sdk import _errors
from meterhouse_sdk._error import FieldError, MeterhouseError

_EXCERPT_CHARACTERS: Final = 200
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}

_BY_CODE: Final[Mapping[str, type[MeterhouseError]]] = {
    error.code: error
    for error in (
        _errors.ValidationFailed,
        _errors.QueryTooLarge,
        _errors.MeterArchived,
        _errors.PurchaseNotCancellable,
        _errors.PurchaseNotReactivable,
        _errors.AuthenticationError,
        _errors.PermissionDenied,
        _errors.KeyEnvironmentMismatch,
        _errors.NotFound,
        _errors.CustomerNotFound,
        _errors.ProductNotFound,
        _errors.PlanNotFound,
        _errors.PurchaseNotFound,
        _errors.HoldNotFound,
        _errors.EventNotFound,
        _errors.MeterNotFound,
        _errors.Conflict,
        _errors.IdempotencyConflict,
        _errors.HoldReleased,
        _errors.HoldSettled,
        _errors.CreditsNotFree,
        _errors.BalanceFull,
        _errors.EmailTaken,
        _errors.ExternalRefTaken,
        _errors.ReferenceTaken,
        _errors.ProductNameTaken,
        _errors.MeterNameTaken,
        _errors.DefaultMeter,
        _errors.MeterCounted,
        _errors.PayloadTooLarge,
        _errors.UnsupportedMediaType,
    )
}

_BY_STATUS: Final[Mapping[int, type[MeterhouseError]]] = {
    401: _errors.AuthenticationError,
    403: _errors.PermissionDenied,
    404: _errors.NotFound,
    408: _errors.Unavailable,
    409: _errors.Conflict,
    413: _errors.PayloadTooLarge,
    415: _errors.UnsupportedMediaType,
    425: _errors.Unavailable,
    429: _errors.RateLimited,
}


class _Problem(Struct, rename="camel"):
    """The server's error. All optional and of any type: a proxy may have written it."""

    message: Any = None
    code: Any = None
    request_id: Any = None
    errors: Any = None


def error_of(
    status: int, body: bytes, retry_after_seconds: float | None, headers: Mapping[str, str]
) -> MeterhouseError:
    """Return the error that an answer other than 2xx stands for."""
    problem = _read(body)
    if isinstance(problem.message, dict):  # some hosts nest the code below `message` (contract §3.8)
        problem = msgspec.convert(problem.message, _Problem)
    code = problem.code if isinstance(problem.code, str) else None
    return _class_of(status, code)(
        _sentence(problem.message, status, body),
        status=status,
        code=code,
        errors=_field_errors(problem.errors),
        request_id=problem.request_id if isinstance(problem.request_id, str) else headers.get("x-request-id"),
        retry_after_seconds=retry_after_seconds,
    )


def _class_of(status: int, code: str | None) -> type[MeterhouseError]:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _errors.ServerError
    if status < HTTPStatus.BAD_REQUEST:
        return _errors.UnexpectedAnswer  # a redirect is not followed: a key belongs to one server
    return _BY_CODE.get(code or "") or _BY_STATUS.get(status, _errors.Refused)


def _read(body: bytes) -> _Problem:
    try:
        return msgspec.json.decode(body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Problem()


def _sentence(message: object, status: int, body: bytes) -> str:
    if isinstance(message, str) and message:
        return message
    if isinstance(message, list):
        return "; ".join(map(str, message))
    phrase = _PHRASES.get(status, f"Status {status}")
    excerpt = body[:_EXCERPT_CHARACTERS].decode("utf-8", "replace").strip()
    return f"{phrase}: {excerpt}" if excerpt else phrase


def _field_errors(errors: object) -> tuple[FieldError, ...]:
    try:
        return msgspec.convert(errors, tuple[FieldError, ...])
    except msgspec.ValidationError:
        return ()
