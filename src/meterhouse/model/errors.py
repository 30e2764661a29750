"""Every error a caller can see. Each has a `code`, an HTTP `status`, and a sentence that says what to do.

MeterhouseError
├── Refused                       the request is wrong; sending it again unchanged cannot help
│   ├── ValidationFailed          400 validation_failed       `errors` names each field
│   ├── BadRequest                400 bad_request
│   ├── QueryTooLarge             400 query_too_large
│   ├── MeterArchived             400 meter_archived
│   ├── PurchaseNotCancellable    400 purchase_not_cancellable
│   ├── PurchaseNotReactivable    400 purchase_not_reactivable
│   ├── PaymentNotSucceeded       400 payment_not_succeeded
│   ├── PaymentRefused            400 payment_refused
│   ├── PaymentsNotConfigured     400 payments_not_configured
│   ├── InvalidKey                401 invalid_api_key
│   ├── NotSignedIn               401 not_signed_in
│   ├── Forbidden                 403 forbidden
│   ├── KeyEnvironmentMismatch    403 key_env_mismatch
│   ├── RightMissing              403 right_missing
│   ├── NotFound                  404 not_found
│   │   ├── CustomerNotFound      404 customer_not_found
│   │   ├── ProductNotFound       404 product_not_found
│   │   ├── PurchaseNotFound      404 purchase_not_found
│   │   ├── HoldNotFound          404 hold_not_found
│   │   ├── SessionNotFound       404 session_not_found
│   │   ├── PaymentNotFound       404 PAYMENT_INTENT_NOT_FOUND
│   │   ├── PlanNotFound          404 plan_not_found
│   │   ├── MeterNotFound         404 meter_not_found
│   │   ├── EventNotFound         404 event_not_found
│   │   ├── KeyNotFound           404 key_not_found
│   │   ├── ProviderNotFound      404 provider_not_found
│   │   └── OperatorNotFound      404 operator_not_found
│   ├── MethodNotAllowed          405 method_not_allowed
│   ├── Conflict                  409 conflict
│   │   ├── IdempotencyConflict   409 idempotency_conflict
│   │   ├── HoldReleased          409 hold_released
│   │   ├── HoldSettled           409 hold_settled
│   │   ├── CreditsNotFree        409 credits_not_free
│   │   ├── BalanceFull           409 balance_full
│   │   ├── SessionEnded          409 session_ended
│   │   ├── NothingToPay          409 nothing_to_pay
│   │   ├── EmailTaken            409 email_exists
│   │   ├── ExternalRefTaken      409 external_ref_exists
│   │   ├── ReferenceTaken        409 reference_exists
│   │   ├── ProductNameTaken      409 product_name_exists
│   │   ├── MeterNameTaken        409 meter_name_exists
│   │   ├── DefaultMeter          409 default_meter
│   │   ├── MeterCounted          409 meter_counted
│   │   ├── ProviderNameTaken     409 provider_name_exists
│   │   └── OperatorTaken         409 operator_exists
│   ├── RequestTimeout            408 request_timeout
│   ├── PayloadTooLarge           413 payload_too_large
│   ├── UnsupportedMediaType      415 unsupported_media_type
│   └── HeadersTooLarge           431 headers_too_large
└── Unavailable                   nothing was stored; send the same request again, keys make it safe
    ├── LogUnavailable            503 log_unavailable
    │   ├── KeyIndexUnavailable   503 key_index_unavailable
    │   └── LedgerUnavailable     503 ledger_unavailable
    ├── NotReady                  503 not_ready
    ├── Overloaded                503 overloaded
    ├── TooManyConnections        503 too_many_connections
    ├── ProcessorUnavailable      503 processor_unavailable
    └── WarehouseUnavailable      503 warehouse_unavailable
"""

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct

from meterhouse.model.ref import external_of, is_unknown_external


class FieldError(Struct, frozen=True):
    """One thing wrong with one field. `path` is dotted (`events.3.units`), or "" for the whole body."""

    path: str
    message: str


class MeterhouseError(Exception):
    """Base of every error that a caller can see.

    sentence: the message where none is given. A message never carries the text of another exception, which
    may name paths and SQL: that one is the `__cause__`, and the log's.
    """

    sentence: ClassVar[str] = (
        "Something went wrong inside Meterhouse; the request id finds it in the server's log."
    )
    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.sentence)


class Refused(MeterhouseError):
    sentence = "The request was refused; sending it again unchanged cannot help."
    code = "refused"
    status = 400


class ValidationFailed(Refused):
    sentence = "Validation failed"
    code = "validation_failed"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__()
        self.errors = tuple(errors)

    @classmethod
    def of(cls, path: str, message: str) -> "ValidationFailed":
        return cls((FieldError(path, message),))


class BadRequest(Refused):
    sentence = "The request is no valid HTTP/1.1; check its first line, its headers and its body's length."
    code = "bad_request"


class QueryTooLarge(Refused):
    sentence = "The question covers too many events; ask for a shorter time range or fewer filters."
    code = "query_too_large"


class MeterArchived(Refused):
    sentence = "Invalid meter name or meter is archived."
    code = "meter_archived"


class PurchaseNotCancellable(Refused):
    sentence = "Purchase cannot be cancelled: it is not active, or is cancelled already."
    code = "purchase_not_cancellable"


class PurchaseNotReactivable(Refused):
    sentence = "Purchase cannot be reactivated."
    code = "purchase_not_reactivable"


class PaymentNotSucceeded(Refused):
    sentence = "Payment not succeeded."
    code = "payment_not_succeeded"

    def __init__(self, payment_status: str) -> None:
        super().__init__(f"Payment not succeeded. Status: {payment_status}")


class PaymentRefused(Refused):
    sentence = "The payment processor does not take this payment."
    code = "payment_refused"


class PaymentsNotConfigured(Refused):
    sentence = "This server takes no payments; set METERHOUSE_STRIPE_SECRET_KEY, or use a sandbox key."
    code = "payments_not_configured"


class InvalidKey(Refused):
    sentence = "The API key is missing, malformed, unknown or revoked; send `Authorization: Bearer sk_…`."
    code = "invalid_api_key"
    status = 401


class NotSignedIn(Refused):
    sentence = "The session or link is unknown, used or expired; `meterhouse login` prints a fresh link."
    code = "not_signed_in"
    status = 401


class Forbidden(Refused):
    sentence = "This key or session has no right to do this."
    code = "forbidden"
    status = 403


class KeyEnvironmentMismatch(Refused):
    sentence = "The key belongs to the other environment; use a key of the environment you name."
    code = "key_env_mismatch"
    status = 403

    def __init__(self, key_environment: str, asked_environment: str) -> None:
        super().__init__(
            f"The key belongs to {key_environment}, the request names {asked_environment}; "
            f"use a key of {asked_environment}."
        )
        self.key_environment = key_environment
        self.asked_environment = asked_environment


class RightMissing(Refused):
    sentence = "The key has not the rights that this route needs; use a key with full rights."
    code = "right_missing"
    status = 403

    def __init__(self, has: str, needed: str) -> None:
        also = "" if needed == "full" else f" {needed} or"
        super().__init__(f"The key has the rights {has}; this route needs a key with{also} full rights.")


class NotFound(Refused):
    sentence = "What the request names was not found."
    code = "not_found"
    status = 404


class CustomerNotFound(NotFound):
    sentence = "Customer not found"
    code = "customer_not_found"

    @classmethod
    def named(cls, ref: str) -> "CustomerNotFound":
        """ref: as `Fields.customer` returns it."""
        return cls(cls.sentence_of(ref))

    @staticmethod
    def sentence_of(ref: str) -> str:
        if is_unknown_external(ref):
            return f"Customer with externalRef {external_of(ref)} not found"
        return f"Customer with reference {ref} not found"


class ProductNotFound(NotFound):
    sentence = "Product not found"
    code = "product_not_found"


class PurchaseNotFound(NotFound):
    sentence = "Purchase not found"
    code = "purchase_not_found"


class SessionNotFound(NotFound):
    sentence = "Session not found"
    code = "session_not_found"


class PaymentNotFound(NotFound):
    sentence = "Payment intent not found"
    code = "PAYMENT_INTENT_NOT_FOUND"


class HoldNotFound(NotFound):
    sentence = "Hold not found"
    code = "hold_not_found"


class PlanNotFound(NotFound):
    sentence = "Plan not found"
    code = "plan_not_found"


class MeterNotFound(NotFound):
    sentence = "Meter not found"
    code = "meter_not_found"


class EventNotFound(NotFound):
    sentence = "Event not found"
    code = "event_not_found"


class KeyNotFound(NotFound):
    sentence = "API key not found"
    code = "key_not_found"


class ProviderNotFound(NotFound):
    sentence = "Provider not found"
    code = "provider_not_found"


class OperatorNotFound(NotFound):
    sentence = "Operator not found"
    code = "operator_not_found"


class MethodNotAllowed(Refused):
    sentence = "This path exists, but not for this method."
    code = "method_not_allowed"
    status = 405


class Conflict(Refused):
    sentence = "The request contradicts what is stored."
    code = "conflict"
    status = 409


class IdempotencyConflict(Conflict):
    sentence = "The idempotency key was used before with another meaning; nothing was stored. Use a new key."
    code = "idempotency_conflict"


class HoldReleased(Conflict):
    sentence = "The hold was released, and nothing was booked; record what was used with /v1/sdk/usages."
    code = "hold_released"


class HoldSettled(Conflict):
    sentence = "The hold was settled, and what was booked stays."
    code = "hold_settled"


class CreditsNotFree(Conflict):
    sentence = "The balance has fewer credits that are not held."
    code = "credits_not_free"

    def __init__(self, free: int) -> None:
        super().__init__(f"Only {free} credits of the balance are not held; take away at most so many.")


class BalanceFull(Conflict):
    sentence = "The balance has no room for so many credits; move fewer, or again once some are used."
    code = "balance_full"

    def __init__(self, most: int, room: int) -> None:
        super().__init__(
            f"A balance is at most {most} credits, and this one has room for {room}; move fewer, or again"
            " once some are used."
        )


class SessionEnded(Conflict):
    sentence = "This link was used or has expired; ask for a new one."
    code = "session_ended"


class NothingToPay(Conflict):
    sentence = "Nothing was chosen that costs anything; choose a plan, or an amount of credits, first."
    code = "nothing_to_pay"


class EmailTaken(Conflict):
    sentence = "A customer with this email already exists."
    code = "email_exists"


class ExternalRefTaken(Conflict):
    sentence = "A customer with this externalRef already exists."
    code = "external_ref_exists"


class ReferenceTaken(Conflict):
    sentence = "This reference already exists."
    code = "reference_exists"


class ProductNameTaken(Conflict):
    sentence = "A product with this name already exists."
    code = "product_name_exists"


class MeterNameTaken(Conflict):
    sentence = "A meter with this name already exists; the name of an archived one stays taken."
    code = "meter_name_exists"


class DefaultMeter(Conflict):
    sentence = "A default meter cannot be archived; stop recording on it, or make a meter of your own."
    code = "default_meter"


class MeterCounted(Conflict):
    sentence = "Other meters count this one's events (meterNames); archive those first."
    code = "meter_counted"


class ProviderNameTaken(Conflict):
    sentence = "A provider with this name already exists."
    code = "provider_name_exists"


class OperatorTaken(Conflict):
    sentence = "An operator with this email already exists."
    code = "operator_exists"


class RequestTimeout(Refused):
    sentence = "The request did not arrive in time and was not handled; send it faster, or send less at once."
    code = "request_timeout"
    status = 408


class PayloadTooLarge(Refused):
    sentence = "The body is larger than this route takes; send less at once."
    code = "payload_too_large"
    status = 413


class UnsupportedMediaType(Refused):
    sentence = "The content type or encoding is not accepted here."
    code = "unsupported_media_type"
    status = 415


class HeadersTooLarge(Refused):
    sentence = "The request has too many headers, or too many bytes of them; send fewer."
    code = "headers_too_large"
    status = 431


class Unavailable(MeterhouseError):
    sentence = "Nothing was stored. Send the same request again after `Retry-After` seconds."
    code = "unavailable"
    status = 503
    retry_after_seconds: ClassVar[int] = 1


class LogUnavailable(Unavailable):
    sentence = "The log could not be written and nothing was stored; send the same request again."
    code = "log_unavailable"


class KeyIndexUnavailable(LogUnavailable):
    sentence = (
        "The index of idempotency keys cannot be read now (it may be rebuilding) and nothing was stored; "
        "send the same request again. Events without a key are still being stored."
    )
    code = "key_index_unavailable"
    retry_after_seconds = 5


class LedgerUnavailable(LogUnavailable):
    sentence = (
        "The ledger cannot be read now (it may be rebuilding) and nothing was recorded; "
        "send the same request again. Usage events are still being stored."
    )
    code = "ledger_unavailable"
    retry_after_seconds = 5


class NotReady(Unavailable):
    sentence = "Parts of the server do not work now; `meterhouse doctor` says more."
    code = "not_ready"

    @classmethod
    def naming(cls, parts: Sequence[str]) -> "NotReady":
        """parts: the names of the parts that do not work."""
        return cls(f"Does not work now: {', '.join(parts)}. `meterhouse doctor` says more.")


class Overloaded(Unavailable):
    sentence = "Too much is waiting to be stored; nothing was stored, send the same request again."
    code = "overloaded"


class TooManyConnections(Unavailable):
    sentence = "Too many connections are open; close some, and send the same request again."
    code = "too_many_connections"


class ProcessorUnavailable(Unavailable):
    sentence = "The payment processor does not answer; send the same request again, nothing is paid twice."
    code = "processor_unavailable"


class WarehouseUnavailable(Unavailable):
    sentence = "The warehouse cannot answer now (it may be rebuilding); events are still being stored."
    code = "warehouse_unavailable"


class LogDamaged(RuntimeError):
    """Records of the log are not as they were written. For the operator; no answer carries it.

    first, last: positions. why: a clause that follows "damaged:".
    """

    def __init__(self, first: int, why: str, last: int | None = None) -> None:
        self.first = first
        self.last = first if last is None else max(first, last)
        self.why = why
        self.positions = str(first) if self.last == first else f"{first} to {self.last}"
        which = f"Record {first}" if self.last == first else f"One or more of the records {self.positions}"
        super().__init__(
            f"{which} of the log is damaged: {why}. Keep the directory, and restore the last backup "
            "(docs/operating.md)."
        )
