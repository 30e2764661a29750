"""Hosted sessions: short-lived links to pages of ours, where a customer buys or looks after what it bought.

The id in the link is the credential: whoever has it acts for the customer (contract §3.3, §3.7).
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from meterhouse.model.clock import is_ahead

LIFETIME_US: Final = 900_000_000
"""Fifteen minutes."""


class HostedKind(StrEnum):
    CHECKOUT = "checkout"
    CUSTOMER = "customer"


class HostedStatus(StrEnum):
    ACTIVE = "active"
    USED = "used"
    EXPIRED = "expired"


class Purpose(StrEnum):
    """What a checkout is for: a plan of a product, or credits."""

    PRODUCT = "product"
    CREDIT_TOPUP = "credit_topup"


class NewHosted(Struct, frozen=True, kw_only=True):
    """product_ref, plan_ref: None leaves the choice to the customer.

    return_url: where the customer goes when done. cancel_url: and without buying, None for the same.
    """

    kind: HostedKind
    customer_ref: str
    product_ref: str | None = None
    plan_ref: str | None = None
    purpose: Purpose = Purpose.PRODUCT
    return_url: str | None = None
    cancel_url: str | None = None


class Choice(Struct, frozen=True, kw_only=True):
    """What the customer has chosen on a checkout page.

    currency: of the plan, None for its default. amount: of a top-up, minor units. payment_id: of the intent
    that was made for this choice.
    """

    plan_ref: str | None = None
    currency: str | None = None
    amount: int | None = None
    payment_id: str | None = None


class Hosted(NewHosted, frozen=True, kw_only=True):
    """status: as it was last written; see `status_at`. Times: microseconds since 1970.

    plan_ref, currency, amount, payment_id: see `Choice`.
    """

    scope_id: int
    currency: str | None = None
    amount: int | None = None
    payment_id: str | None = None
    status: HostedStatus
    created_at: int
    updated_at: int
    expires_at: int

    @property
    def back_url(self) -> str | None:
        return self.cancel_url or self.return_url

    @property
    def choice(self) -> Choice:
        return Choice(
            plan_ref=self.plan_ref, currency=self.currency, amount=self.amount, payment_id=self.payment_id
        )

    def status_at(self, at: int) -> HostedStatus:
        has_expired = at >= self.expires_at or is_ahead(self.created_at, at)
        return HostedStatus.EXPIRED if has_expired and self.status is HostedStatus.ACTIVE else self.status
