"""What a paywall sells, and to whom."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from meterhouse_sdk._error import MeterhouseError
from meterhouse_sdk._new_usage import NewUsage

MAX_LEASE_SECONDS: Final = 43_200

OnUntracked = Callable[[NewUsage, MeterhouseError], object]


class Customer(NamedTuple):
    """The customer of a call, as the program names it.

    given: a ref (`cus_…`) or the seller's own id; the ref is tried first. None: nobody.
    is_external: it is the seller's own id, whatever it looks like.
    """

    given: str | None
    is_external: bool = False


class Share(NamedTuple):
    """Whose units of which product: a lease is of one share."""

    customer_ref: str
    product_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one paywall sells.

    lease_units: how many units a lease takes at once; None: every call asks the server.
    lease_seconds: how long a lease serves; its hold lives twice as long, for calls that still run.
    on_untracked: is told of a usage that the server did not take.

    Raises ValueError: a value is out of its range.
    """

    product_ref: str
    lease_units: int | None = None
    lease_seconds: int = 30
    on_untracked: OnUntracked | None = None

    def __post_init__(self) -> None:
        if self.lease_units is not None and self.lease_units < 1:
            raise ValueError("lease_units must be a whole number from 1 on; None: every call asks the server")
        if not 1 <= self.lease_seconds <= MAX_LEASE_SECONDS:
            raise ValueError(f"lease_seconds must be 1 to {MAX_LEASE_SECONDS}")

    @property
    def hold_seconds(self) -> int:
        """How long a lease's hold lives."""
        return 2 * self.lease_seconds

    def share(self, customer_ref: str) -> Share:
        return Share(customer_ref, self.product_ref)
