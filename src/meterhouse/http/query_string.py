"""The query string of the questions, read as it was sent: a parameter may have any name, and be repeated."""

from typing import Any, Final
from urllib.parse import parse_qsl

from litestar import Request

from meterhouse.model.errors import ValidationFailed

AnyRequest = Request[Any, Any, Any]  # Any: the framework's user, auth and state, unused
_MAX_PARAMETERS: Final = 1_000


def parameters_of(request: AnyRequest) -> dict[str, list[str]]:
    """Return every value of every name, in order. Raises ValidationFailed: too many, or not UTF-8."""
    found: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(
            request.scope["query_string"].decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError:
        raise ValidationFailed.of("", "The query string is not UTF-8, or has too many parameters") from None
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def one_of(parameters: dict[str, list[str]], name: str, default: str, other: str) -> str:
    """Return the last value of a parameter that has two choices. Raises ValidationFailed for a third."""
    value = parameters.get(name, [default])[-1]
    if value not in (default, other):
        raise ValidationFailed.of(name, f"must be {default} or {other}")
    return value


def quotes(parameters: dict[str, list[str]]) -> bool:
    """Whether numbers go out as strings, for readers that lose digits past 2^53."""
    return one_of(parameters, "numbers", "number", "string") == "string"
