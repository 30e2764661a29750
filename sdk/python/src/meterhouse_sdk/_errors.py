"""Every error this package raises. Its class mirrors the server's `code`; catch by name.

MeterhouseError
├── Refused                     the request is wrong; sending it again unchanged cannot help
│   ├── ValidationFailed        400 validation_failed, or found before anything was sent; a ValueError
│   ├── QueryTooLarge           400 query_too_large
│   ├── MeterArchived           400 meter_archived
│   ├── PurchaseNotCancellable  400 purchase_not_cancellable
│   ├── PurchaseNotReactivable  400 purchase_not_reactivable
│   ├── AuthenticationError     401, or no API key was given
│   ├── PermissionDenied        403 forbidden
│   │   └── KeyEnvironmentMismatch  403 key_env_mismatch
│   ├── NotFound                404 not_found
│   │   ├── CustomerNotFound    404 customer_not_found
│   │   ├── ProductNotFound     404 product_not_found
│   │   ├── PlanNotFound        404 plan_not_found
│   │   ├── PurchaseNotFound    404 purchase_not_found
│   │   ├── HoldNotFound        404 hold_not_found
│   │   ├── MeterNotFound       404 meter_not_found
│   │   └── EventNotFound       404 event_not_found
│   ├── Conflict                409 conflict
│   │   ├── IdempotencyConflict 409 idempotency_conflict
│   │   ├── HoldReleased        409 hold_released
│   │   ├── HoldSettled         409 hold_settled
│   │   ├── CreditsNotFree      409 credits_not_free
│   │   ├── BalanceFull         409 balance_full
│   │   ├── EmailTaken          409 email_exists
│   │   ├── ExternalRefTaken    409 external_ref_exists
│   │   ├── ReferenceTaken      409 reference_exists
│   │   ├── ProductNameTaken    409 product_name_exists
│   │   ├── MeterNameTaken      409 meter_name_exists
│   │   ├── DefaultMeter        409 default_meter
│   │   └── MeterCounted        409 meter_counted
│   ├── PayloadTooLarge         413 payload_too_large
│   └── UnsupportedMediaType    415 unsupported_media_type
├── Unavailable                 408, 425: the same request may succeed later; with its key it counts once
│   ├── RateLimited             429
│   ├── ServerError             5xx
│   └── ConnectionFailed        no answer came
├── PaymentRequired             402 payment_required: the customer has to pay, top up or activate first
├── UnexpectedAnswer            an answer came, but not one of Meterhouse's
├── BufferFull                  the buffer's bound is reached; this event was not taken
├── BufferClosed                the buffer was closed; this event was not taken
└── NotDelivered                `flush` or `close` could not deliver everything
"""

from typing import TYPE_CHECKING, Any

from meterhouse_sdk._error import MeterhouseError

if TYPE_CHECKING:
    from meterhouse_sdk._gate import Gate


class Refused(MeterhouseError):
    """The request is wrong; sending it again unchanged cannot help. Nothing was stored."""

    code = "refused"


class ValidationFailed(Refused, ValueError):
    """A field is wrong; `errors` names each. `status` is None where it was found before sending."""

    code = "validation_failed"


class QueryTooLarge(Refused):
    """The question covers too many events; ask for a shorter time range or fewer groups."""

    code = "query_too_large"


class MeterArchived(Refused):
    """The meter takes no more events, or there is none of this name."""

    code = "meter_archived"


class PurchaseNotCancellable(Refused):
    """The purchase is not active, or is cancelled already."""

    code = "purchase_not_cancellable"


class PurchaseNotReactivable(Refused):
    """The purchase is not cancelled, or it has ended: then the customer has to buy again."""

    code = "purchase_not_reactivable"


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


class PlanNotFound(NotFound):
    """There is no such plan of this product."""

    code = "plan_not_found"


class PurchaseNotFound(NotFound):
    """There is no such purchase in this provider and environment."""

    code = "purchase_not_found"


class HoldNotFound(NotFound):
    """There is no such hold in this provider and environment."""

    code = "hold_not_found"


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


class HoldReleased(Conflict):
    """The hold was released and nothing was booked; record what was used with `track_usage`."""

    code = "hold_released"


class HoldSettled(Conflict):
    """The hold was settled; what was booked stays."""

    code = "hold_settled"


class CreditsNotFree(Conflict):
    """The balance has fewer credits that are not held."""

    code = "credits_not_free"


class BalanceFull(Conflict):
    """The balance has no room for so many credits; move fewer, or again once some are used."""

    code = "balance_full"


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


class MeterCounted(Conflict):
    """Other meters count this one's events; archive those first."""

    code = "meter_counted"


class PayloadTooLarge(Refused):
    """The body is larger than the server, or a proxy before it, takes."""

    code = "payload_too_large"


class UnsupportedMediaType(Refused):
    """The server does not take this content type or encoding."""

    code = "unsupported_media_type"


class Unavailable(MeterhouseError):
    """The server cannot do it now; the same request may succeed later. Raised after the last attempt:
    without an idempotency key it is unknown whether a write was done.
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


class PaymentRequired(MeterhouseError):
    """The customer has to pay, top up or activate a plan first, at `checkout_url`; `message` tells them.

    reason: "activation_required", "out_of_credits", "too_few_credits", "limit_reached" or "no_plan".
    """

    code = "payment_required"

    def __init__(self, gate: "Gate") -> None:
        super().__init__(gate.detail, status=402, code=gate.kind)
        self.kind = gate.kind
        self.reason = gate.reason
        self.checkout_url = gate.checkout_url or None
        self._gate = gate

    def to_body(self) -> dict[str, Any]:  # Any: JSON
        """Return what an HTTP answer 402 says, as the hosted service's clients expect it."""
        return self._gate.to_body()


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
