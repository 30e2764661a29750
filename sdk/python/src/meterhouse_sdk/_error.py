"""The base of every error, and how an error names a field."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from meterhouse_sdk._new_event import NewEvent
    from meterhouse_sdk._new_usage import NewMeterEvent, NewUsage


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
    usages: the same of `track_usage` and `track_usage_bulk`, which takes them again.
    meter_events: the same of `record_meter_event` and `record_meter_events`, which takes them again.
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
        self.usages: tuple[NewUsage, ...] = ()
        self.meter_events: tuple[NewMeterEvent, ...] = ()

    def __str__(self) -> str:
        faults = "; ".join(str(error) for error in self.errors)
        sentence = f"{self.message}: {faults}" if faults else self.message
        marks = [
            str(mark) for mark in (self.status, self.code, self.request_id) if mark not in (None, "error")
        ]
        return f"{sentence} ({', '.join(marks)})" if marks else sentence
