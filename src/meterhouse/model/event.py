"""Events: immutable facts. Inside the server they travel as columns, row i of each list is one event.

Columns, because a request carries up to 10 000 events and every stage wants one field of all of
them: checks look at the distinct values, the log compresses alike with alike, the warehouse is
columnar. `Event` is one of them put together again, for answers.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from meterhouse.model.errors import FieldError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SEQUENCE_BITS: Final = 21  # 42 + 21 bits fit a signed 64-bit integer until the year 2109


class Kind(StrEnum):
    """What an event is for: `usage` is seen, `meter` is counted against limits."""

    USAGE = "usage"
    METER = "meter"


class Outcome(StrEnum):
    """How what a meter event tells of ended. Only success consumes anything."""

    SUCCESS = "success"
    PAYWALL = "paywall"
    FAIL = "fail"


class Columns(Struct, array_like=True, gc=False):
    """Events before they have an id. All lists but `buffered_at` have the same length.

    timestamp: microseconds since 1970, UTC, as the caller gave it; None where it gave none. The event then
    happened at its `buffered_at`, and without one when it was received.
    units_whole, units_nano: see `model.units`.
    idempotency_key: None counts every time it is sent.
    properties: canonical JSON text of an object (names sorted), or None.
    buffered_at: the SDK's own time, microseconds since 1970. Rows behind the end of the list have none, and
    records of the log from before there was such a time have none at all.
    """

    type: list[str]
    customer_ref: list[str]
    product_ref: list[str | None]
    units_whole: list[int]
    units_nano: list[int]
    timestamp: list[int | None]
    idempotency_key: list[str | None]
    properties: list[str | None]
    buffered_at: list[int | None] = msgspec.field(default_factory=list)

    @classmethod
    def empty(cls) -> "Columns":
        return cls([], [], [], [], [], [], [], [])

    def set_buffered(self, at: int) -> None:
        """Note the SDK's own time of the row that is appended next."""
        self._pad_buffered()
        self.buffered_at.append(at)

    def happened(self, received_at: Sequence[int]) -> list[int]:
        """Return when each event happened; `received_at` of a row is its time of receipt."""
        if self.buffered_at:
            self._pad_buffered()
            received_at = [
                at if buffered is None else buffered
                for buffered, at in zip(self.buffered_at, received_at, strict=True)
            ]
        return [at if given is None else given for given, at in zip(self.timestamp, received_at, strict=True)]

    def _pad_buffered(self) -> None:
        self.buffered_at += [None] * (len(self.type) - len(self.buffered_at))

    def __len__(self) -> int:
        return len(self.type)

    def extend(self, other: "Columns") -> None:
        """Append the rows of `other`, in order."""
        if other.buffered_at:
            self._pad_buffered()
            self.buffered_at += other.buffered_at
        self.type += other.type
        self.customer_ref += other.customer_ref
        self.product_ref += other.product_ref
        self.units_whole += other.units_whole
        self.units_nano += other.units_nano
        self.timestamp += other.timestamp
        self.idempotency_key += other.idempotency_key
        self.properties += other.properties

    def rows(self, rows: Sequence[int]) -> "Columns":
        """Return the columns of these rows alone."""
        if isinstance(rows, range):  # slices are copied in one piece
            part = slice(rows.start, rows.stop)
            return Columns(*(column[part] for column in msgspec.structs.astuple(self)))
        if self.buffered_at:
            self._pad_buffered()
        return Columns(
            *([column[row] for row in rows] if column else [] for column in msgspec.structs.astuple(self))
        )


class MeterColumns(Struct, array_like=True, gc=False):
    """What meter events have beside `Columns`; row i of both is the same event.

    meter: the name of the meter it was recorded on. outcome: one of `Outcome`.
    details: canonical JSON text of `Details`, or None.
    """

    meter: list[str]
    outcome: list[str]
    purchase_ref: list[str | None]
    details: list[str | None]

    @classmethod
    def empty(cls) -> "MeterColumns":
        return cls([], [], [], [])


class Details(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What is told of a meter event and neither counted nor filtered by. duration: as it was sent, in no
    unit of ours."""

    description: str | UnsetType = UNSET
    duration: Decimal | UnsetType = UNSET
    error_message: str | UnsetType = UNSET


class Rejection(Struct, frozen=True):
    """An event (or a body that could not be read at all) that was refused, and why."""

    code: str
    errors: tuple[FieldError, ...]


KEY_CONFLICT: Final = Rejection(
    "idempotency_conflict",
    (FieldError("idempotencyKey", "was used before with another meaning; use a new key"),),
)


class Submission(Struct, frozen=True):
    """What one request brings to the log: good events, and the reasons for the bad ones.

    size: bytes of its body, about what it takes in memory while it waits.

    `received` counts both, and is stored beside the outcomes, so that
    received = stored + duplicates + rejected can be checked.
    """

    scope_id: int
    events: Columns
    rejections: Sequence[Rejection] = ()
    size: int = 0

    @property
    def received(self) -> int:
        return len(self.events) + len(self.rejections)


class Repeat(Struct, frozen=True):
    """The key of a submitted event is in the log already. A conflict had another meaning there."""

    event_number: int
    conflict: bool


class Receipt(Struct, frozen=True):
    """What became of a submission's events, by row.

    Rows not in `repeats` are stored; in order, they have the numbers from `first_number` on.
    """

    first_number: int
    repeats: dict[int, Repeat]

    def conflicts(self) -> list[Rejection]:
        return [KEY_CONFLICT for repeat in self.repeats.values() if repeat.conflict]


class LogRecord(Struct, frozen=True):
    """Events that were committed together; `position` is the record's place in the log.

    received_at: microseconds since 1970, also the time of events that brought none.
    scopes: `(scope_id, count)` runs over the rows, in order.
    Row i has the event number `first_number + i`.
    metered: of meter events. A record of theirs may hold no events at all: an effect without one.
    """

    position: int
    kind: Kind
    received_at: int
    first_number: int
    scopes: tuple[tuple[int, int], ...]
    events: Columns
    metered: MeterColumns | None = None


class Event(Struct, frozen=True, kw_only=True, rename="camel"):
    """One stored event, as `/v1/events` answers it. What is UNSET was not said, or is of meter events."""

    event_id: str
    kind: Kind
    type: str
    customer_ref: str | None
    product_ref: str | None
    units: Decimal
    timestamp: datetime
    received_at: datetime
    idempotency_key: str | None
    properties: msgspec.Raw
    meter_name: str | UnsetType = UNSET
    outcome: Outcome | UnsetType = UNSET
    purchase_ref: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    duration: Decimal | UnsetType = UNSET
    error_message: str | UnsetType = UNSET


def event_id(number: int) -> str:
    """Return the id of an event number. Ids of equal length sort as their numbers do."""
    return f"evt_{number:016x}"


def usage_ref(event_number: int) -> str:
    """Return what the contract calls the reference of a usage record."""
    return f"usage_{event_number:016x}"


def event_number(event_id: str) -> int | None:
    """Return the number in an id, or None where `event_id` is not one of ours."""
    digits = event_id.removeprefix("evt_")
    if len(digits) != 16 or event_id == digits or digits != digits.lower():
        return None
    try:
        number = int(digits, 16)
    except ValueError:
        return None
    return number if event_id == f"evt_{number:016x}" else None


def next_number(last_number: int, now_us: int) -> int:
    """Return the first free event number at a time: milliseconds, then 21 bits of sequence.

    Strictly above `last_number`, so ids go on increasing while the clock steps back.
    """
    return max((now_us // 1000) << _SEQUENCE_BITS, last_number + 1)


def to_microseconds(time: datetime) -> int:
    """Return microseconds since 1970 of an aware datetime, exactly (floats would round)."""
    since = time - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_microseconds(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
