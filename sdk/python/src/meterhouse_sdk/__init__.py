"""Tell Meterhouse what your customers use.

    from meterhouse_sdk import Meterhouse

    meterhouse = Meterhouse()
    meterhouse.create_event(type="usage.api_call", customer_ref="cus_3C4D5E6F", units=1)

`Meterhouse` waits for each answer, `AsyncMeterhouse` is the same for asyncio, and `EventBuffer` takes
events at once and delivers them in the background, also when the server was away.
"""

from meterhouse_sdk._answers import (
    BulkResult,
    CreatedEvent,
    Customer,
    Deleted,
    Event,
    EventResult,
    Merchant,
    Meter,
    MeterPoint,
    MeterUsage,
    PlatformConfig,
    Point,
    Product,
    ProductPage,
    Series,
    Usage,
)
from meterhouse_sdk._buffer import EventBuffer
from meterhouse_sdk._client import AsyncMeterhouse, Meterhouse
from meterhouse_sdk._error import FieldError, MeterhouseError
from meterhouse_sdk._errors import (
    AuthenticationError,
    BufferClosed,
    BufferFull,
    Conflict,
    ConnectionFailed,
    CustomerNotFound,
    EmailTaken,
    EventNotFound,
    ExternalRefTaken,
    IdempotencyConflict,
    KeyEnvironmentMismatch,
    MeterNameTaken,
    MeterNotFound,
    NotDelivered,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    ProductNameTaken,
    ProductNotFound,
    QueryTooLarge,
    RateLimited,
    ReferenceTaken,
    Refused,
    ServerError,
    Unavailable,
    UnexpectedAnswer,
    UnsupportedMediaType,
    ValidationFailed,
)
from meterhouse_sdk._new_event import EventFields, NewEvent
from meterhouse_sdk._outbox import RejectedEvent
from meterhouse_sdk._settings import Settings
from meterhouse_sdk._version import __version__

__all__ = [
    "AsyncMeterhouse",
    "AuthenticationError",
    "BufferClosed",
    "BufferFull",
    "BulkResult",
    "Conflict",
    "ConnectionFailed",
    "CreatedEvent",
    "Customer",
    "CustomerNotFound",
    "Deleted",
    "EmailTaken",
    "Event",
    "EventBuffer",
    "EventFields",
    "EventNotFound",
    "EventResult",
    "ExternalRefTaken",
    "FieldError",
    "IdempotencyConflict",
    "KeyEnvironmentMismatch",
    "Merchant",
    "Meter",
    "MeterNameTaken",
    "MeterNotFound",
    "MeterPoint",
    "MeterUsage",
    "Meterhouse",
    "MeterhouseError",
    "NewEvent",
    "NotDelivered",
    "NotFound",
    "PayloadTooLarge",
    "PermissionDenied",
    "PlatformConfig",
    "Point",
    "Product",
    "ProductNameTaken",
    "ProductNotFound",
    "ProductPage",
    "Purchase",
    "QueryTooLarge",
    "RateLimited",
    "ReferenceTaken",
    "Refused",
    "RejectedEvent",
    "Series",
    "ServerError",
    "Settings",
    "Unavailable",
    "UnexpectedAnswer",
    "UnsupportedMediaType",
    "Usage",
    "ValidationFailed",
    "__version__",
]
