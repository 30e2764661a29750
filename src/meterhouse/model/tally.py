"""What came in and what became of it, as `GET /v1/ingest` answers it."""

from msgspec import Struct

from meterhouse.model.event import Rejection


class TallyHour(Struct, frozen=True):
    """One hour of receipt. hour: hours since 1970. counts: by code, `received`, `stored`, `duplicate`, …

    received = stored + duplicate + every other code.
    """

    hour: int
    counts: dict[str, int]


class KeptRejection(Struct, frozen=True):
    """received_at: microseconds since 1970."""

    received_at: int
    rejection: Rejection
