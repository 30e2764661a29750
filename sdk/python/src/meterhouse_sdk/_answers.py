"""What the server answers, typed. Amounts are Decimals read from the digits, never through a float.

Fields that this version does not know are ignored; fields the contract calls optional may be None.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from meterhouse_sdk._error import FieldError
from meterhouse_sdk._errors import UnexpectedAnswer
from meterhouse_sdk._plans_answers import Purchase
from meterhouse_sdk._protocol import Reply

T = TypeVar("T")


class CreatedEvent(Struct, frozen=True, kw_only=True, rename="camel"):
    """The event is stored. `duplicate`: it was there already, from an earlier call with the same key."""

    event_id: str
    duplicate: bool = False


class EventResult(Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of one event of a bulk.

    event_id: None where it was rejected; then `code` and `errors` say why.
    """

    status: Literal["stored", "duplicate", "rejected"]
    event_id: str | None = None
    code: str | None = None
    errors: tuple[FieldError, ...] = ()


class BulkResult(Struct, frozen=True, kw_only=True):
    """What became of every event of a bulk; `results` is in the order of the call."""

    stored: int
    duplicates: int
    rejected: int
    results: tuple[EventResult, ...]


class Event(Struct, frozen=True, kw_only=True, rename="camel"):
    """One stored event. `customer_ref` is None where a meter event was attributed to nobody.

    What comes after `properties` is of meter events, None where it was not said. `duration`: milliseconds.
    """

    event_id: str
    type: str
    units: Decimal
    timestamp: datetime
    received_at: datetime
    kind: str = "usage"
    customer_ref: str | None = None
    product_ref: str | None = None
    idempotency_key: str | None = None
    properties: Mapping[str, Any] | None = None  # Any: JSON; fractions are Decimals
    meter_name: str | None = None
    outcome: str | None = None
    purchase_ref: str | None = None
    description: str | None = None
    duration: Decimal | None = None
    error_message: str | None = None


class EventPage(Struct, frozen=True, kw_only=True, rename="camel"):
    """One page of events; `next_cursor` is None on the last."""

    events: tuple[Event, ...]
    next_cursor: str | None = None


class Point(Struct, frozen=True):
    """One bucket of time. `value` is None where an average, a least or the like has nothing to go by."""

    start: datetime
    value: Decimal | None


class Series(Struct, frozen=True):
    """One group's answer. `group` maps what was grouped by to this group's values.

    A value is None for events without it. `other` is true for the one series that sums up all groups
    beyond `top`. `points` is empty unless a granularity was asked for.
    """

    group: Mapping[str, str | bool | None]
    total: Decimal | None
    points: tuple[Point, ...] = ()

    @property
    def other(self) -> bool:
        return self.group.get("other") is True


class Usage(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to `usage`. `from_` is included, `to` is not; both None means all of history."""

    aggregate: str
    total: Decimal | None
    series: tuple[Series, ...]
    from_: datetime | None = msgspec.field(default=None, name="from")
    to: datetime | None = None
    granularity: str | None = None
    timezone: str | None = None
    group_by: tuple[str, ...] = ()


class Meter(Struct, frozen=True, kw_only=True, rename="camel"):
    """A question with a name. `kind`: the events it counts, meter or usage. `status`: active or archived.

    `meter_names`: the meters whose events it counts; empty for its own. `event_types`: empty for every type.
    `is_default`: made with the environment; it cannot be archived.
    """

    reference: str
    name: str
    display_name: str
    aggregation: str
    status: str
    kind: str = "usage"
    is_default: bool = False
    description: str = ""
    unit: str = ""
    meter_names: tuple[str, ...] = ()
    event_types: tuple[str, ...] = ()
    properties: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    created_at: str = ""
    updated_at: str = ""


class Meters(Struct, frozen=True):
    """What `/v1/meters` answers."""

    meters: tuple[Meter, ...]


class MeterPoint(Struct, frozen=True):
    """One bucket of time. `value` is None where an average, a least or the like has nothing to go by."""

    timestamp: datetime
    value: Decimal | None


class MeterUsage(Struct, frozen=True, kw_only=True):
    """What a meter counted. `total` is aggregated as the meter does, over the whole time."""

    meter: Meter
    granularity: str
    timezone: str
    data: tuple[MeterPoint, ...]
    total: Decimal | None


class Customer(Struct, frozen=True, kw_only=True, rename="camel"):
    """Whoever consumes. external_ref: your own system's name for them; purchases: the active ones."""

    reference: str
    email: str = ""
    name: str | None = None
    external_ref: str | None = None
    telephone: str | None = None
    description: str | None = None
    metadata: Mapping[str, Any] | None = None  # Any: JSON
    purchases: Sequence[Purchase] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Product(Struct, frozen=True, kw_only=True, rename="camel"):
    """What customers use. `balance` is in cents. `plans` are as the server gives them."""

    reference: str
    name: str
    status: str = "active"
    description: str | None = None
    product_type: str | None = None
    image_url: str | None = None
    is_mcp_pay: bool = False
    balance: int = 0
    total_transactions: int = 0
    config: Mapping[str, Any] | None = None  # Any: JSON
    metadata: Mapping[str, Any] | None = None  # Any: JSON
    plans: Sequence[Mapping[str, Any]] = ()  # Any: JSON
    created_at: datetime | None = None
    updated_at: datetime | None = None


class ProductPage(Struct, frozen=True, kw_only=True):
    """Some of the products; `total` counts all that match, from `offset` on at most `limit` are here."""

    products: tuple[Product, ...]
    total: int
    limit: int
    offset: int


class Deleted(Struct, frozen=True, kw_only=True):
    """What deleting did: "deleted" (sandbox), "soft_deleted" (live: kept but hidden) or "deactivated"
    (live: a product that was bought). Events stay, whatever it did.
    """

    action: str = "deleted"


class Merchant(Struct, frozen=True, kw_only=True, rename="camel"):
    """What may be shown of the provider to its customers."""

    display_name: str
    legal_name: str
    support_email: str | None = None
    support_url: str | None = None
    terms_url: str | None = None
    privacy_url: str | None = None
    country: str | None = None
    default_currency: str | None = None
    supported_topup_currencies: Sequence[str] = ()
    statement_descriptor: str | None = None
    logo_url: str | None = None
    icon_url: str | None = None
    company_number: str | None = None
    tax_id: str | None = None
    vat_number: str | None = None


class PlatformConfig(Struct, frozen=True, kw_only=True, rename="camel"):
    """The scope of the key, and values a browser may see. None: not configured, or not said by the server."""

    provider_ref: str | None = None
    environment: str | None = None
    stripe_publishable_key: str | None = None


_decoders: Final[dict[type, msgspec.json.Decoder[Any]]] = {}  # Any: one decoder for each type


def read(reply: Reply, answer: type[T]) -> T:
    """Return the typed answer. Raises UnexpectedAnswer for any other body."""
    decoder = _decoders.get(answer)
    if decoder is None:
        decoder = _decoders[answer] = msgspec.json.Decoder(answer, float_hook=Decimal)
    try:
        found: T = decoder.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnexpectedAnswer(
            f"The answer is not a {answer.__name__} ({error}); does the base URL name a Meterhouse server?",
            status=reply.status,
            request_id=reply.headers.get("x-request-id"),
        ) from error
    return found
