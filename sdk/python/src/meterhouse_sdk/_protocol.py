"""What to send, when to wait, what an answer means. No I/O and no clock: the shells drive generators.

    operation   yields requests, is sent good replies, returns what the caller asked for
    flow        an operation with retries: yields requests and waits, for a shell to carry out

`carried_out(operation, policy)` makes a flow of an operation. What goes wrong is raised inside the
operation, at its `yield`, so that an operation may catch it (`ensure_customer` catches NotFound).
"""

import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import quote

from meterhouse_sdk._error import MeterhouseError
from meterhouse_sdk._errors import ConnectionFailed, Unavailable
from meterhouse_sdk._problem import error_of

T = TypeVar("T")

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Request:
    """What to send. `path` begins at the base URL.

    repeatable: sending it twice does what sending it once does, so it may be tried again.
    """

    method: str
    path: str
    repeatable: bool
    params: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    content_type: str = JSON
    content_encoding: str | None = None
    idempotency_key: str | None = None


def segment(name: str) -> str:
    """Return a ref or an id as one segment of a path.

    Raises ValueError for a name that is empty, `.` or `..`, or has a slash or a control character: no thing
    has such a name, and the request would go to another route.
    """
    if name in ("", ".", "..") or "/" in name or "\\" in name or not name.isprintable():
        raise ValueError(f"{name!r} cannot be a reference: it would change the path of the request.")
    return quote(name, safe="")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer came. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came. Whether the request arrived is unknown."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for so long, then go on."""

    seconds: float


Operation = Generator[Request, Reply, T]
Flow = Generator[Request | Wait, Reply | Lost | None, T]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and after how long, a request is sent again.

    Waits double from `first_wait_seconds` to `longest_wait_seconds`; each is shortened by up to half at
    random (`jitter` gives 0 to 1), so that clients which failed together do not come back together.
    A server that asks for longer is obeyed up to `longest_retry_after_seconds`, then not tried again.
    """

    max_retries: int = 3
    first_wait_seconds: float = 0.25
    longest_wait_seconds: float = 8.0
    longest_retry_after_seconds: float = 60.0
    jitter: Callable[[], float] = field(default=random.random, repr=False)

    def wait_seconds(self, attempt: int, retry_after_seconds: float | None) -> float | None:
        """Return how long to wait after failed attempt number `attempt` (from 1); None: give up."""
        if attempt > self.max_retries:
            return None
        doublings = min(attempt - 1, 30)
        wait_seconds = min(self.first_wait_seconds * 2.0**doublings, self.longest_wait_seconds)
        wait_seconds *= 1 - self.jitter() / 2
        if retry_after_seconds is None:
            return wait_seconds
        if retry_after_seconds > self.longest_retry_after_seconds:
            return None
        return max(wait_seconds, retry_after_seconds)


def carried_out(operation: Operation[T], policy: RetryPolicy) -> Flow[T]:
    """Run an operation, each of its requests with retries; return what it returns."""
    try:
        request = next(operation)
        while True:
            try:
                reply = yield from _attempts(request, policy)
            except MeterhouseError as error:
                request = operation.throw(error)
            else:
                request = operation.send(reply)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        operation.close()


def _attempts(request: Request, policy: RetryPolicy) -> Flow[Reply]:
    """Send one request until it succeeds, is refused, or may not be tried again."""
    attempt = 0
    while True:
        attempt += 1
        outcome = yield request
        if isinstance(outcome, Reply) and HTTPStatus.OK <= outcome.status < HTTPStatus.MULTIPLE_CHOICES:
            return outcome
        error = _failure(outcome)
        error.attempts = attempt
        if not (request.repeatable and isinstance(error, Unavailable)):
            raise error
        wait_seconds = policy.wait_seconds(attempt, error.retry_after_seconds)
        if wait_seconds is None:
            raise error
        yield Wait(wait_seconds)


def _failure(outcome: Reply | Lost | None) -> MeterhouseError:
    if isinstance(outcome, Reply):
        return error_of(outcome.status, outcome.body, _retry_after_seconds(outcome.headers), outcome.headers)
    cause = outcome.error if outcome is not None else None
    failed = ConnectionFailed(f"No answer from the server: {cause or type(cause).__name__}")
    failed.__cause__ = cause
    return failed


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After`: seconds, or a date, which is taken relative to the answer's own `Date`."""
    given = headers.get("retry-after")
    if given is None:
        return None
    if given.strip().isdecimal():
        return float(given)  # a number that is too large for a float is infinite: do not try again
    then, now = _date(given), _date(headers.get("date", ""))
    return None if then is None or now is None else max(0.0, (then - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError, IndexError):  # whatever a proxy writes
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)  # "-0000" says UTC, somewhere
