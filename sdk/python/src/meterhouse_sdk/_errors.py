"""Every error this package raises. Its class mirrors the server's `code`; catch by name.

MeterhouseError
├── Refused                     the request is wrong; sending it again unchanged cannot help
│   ├── ValidationFailed        400 validation_failed, or found before anything was sent; a ValueError
│   ├── QueryTooLarge           400 query_too_large
│   ├── AuthenticationError     401, or no API key was given
│   ├── PermissionDenied        403 forbidden
│   │   └── KeyEnvironmentMismatch  403 key_env_mismatch
│   ├── NotFound                404 not_found
│   │   ├── CustomerNotFound    404 customer_not_found
│   │   ├── ProductNotFound     404 product_not_found
│   │   ├── MeterNotFound       404 meter_not_found
│   │   └── EventNotFound       404 event_not_found
│   ├── Conflict                409 conflict
│   │   ├── IdempotencyConflict 409 idempotency_conflict
│   │   ├── EmailTaken          409 email_exists
│   │   ├── ExternalRefTaken    409 external_ref_exists
│   │   ├── ReferenceTaken      409 reference_exists
│   │   ├── ProductNameTaken    409 product_name_exists
│   │   ├── MeterNameTaken      409 meter_name_exists
│   │   └── DefaultMeter        409 default_meter
│   ├── PayloadTooLarge         413 payload_too_large
│   └── UnsupportedMediaType    415 unsupported_media_type
├── Unavailable                 the same request may succeed later; with its key it counts once
│   ├── RateLimited             429
│   ├── ServerError             5xx
│   └── ConnectionFailed        no answer came
├── UnexpectedAnswer            an answer came, but not one of Meterhouse's
├── BufferFull                  the buffer's bound is reached; this event was not taken
├── BufferClosed                the buffer was closed; this event was not taken
└── NotDelivered                `flush` or `close` could not deliver everything
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from meterhouse_sdk._new_event import NewEvent


class FieldError(Struct, frozen=True):
    """One thing wrong with one field. `path` is dotted (`events.3.units`), or "" for the whole body."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class MeterhouseError(Exception):
    """Base of every error this package raises, except TypeError for arguments of a wrong type.

    status: the HTTP status; None where no answer of the server is behind the error.
    code: the server's word for it, e.g. "customer_not_found".
    request_id: finds the request in the server's log; None where the server gave none.
    retry_after_seconds: how long the server asked to be left alone; None where it did not say.
    attempts: how often the request was sent.
    events: the events the failed call was to publish, each with its idempotency key. Whether the
        server stored them may be unknown; `create_events(error.events)` is safe, none counts twice.
    """

    code = "error"
    status: int | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status if status is not None else type(self).status
        self.code = code or type(self).code
        self.errors = tuple(errors)
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds
        self.attempts = 0
        self.events: tuple[NewEvent, ...] = ()

    def __str__(self) -> str:
        faults = "; ".join(str(error) for error in self.errors)
        sentence = f"{self.message}: {faults}" if faults else self.message
        marks = [
            str(mark) for mark in (self.status, self.code, self.request_id) if mark not in (None, "error")
        ]
        return f"{sentence} ({', '.join(marks)})" if marks else sentence


class Refused(MeterhouseError):
    """The request is wrong; sending it again unchanged cannot help. Nothing was stored."""

    code = "refused"


class ValidationFailed(Refused, ValueError):
    """A field is wrong; `errors` names each. `status` is None where it was found before sending."""

    code = "validation_failed"


class QueryTooLarge(Refused):
    """The question covers too many events; ask for a shorter time range or fewer groups."""

    code = "query_too_large"


class AuthenticationError(Refused):
    """The API key is missing, unknown or revoked."""

    code = "invalid_api_key"


class PermissionDenied(Refused):
    """The key has no right to do this."""

    code = "forbidden"


class KeyEnvironmentMismatch(PermissionDenied):
    """The key belongs to the other environment (sandbox or live)."""

    code = "key_env_mismatch"


class NotFound(Refused):
    """What the request names does not exist, or belongs to somebody else."""

    code = "not_found"


class CustomerNotFound(NotFound):
    """There is no such customer in this provider and environment."""

    code = "customer_not_found"


class ProductNotFound(NotFound):
    """There is no such product in this provider and environment."""

    code = "product_not_found"


class MeterNotFound(NotFound):
    """There is no such meter in this provider and environment."""

    code = "meter_not_found"


class EventNotFound(NotFound):
    """There is no such event in this provider and environment."""

    code = "event_not_found"


class Conflict(Refused):
    """The request contradicts what is stored."""

    code = "conflict"


class IdempotencyConflict(Conflict):
    """The idempotency key was used before with another meaning; nothing was stored."""

    code = "idempotency_conflict"


class EmailTaken(Conflict):
    """Another customer has this email."""

    code = "email_exists"


class ExternalRefTaken(Conflict):
    """Another customer has this external ref."""

    code = "external_ref_exists"


class ReferenceTaken(Conflict):
    """Something else has this reference."""

    code = "reference_exists"


class ProductNameTaken(Conflict):
    """Another product has this name."""

    code = "product_name_exists"


class MeterNameTaken(Conflict):
    """Another meter has this name, or had it before it was archived."""

    code = "meter_name_exists"


class DefaultMeter(Conflict):
    """A default meter cannot be archived; stop recording on it, or make a meter of your own."""

    code = "default_meter"


class PayloadTooLarge(Refused):
    """The body is larger than the server, or a proxy before it, takes."""

    code = "payload_too_large"


class UnsupportedMediaType(Refused):
    """The server does not take this content type or encoding."""

    code = "unsupported_media_type"


class Unavailable(MeterhouseError):
    """The server cannot do it now; the same request may succeed later.

    Raised after the last attempt. Without an idempotency key it is unknown whether a write was done.
    """

    code = "unavailable"


class RateLimited(Unavailable):
    """The server asks for fewer requests; see `retry_after_seconds`."""

    code = "rate_limited"


class ServerError(Unavailable):
    """The server, or a proxy before it, answered 5xx."""

    code = "server_error"


class ConnectionFailed(Unavailable):
    """No answer: refused, reset, timed out. The transport's error is the `__cause__`."""

    code = "connection_failed"


class UnexpectedAnswer(MeterhouseError):
    """The answer is not one of Meterhouse's; does the base URL name a Meterhouse server?"""

    code = "unexpected_answer"


class BufferFull(MeterhouseError):
    """The buffer holds as much as it may, or its disk takes no more; this event was not taken."""

    code = "buffer_full"


class BufferClosed(MeterhouseError):
    """The buffer was closed; this event was not taken."""

    code = "buffer_closed"


class NotDelivered(MeterhouseError):
    """Some events are not stored on the server.

    waiting_events: not acknowledged yet; with a spool directory they are safe on disk and go on being
        sent, without one they are lost when the process ends.
    rejected_events: refused by the server since the last flush; `EventBuffer.rejected` says why.
    """

    code = "not_delivered"

    def __init__(self, message: str, *, waiting_events: int = 0, rejected_events: int = 0) -> None:
        super().__init__(message)
        self.waiting_events = waiting_events
        self.rejected_events = rejected_events
